// One rule of a policy to the entries that it makes in the map of every pod it is for (pkg/policy/rule.go, mergeEgress).
import type { IpPrefix } from "../../cluster/cidr.ts";
import type { CidrGroup, CidrPeer, EgressRule, NetworkPolicy, PolicyPorts } from "../../cluster/network-policy.ts";
import { selectorMatches } from "../../cluster/selector.ts";
import type { CidrIdentities } from "./cidr-identities.ts";
import { peerSelector } from "./identity-selectors.ts";
import { EVERYONE, type KnownIdentities } from "./known-identities.ts";
import type { Contribution } from "./map-state.ts";
import type { PolicyPort } from "./policy-map.ts";
import { ANY_PORT, icmpKeys, portKeys, type PortKey } from "./port-keys.ts";
import { listenerPriority, precedenceOf } from "./precedence.ts";

/** The agent draws the ports of its proxies from 10000 to 20000 (pkg/proxy); which one is of no consequence here. */
const FIRST_PROXY_PORT = 10_000;
const AUTH_TYPES = { disabled: 0, required: 1, "test-always-fail": 2 } as const;

export interface RuleContext {
  readonly identities: KnownIdentities;
  readonly cidrs: CidrIdentities;
  readonly groups: readonly CidrGroup[];
}

/** Prefixes of a peer, those of a group it names included. */
export function cidrsOf(peer: CidrPeer, groups: readonly CidrGroup[]): readonly IpPrefix[] {
  const { groupName, groupSelector } = peer;
  if (groupName === null && groupSelector === null) return peer.cidrs;
  return groups.filter((group) => group.name === groupName || (groupSelector !== null && selectorMatches(groupSelector, group.labels))).flatMap(({ cidrs }) => cidrs);
}

/** Identities that a rule names, each once; 0 alone for any. */
export function peerIdentities(policy: NetworkPolicy, rule: EgressRule, { identities, cidrs, groups }: RuleContext): readonly number[] {
  const named = [
    ...rule.endpoints.flatMap((peer) => identities.selected(peerSelector(policy, peer))),
    ...rule.cidrs.flatMap((peer) => cidrsOf(peer, groups).flatMap((prefix) => cidrs.inside(prefix, peer.except))),
    ...rule.entities.flatMap((entity) => identities.entity(entity)),
  ];
  if (named.includes(0)) return EVERYONE;
  if (named.length > 0 || rule.peerFields.length > 0 || rule.peersEmpty || rule.unknownPeers.length > 0) return [...new Set(named)];
  return rule.everywhere || rule.toPorts.length > 0 || rule.icmps.length > 0 ? EVERYONE : [];
}

export function ruleEntries(policy: NetworkPolicy, rule: EgressRule, index: number, context: RuleContext): Contribution {
  const identities = peerIdentities(policy, rule, context), auth = rule.authentication;
  const ports = portsOf(rule).flatMap(({ keys, proxy }) => {
    const verdict = rule.deny ? "deny" : proxy === null ? "allow" : { listenerPriority: listenerPriority(proxy.parser, proxy.listenerPriority) };
    const common = {
      deny: rule.deny, precedence: precedenceOf(verdict), authType: auth === null ? 0 : AUTH_TYPES[auth], authExplicit: auth !== null,
      proxyPort: proxy === null ? 0 : FIRST_PROXY_PORT, cookie: 0, rule: index,
    };
    return keys.map((key): PolicyPort => ({ ...common, ...key }));
  });
  return { identities, ports };
}

function portsOf(rule: EgressRule): readonly { readonly keys: readonly PortKey[]; readonly proxy: PolicyPorts["proxy"] }[] {
  if (rule.icmps.length > 0) return [{ keys: icmpKeys(rule.icmps), proxy: null }];
  if (rule.toPorts.length === 0) return [{ keys: [ANY_PORT], proxy: null }];
  return rule.toPorts.map(({ ports, proxy }) => ({ keys: portKeys(ports), proxy }));
}
