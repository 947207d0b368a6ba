// What an identity's number stands for, as the agents print it (pkg/labels, GetPrintableModel).
import { formatPrefix } from "../cluster/cidr.ts";
import type { CiliumIdentity } from "../cluster/model.ts";
import type { CompiledControl } from "../control/compile.ts";
import { IDENTITY_WORLD, IDENTITY_WORLD_IPV4, IDENTITY_WORLD_IPV6 } from "../control/identities.ts";
import { flattenSources } from "../control/identity-labels.ts";
import { RESERVED_IDENTITIES } from "../control/network-policy/known-identities.ts";
import { securityLabels } from "./security-labels.ts";

const WORLDS: ReadonlyMap<number, string> = new Map([
  [IDENTITY_WORLD, "reserved:world"], [IDENTITY_WORLD_IPV4, "reserved:world-ipv4"], [IDENTITY_WORLD_IPV6, "reserved:world-ipv6"],
]);
const NONE: readonly string[] = [];

export class IdentityLabels {
  readonly #byNumber = new Map<number, readonly string[]>([[0, ["ANY"]]]);

  /** `identities`: the manifests' CiliumIdentity objects, also those that no endpoint has. */
  constructor({ tables, endpoints, cidrIdentities }: CompiledControl, identities: readonly CiliumIdentity[]) {
    const labels = this.#byNumber;
    for (const { number, securityLabels: written } of identities) labels.set(number, securityLabels(flattenSources(written)));
    for (const { identity, labels: own } of endpoints) if (!labels.has(identity)) labels.set(identity, securityLabels(own));
    for (const [name, numbers] of RESERVED_IDENTITIES) {
      for (const number of numbers) labels.set(number, [...(labels.get(number) ?? []), `reserved:${name}`].sort());
    }
    for (const [number, world] of WORLDS) labels.set(number, [world]);
    const { worldIdentity, worldIdentity6 } = tables.config;
    for (const { identity, prefix } of cidrIdentities)
      labels.set(identity, [`cidr:${formatPrefix(prefix)}`, WORLDS.get(prefix.family === 4 ? worldIdentity : worldIdentity6) ?? ""]);
  }

  /** Sorted; empty where nothing says what the number stands for. */
  of(identity: number): readonly string[] {
    return this.#byNumber.get(identity) ?? NONE;
  }
}
