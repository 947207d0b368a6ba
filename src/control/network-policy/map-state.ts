// The entries of one pod's map, merged and pruned as the agent does (pkg/policy/mapstate.go).
import { type EndpointPolicyMap, mapSize, type PolicyMapGroup, type PolicyPort, PORT_PREFIX, PROTOCOL_PREFIX } from "./policy-map.ts";
import { precedenceOf } from "./precedence.ts";

/** What one rule puts into a map: each of its ports for each of its identities (0 alone for any). */
export interface Contribution {
  readonly identities: readonly number[];
  readonly ports: readonly PolicyPort[];
}

export const ALLOW_ALL: PolicyPort = {
  protocol: 0, port: 0, prefix: 0, deny: false, precedence: precedenceOf("allow"), authType: 0, authExplicit: false, proxyPort: 0, cookie: 0, rule: -1,
};
const DENY_ALL: PolicyPort = { ...ALLOW_ALL, deny: true, precedence: precedenceOf("deny") };
const ANY: readonly number[] = [0];
/** What pods get is not restricted here. */
const INGRESS: PolicyMapGroup = { direction: "ingress", identities: ANY, ports: [ALLOW_ALL] };
/** The map of a pod that no policy selects. */
export const UNRESTRICTED: EndpointPolicyMap = { groups: [{ direction: "egress", identities: ANY, ports: [ALLOW_ALL] }, INGRESS], lockedDown: false };
const LOCKED_DOWN: readonly PolicyMapGroup[] = [
  { direction: "egress", identities: ANY, ports: [DENY_ALL] }, { direction: "ingress", identities: ANY, ports: [DENY_ALL] },
];

/** The map of a pod, without entries that have no effect; a denial of everything where it would not fit into `limit`. */
export function makePolicyMap(egress: readonly Contribution[], limit: number): { readonly map: EndpointPolicyMap; readonly wanted: number } {
  const everyone = new PortTable(egress.filter(({ identities }) => identities[0] === 0)), groups: PolicyMapGroup[] = [];
  const add = (identities: readonly number[], ports: readonly PolicyPort[]): void => {
    if (ports.length > 0) groups.push({ direction: "egress", identities, ports });
  };
  add(ANY, everyone.pruned(null));
  for (const { identities, contributions } of alike(egress.filter(({ identities: [first] }) => first !== 0)))
    add(identities, new PortTable(contributions).pruned(everyone));
  groups.push(INGRESS);
  const wanted = mapSize({ groups });
  return { map: wanted <= limit ? { groups, lockedDown: false } : { groups: LOCKED_DOWN, lockedDown: true }, wanted };
}

/** Identities that the same rules name, as groups. */
function alike(all: readonly Contribution[]): readonly { readonly identities: readonly number[]; readonly contributions: readonly Contribution[] }[] {
  // Classes are refined rule by rule: one number stands for "named by these rules so far".
  const classes: { readonly identities: number[]; readonly contributions: readonly Contribution[] }[] = [{ identities: [], contributions: [] }];
  const classOf = new Map<number, number>();
  for (const contribution of all) {
    const refined = new Map<number, number>();
    for (const identity of contribution.identities) {
      const before = classOf.get(identity) ?? 0;
      let after = refined.get(before);
      if (after === undefined) {
        after = classes.push({ identities: [], contributions: [...(classes[before]?.contributions ?? []), contribution] }) - 1;
        refined.set(before, after);
      }
      classOf.set(identity, after);
    }
  }
  for (const [identity, found] of classOf) classes[found]?.identities.push(identity);
  return classes.filter(({ identities }) => identities.length > 0);
}

/** The ports of one identity, one for each key. */
class PortTable {
  readonly #ports = new Map<number, PolicyPort>();

  /** Of two entries with one key the higher precedence counts, then the lower proxy port, then the first. */
  constructor(contributions: readonly Contribution[]) {
    for (const port of contributions.flatMap(({ ports }) => ports)) {
      const key = keyOf(port.protocol, port.port, port.prefix), known = this.#ports.get(key);
      if (known === undefined || port.precedence > known.precedence) this.#ports.set(key, port);
      else if (port.precedence === known.precedence) this.#ports.set(key, mergeEqual(known, port));
    }
  }

  at(protocol: number, port: number, prefix: number): PolicyPort | undefined {
    return this.#ports.get(keyOf(protocol, port, prefix));
  }

  /** What has an effect beside the ports of any identity (null: these are they). */
  pruned(everyone: PortTable | null): readonly PolicyPort[] {
    return [...this.#ports.values()].filter((port) => !this.#isCovered(port, everyone) && !isElided(port, everyone));
  }

  /** Does a broader entry, of the same identity or of any, decide in its place anyway? */
  #isCovered(port: PolicyPort, everyone: PortTable | null): boolean {
    for (let prefix = port.prefix; prefix >= 0; prefix = prefix > PROTOCOL_PREFIX ? prefix - 1 : prefix - PROTOCOL_PREFIX) {
      const mask = prefix <= PROTOCOL_PREFIX ? 0 : (0xffff << (PORT_PREFIX - prefix)) & 0xffff, protocol = prefix === 0 ? 0 : port.protocol;
      const own = prefix === port.prefix ? undefined : this.at(protocol, port.port & mask, prefix);
      if (covers(own, port) || covers(everyone?.at(protocol, port.port & mask, prefix), port)) return true;
    }
    return false;
  }
}

function covers(broader: PolicyPort | undefined, port: PolicyPort): boolean {
  if (broader === undefined) return false;
  return broader.precedence > port.precedence || (port.deny && broader.deny && broader.precedence === port.precedence);
}

/** An identity's entry for a port that any identity has alike is not written. */
function isElided(port: PolicyPort, everyone: PortTable | null): boolean {
  if (everyone === null || port.prefix <= PROTOCOL_PREFIX) return false;
  const any = everyone.at(port.protocol, port.port, port.prefix);
  return any !== undefined && any.precedence === port.precedence && any.proxyPort === port.proxyPort && any.authType === port.authType;
}

function mergeEqual(first: PolicyPort, second: PolicyPort): PolicyPort {
  const lower = second.proxyPort < first.proxyPort ? second : first;
  if (second.authExplicit === first.authExplicit ? second.authType <= first.authType : first.authExplicit) return lower;
  return { ...lower, authType: second.authType, authExplicit: second.authExplicit };
}

function keyOf(protocol: number, port: number, prefix: number): number { return (protocol * 65_536 + port) * 32 + prefix; }
