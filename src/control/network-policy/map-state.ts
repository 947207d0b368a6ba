// The entries of one pod's map, merged and pruned as the agent does (pkg/policy/mapstate.go).
import { type EndpointPolicyMap, type PolicyMapEntry, type PolicyMapKey, PROTOCOL_PREFIX, policyKeyText, type PolicyDirection } from "./policy-map.ts";
import { precedenceOf } from "./precedence.ts";

export const ALLOW_ALL: Omit<PolicyMapEntry, "direction"> = {
  identity: 0, protocol: 0, port: 0, prefix: 0, deny: false, precedence: precedenceOf("allow"), authType: 0, authExplicit: false, proxyPort: 0, cookie: 0, rule: -1,
};
const DENY_ALL: Omit<PolicyMapEntry, "direction"> = { ...ALLOW_ALL, deny: true, precedence: precedenceOf("deny") };
const DIRECTIONS: readonly PolicyDirection[] = ["egress", "ingress"];

export class MapState {
  readonly #entries = new Map<string, PolicyMapEntry>();

  /** Of two entries with one key the higher precedence counts, then the lower proxy port, then the first. */
  add(entry: PolicyMapEntry): void {
    const key = policyKeyText(entry), known = this.#entries.get(key);
    if (known === undefined || entry.precedence > known.precedence) this.#entries.set(key, entry);
    else if (entry.precedence === known.precedence) this.#entries.set(key, mergeEqual(known, entry));
  }

  /** What is left when entries without effect are gone; a denial of everything where it does not fit into `limit`. */
  finish(limit: number): { readonly map: EndpointPolicyMap; readonly wanted: number } {
    const entries = [...this.#entries.values()].filter((entry) => !this.#isCovered(entry) && !this.#isElided(entry)).sort(byKey);
    if (entries.length <= limit) return { map: { entries, lockedDown: false }, wanted: entries.length };
    return { map: { entries: DIRECTIONS.map((direction) => ({ ...DENY_ALL, direction })), lockedDown: true }, wanted: entries.length };
  }

  /** Does a broader entry, of the same identity or of any, decide in its place anyway? */
  #isCovered(entry: PolicyMapEntry): boolean {
    for (const broader of this.#broader(entry)) {
      if (broader.precedence > entry.precedence || (entry.deny && broader.deny && broader.precedence === entry.precedence)) return true;
    }
    return false;
  }

  /** An identity's entry for a port that any identity has alike is not written. */
  #isElided(entry: PolicyMapEntry): boolean {
    if (entry.identity === 0 || entry.prefix <= PROTOCOL_PREFIX) return false;
    const any = this.#at({ ...entry, identity: 0 });
    return any !== undefined && any.precedence === entry.precedence && any.proxyPort === entry.proxyPort && any.authType === entry.authType;
  }

  *#broader(entry: PolicyMapEntry): Generator<PolicyMapEntry> {
    for (const identity of entry.identity === 0 ? [0] : [0, entry.identity]) {
      for (let prefix = entry.prefix; prefix >= 0; prefix = prefix > PROTOCOL_PREFIX ? prefix - 1 : prefix - PROTOCOL_PREFIX) {
        if (identity === entry.identity && prefix === entry.prefix) continue;
        const mask = prefix <= PROTOCOL_PREFIX ? 0 : (0xffff << (24 - prefix)) & 0xffff;
        const found = this.#at({ ...entry, identity, protocol: prefix === 0 ? 0 : entry.protocol, port: entry.port & mask, prefix });
        if (found !== undefined) yield found;
      }
    }
  }

  #at(key: PolicyMapKey): PolicyMapEntry | undefined {
    return this.#entries.get(policyKeyText(key));
  }
}

function mergeEqual(first: PolicyMapEntry, second: PolicyMapEntry): PolicyMapEntry {
  const lower = second.proxyPort < first.proxyPort ? second : first;
  if (second.authExplicit === first.authExplicit ? second.authType <= first.authType : first.authExplicit) return lower;
  return { ...lower, authType: second.authType, authExplicit: second.authExplicit };
}

function byKey(a: PolicyMapEntry, b: PolicyMapEntry): number {
  if (a.direction !== b.direction) return a.direction < b.direction ? -1 : 1;
  return a.identity - b.identity || a.protocol - b.protocol || a.port - b.port || a.prefix - b.prefix;
}
