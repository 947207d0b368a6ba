// Every identity that a selector may find: reserved ones, those of the cluster's pods, those of prefixes.
import type { CiliumIdentity } from "../../cluster/model.ts";
import { type Labels, selectorMatches, type Selector } from "../../cluster/selector.ts";
import { CLUSTER_LABEL, flattenSources } from "../identity-labels.ts";
import type { CidrIdentities } from "./cidr-identities.ts";

/** pkg/identity/numericidentity.go, by the reserved label that entities name; without the worlds. */
export const RESERVED_IDENTITIES: ReadonlyMap<string, readonly number[]> = new Map([
  ["host", [1]], ["unmanaged", [3]], ["health", [4]], ["init", [5]], ["remote-node", [6, 7]], ["kube-apiserver", [7]], ["ingress", [8]],
]);
const NONE: readonly number[] = [];

/** Stands for any identity, as in the map. */
export const EVERYONE: readonly number[] = [0];

export class KnownIdentities {
  readonly #labels: ReadonlyMap<number, Labels>;
  readonly #cidrs: CidrIdentities;
  readonly #clusterName: string;
  readonly #bySelector = new Map<string, readonly number[]>();

  constructor(endpoints: Iterable<{ readonly identity: number; readonly labels: Labels }>, identities: readonly CiliumIdentity[], cidrs: CidrIdentities, clusterName: string) {
    const labels = new Map<number, Labels>();
    for (const { number, securityLabels } of identities) labels.set(number, flattenSources(securityLabels));
    for (const { identity, labels: own } of endpoints) if (!labels.has(identity)) labels.set(identity, own);
    for (const [name, numbers] of RESERVED_IDENTITIES) {
      for (const number of numbers) labels.set(number, new Map([...(labels.get(number) ?? []), [`reserved.${name}`, ""]]));
    }
    for (const number of cidrs.outside(null)) labels.set(number, new Map([["reserved.world", ""]]));
    this.#labels = labels;
    this.#cidrs = cidrs;
    this.#clusterName = clusterName;
  }

  selected(selector: Selector): readonly number[] {
    const key = selectorKey(selector);
    let found = this.#bySelector.get(key);
    if (found === undefined) {
      found = [...this.#labels].filter(([, labels]) => selectorMatches(selector, labels)).map(([number]) => number);
      this.#bySelector.set(key, found);
    }
    return found;
  }

  /** pkg/policy/api/entity.go. */
  entity(name: string): readonly number[] {
    switch (name) {
      case "all": return EVERYONE;
      case "world": return this.#cidrs.outside(null);
      case "world-ipv4": return this.#cidrs.outside(4);
      case "world-ipv6": return this.#cidrs.outside(6);
      case "cluster": {
        const pods = this.selected([{ key: CLUSTER_LABEL, operator: "In", values: new Set([this.#clusterName]) }]);
        return [...new Set([...[...RESERVED_IDENTITIES.values()].flat(), ...pods])];
      }
      default: return RESERVED_IDENTITIES.get(name) ?? NONE;
    }
  }
}

function selectorKey(selector: Selector): string {
  return selector.map((each) => `${each.key} ${each.operator} ${"values" in each ? [...each.values].join(",") : ""}`).join(";");
}
