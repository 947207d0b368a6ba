// Security identities: one number per label set. Numbers that the cluster already gave are kept.
import type { CiliumIdentity } from "../cluster/model.ts";
import { InputError } from "../cluster/input-error.ts";
import type { Labels } from "../cluster/selector.ts";
import { flattenSources, labelSetKey } from "./identity-labels.ts";

/** pkg/identity/numericidentity.go: what is in no other range. */
export const IDENTITY_HOST = 1;
export const IDENTITY_WORLD = 2;
export const IDENTITY_INIT = 5;
export const IDENTITY_REMOTE_NODE = 6;
/** The world of a dual-stack cluster, by family. */
export const IDENTITY_WORLD_IPV4 = 9;
export const IDENTITY_WORLD_IPV6 = 10;
const FIRST_DERIVED = 20_001;
const FIRST_CLUSTER_LOCAL = 256;
const LAST_CLUSTER_LOCAL = 65_535;

export class IdentityBook {
  readonly #byNumber = new Map<number, Labels>();
  readonly #byLabels = new Map<string, number>();
  readonly #taken = new Set<number>();

  constructor(identities: readonly CiliumIdentity[], takenElsewhere: Iterable<number>) {
    for (const { number, securityLabels } of identities) {
      const labels = flattenSources(securityLabels);
      this.#byNumber.set(number, labels);
      this.#taken.add(number);
      const key = labelSetKey(labels);
      if (!this.#byLabels.has(key)) this.#byLabels.set(key, number);
    }
    for (const number of takenElsewhere) this.#taken.add(number);
  }

  labelsOf(number: number): Labels | undefined {
    return this.#byNumber.get(number);
  }

  numberOf(labelKey: string): number | undefined {
    return this.#byLabels.get(labelKey);
  }

  /** Numbers the label sets that have none yet, in order of their text; returns how many those were. */
  allocate(labelKeys: Iterable<string>): number {
    const unnumbered = [...new Set(labelKeys)].filter((key) => !this.#byLabels.has(key)).sort();
    const free = this.#freeNumbers();
    for (const key of unnumbered) {
      const next = free.next();
      if (next.done === true) {
        throw new InputError([
          {
            at: null,
            subject: "identities",
            message:
              `${unnumbered.length.toLocaleString("en-US")} different label sets do not fit into ` +
              `Cilium's ${LAST_CLUSTER_LOCAL - FIRST_CLUSTER_LOCAL + 1} identities of a cluster`,
            cure: "keep labels that differ for every pod out of the identity (Cilium's option `labels`)",
          },
        ]);
      }
      this.#byLabels.set(key, next.value);
      this.#taken.add(next.value);
    }
    return unnumbered.length;
  }

  *#freeNumbers(): Generator<number, undefined> {
    for (let number = FIRST_DERIVED; number <= LAST_CLUSTER_LOCAL; number++) if (!this.#taken.has(number)) yield number;
    for (let number = FIRST_DERIVED - 1; number >= FIRST_CLUSTER_LOCAL; number--) if (!this.#taken.has(number)) yield number;
    return undefined;
  }
}
