// Network policy of a pod (bpf/lib/policy.h): two longest-prefix look-ups, one with the other end's identity and one for any
// identity, and precedence between them. Asked for new and established connections, never for replies.
import { ld32, ltu, st32 } from "../mem.ts";
import { EP_IDENTITY, N_FLAGS, N_TUNNEL_PORT, NF_DUAL_STACK, P_ENDPOINT, P_INFO_IDENTITY, P_INFO_TUNNEL, P_NODE, P_NOW, P_PORTS, PS_TABLE } from "../layout.ts";
import {
  AU_EXPIRES, AU_LOCAL, AU_NODE, AU_REMOTE, AU_SIZE, AU_TYPE, EP_POLICY, MATCH_ALL, MATCH_L3_L4, MATCH_L3_ONLY, MATCH_L3_PROTO, MATCH_L4_ONLY, MATCH_NONE,
  MATCH_PROTO_ONLY, N_AUTH, N_AUTH_COUNT, N_NODE_IDS, N_POLICY_FLAGS, NI_ID, NPF_AUDIT, P_PV_AUTH, P_PV_ENTRY, P_PV_FLAGS, P_PV_MATCH, P_PV_REMOTE,
  P_PV_VERDICT, PE_AUTH, PE_FLAGS, PE_POLICY, PE_PRECEDENCE, PE_PREFIX, PE_PROXY, PEF_DENY, PEF_EXPLICIT_AUTH, PM_EGRESS, PM_INGRESS, PM_POLICY,
  PRECEDENCE_MAX, PV_AUDITED,
  PV_INGRESS, PV_SENT, PV_WILDCARD,
} from "../layout-policy.ts";
import { intervalFind, staticFind } from "../table/static.ts";
import {
  CT_ESTABLISHED, DROP_AUTH_REQUIRED, DROP_ENCAP_PROHIBITED, DROP_NO_NODE_ID, DROP_POLICY, DROP_POLICY_DENY, ID_WORLD, ID_WORLD_IPV6,
} from "../verdict.ts";
import { sketchChange } from "./sketch.ts";
import { PROTO_UDP } from "../wire/ipv4.ts";

/** In the place of a port: what policy lets pass unasked (ICMP fragmentation needed). */
export const PORT_UNASKED: i32 = 0x10000;
/** Bits of a key that name the protocol. */
const PROTO_PREFIX: i32 = 8;

/** World as the ipcache-less fallback of IPv6 has it. */
export function world6(pkt: i32): i32 { return (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_DUAL_STACK) !== 0 ? ID_WORLD_IPV6 : ID_WORLD; }

/** Entry of the longest protocol and port prefix for one identity, 0 for none. */
function policyEntry(identities: i32, identity: i32, key: i32): i32 {
  const slot: i32 = staticFind(identities, identity);
  return slot === 0 ? 0 : intervalFind(ld32(slot + PS_TABLE), key);
}

/** Does the entry for any identity win over the one for the identity? (__policy_can_access) */
function wildcardWins(wildcard: i32, own: i32): boolean {
  if (wildcard === 0) return false;
  if (own === 0) return true;
  const a: i32 = ld32(wildcard + PE_PRECEDENCE), b: i32 = ld32(own + PE_PRECEDENCE);
  return a === b ? ld32(wildcard + PE_PREFIX) > ld32(own + PE_PREFIX) : ltu(b, a);
}

function matchOf(prefix: i32, wildcard: boolean): i32 {
  if (prefix > PROTO_PREFIX) return wildcard ? MATCH_L4_ONLY : MATCH_L3_L4;
  if (prefix > 0) return wildcard ? MATCH_PROTO_ONLY : MATCH_L3_PROTO;
  return wildcard ? MATCH_ALL : MATCH_L3_ONLY;
}

/** __policy_can_access: 0, the proxy's port (raw), or drop 133, 181, 189. `port` is in host order, PORT_UNASKED, or minus a
 * drop number. Entry, match and authentication are left in P_PV_…. */
function policyCheck(pkt: i32, identities: i32, remote: i32, proto: i32, port: i32): i32 {
  if (port < 0) return port;
  if (port === PORT_UNASKED) return 0;
  const key: i32 = (proto << 24) | (port << 8);
  const own: i32 = policyEntry(identities, remote, key);
  let entry: i32 = own, other: i32 = 0;
  if (own === 0 || ld32(own + PE_PRECEDENCE) !== PRECEDENCE_MAX) {
    other = policyEntry(identities, 0, key);
    if (wildcardWins(other, own)) {
      entry = other;
      other = own;
      st32(pkt + P_PV_FLAGS, ld32(pkt + P_PV_FLAGS) | PV_WILDCARD);
    }
  }
  if (entry === 0) return DROP_POLICY;
  st32(pkt + P_PV_ENTRY, entry);
  st32(pkt + P_PV_MATCH, matchOf(ld32(entry + PE_PREFIX), (ld32(pkt + P_PV_FLAGS) & PV_WILDCARD) !== 0));
  const flags: i32 = ld32(entry + PE_FLAGS);
  if ((flags & PEF_DENY) !== 0) return DROP_POLICY_DENY;
  let auth: i32 = ld32(entry + PE_AUTH);
  // An entry that names no authentication of its own takes over that of the other one of the same precedence.
  if (
    other !== 0 && (flags & PEF_EXPLICIT_AUTH) === 0 && ld32(other + PE_AUTH) > auth && ld32(other + PE_PRECEDENCE) === ld32(entry + PE_PRECEDENCE)
  ) auth = ld32(other + PE_AUTH);
  if (auth !== 0) {
    st32(pkt + P_PV_AUTH, auth);
    return DROP_AUTH_REQUIRED;
  }
  return ld32(entry + PE_PROXY);
}

/** auth_lookup: 0 where the two ends are known to have authenticated, else drop 189, or 197 for a node without id. */
function authenticated(pkt: i32, remote: i32, tunnel: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE), local: i32 = ld32(ld32(pkt + P_ENDPOINT) + EP_IDENTITY), type: i32 = ld32(pkt + P_PV_AUTH);
  let id: i32 = 0;
  if (tunnel !== 0) {
    const known: i32 = staticFind(ld32(node + N_NODE_IDS), tunnel);
    if (known === 0) return DROP_NO_NODE_ID;
    id = ld32(known + NI_ID);
  }
  const count: i32 = ld32(node + N_AUTH_COUNT);
  let pair: i32 = ld32(node + N_AUTH);
  for (let k: i32 = 0; k < count; k++) {
    if (ld32(pair + AU_LOCAL) === local && ld32(pair + AU_REMOTE) === remote && ld32(pair + AU_NODE) === id && ld32(pair + AU_TYPE) === type)
      return ltu(ld32(pkt + P_NOW), ld32(pair + AU_EXPIRES)) ? 0 : DROP_AUTH_REQUIRED;
    pair = pair + AU_SIZE;
  }
  return DROP_AUTH_REQUIRED;
}

function begin(pkt: i32, remote: i32, flags: i32): void {
  st32(pkt + P_PV_FLAGS, flags);
  st32(pkt + P_PV_REMOTE, remote);
  st32(pkt + P_PV_MATCH, MATCH_NONE);
  st32(pkt + P_PV_AUTH, 0);
  st32(pkt + P_PV_ENTRY, 0);
}

/** policy_can_egress for the pod of P_ENDPOINT and a packet whose ports and conntrack status are known: 0, the proxy's port
 * (raw), or drop 133, 134, 170, 181, 189, 197. `found`: the ipcache look-up of the destination, in P_INFO_…, found one;
 * `world` is the identity without it. `port` as the map knows it (policyPort). */
export function policyEgress(pkt: i32, proto: i32, port: i32, status: i32, found: boolean, world: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE), endpoint: i32 = ld32(pkt + P_ENDPOINT), remote: i32 = found ? ld32(pkt + P_INFO_IDENTITY) : world;
  begin(pkt, remote, 0);
  let verdict: i32 = 0;
  if (isOwnTunnel(pkt, proto)) verdict = DROP_ENCAP_PROHIBITED;
  else {
    verdict = policyCheck(pkt, ld32(ld32(endpoint + EP_POLICY) + PM_EGRESS), remote, proto, port);
    if (verdict < 0 && (ld32(node + N_POLICY_FLAGS) & NPF_AUDIT) !== 0) {
      st32(pkt + P_PV_FLAGS, ld32(pkt + P_PV_FLAGS) | PV_AUDITED);
      st32(pkt + P_PV_AUTH, 0);
      verdict = 0;
    } else if (verdict === DROP_AUTH_REQUIRED) {
      // Authentication ends with time: the flow's next packet may be refused.
      sketchChange(pkt);
      verdict = authenticated(pkt, remote, found ? ld32(pkt + P_INFO_TUNNEL) : 0);
    }
  }
  st32(pkt + P_PV_VERDICT, verdict);
  if (verdict < 0 || status !== CT_ESTABLISHED) st32(pkt + P_PV_FLAGS, ld32(pkt + P_PV_FLAGS) | PV_SENT);
  return verdict;
}

/** Does the packet look like tunnel traffic of the pod's own making? Refused whatever the rules say. */
export function isOwnTunnel(pkt: i32, proto: i32): boolean {
  return proto === PROTO_UDP && ld32(pkt + P_PORTS) >>> 16 === ld32(ld32(pkt + P_NODE) + N_TUNNEL_PORT);
}

/** Index of the network policy behind a drop with this number, -1 where none is: that of the entry that decided, or the first
 * that selects the pod where no entry matched. */
export function deniedBy(pkt: i32, code: i32): i32 {
  if (code === 0 || ld32(pkt + P_PV_VERDICT) !== -code) return -1;
  const entry: i32 = ld32(pkt + P_PV_ENTRY);
  return entry !== 0 ? ld32(entry + PE_POLICY) : ld32(ld32(ld32(pkt + P_ENDPOINT) + EP_POLICY) + PM_POLICY);
}

/** policy_can_ingress for the pod that a packet is delivered to: 0, the proxy's port (raw), or drop 133, 134, 181, 189. */
export function policyIngress(pkt: i32, endpoint: i32, remote: i32, proto: i32, port: i32): i32 {
  st32(pkt + P_ENDPOINT, endpoint);
  begin(pkt, remote, PV_INGRESS | PV_SENT);
  let verdict: i32 = policyCheck(pkt, ld32(ld32(endpoint + EP_POLICY) + PM_INGRESS), remote, proto, port);
  if (verdict < 0 && (ld32(ld32(pkt + P_NODE) + N_POLICY_FLAGS) & NPF_AUDIT) !== 0) verdict = 0;
  st32(pkt + P_PV_VERDICT, verdict);
  return verdict;
}
