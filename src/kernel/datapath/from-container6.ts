// The IPv6 part of cil_from_container (bpf_lxc.c): neighbour discovery, source check, conntrack, then local delivery, tunnel
// or route.
import { ld32, ld8, st32 } from "../mem.ts";
import {
  C_FLAGS, CF_FROM_TUNNEL, EP_FLAGS, EP_IDENTITY, EPF_AT_HOST_NS, EPF_HOST, IPC_HAS_TUNNEL, IPC_SKIP_TUNNEL, N_FLAGS, NF_FRAGMENTS6,
  NF_HOST_ROUTING, NF_SIP_CHECK, NF_TUNNEL_MODE, P_CT_ENTRY, P_CT_STATUS, P_ENDPOINT, P_FIB_IFINDEX, P_INFO_FLAGS, P_INFO_TUNNEL, P_NODE, P_PORTS,
  P_RELATED, TUPLE_OUT,
} from "../layout.ts";
import { EP_ADDRESS6, P_FIB_NEXTHOP6 } from "../layout6.ts";
import { EP_POLICY } from "../layout-policy.ts";
import { N_SERVICES6, P_LOOPBACK } from "../layout-services.ts";
import {
  CT_ESTABLISHED, CT_NEW, DROP_ENCAP_PROHIBITED, DROP_FRAG_NOSUPPORT, DROP_INVALID, DROP_INVALID_SIP, MARK_IDENTITY, VERDICT_OK,
} from "../verdict.ts";
import { sameAddress6 } from "../wire/address6.ts";
import { ICMP6_SOLICITATION } from "../wire/icmp6.ts";
import { ETH_LEN } from "../wire/ipv4.ts";
import { IP6_DST, IP6_HEADER, IP6_SRC, ipv6Header, ipv6IsFragment } from "../wire/ipv6.ts";
import { answerSolicitation, isNeighbourDiscovery, nextHop6 } from "./answer6.ts";
import { DIR_EGRESS } from "./conntrack.ts";
import { ctCreate6, ctLookupBoth6, ctMarkProxied6 } from "./conntrack6.ts";
import { checkTupleBuffer, localDelivery6 } from "./local-delivery6.ts";
import { FIB_OK } from "./lookups.ts";
import { endpointFind6, fibFind6, ipcacheFind6 } from "./lookups6.ts";
import { isOwnTunnel, policyEgress, world6 } from "./policy.ts";
import { policyPort6 } from "./policy-port.ts";
import { swapPorts } from "./ports.ts";
import { proto6, walkHeaders6 } from "./ports6.ts";
import { toProxy } from "./proxy.ts";
import { redirectTunnel, setIdentityMark } from "./redirect.ts";
import { redirectNeigh6 } from "./redirect6.ts";
import { SERVICE_DONE, translateService6 } from "./service.ts";
import { answersItself, connectionState, opensConnection } from "./service-state.ts";

/** As fromContainer, for a frame whose EtherType is IPv6. */
export function fromContainer6(pkt: i32): i32 {
  const ip: i32 = ipv6Header(pkt);
  if (ip === 0) return DROP_INVALID;
  const flags: i32 = ld32(ld32(pkt + P_NODE) + N_FLAGS), endpoint: i32 = ld32(pkt + P_ENDPOINT);
  if ((flags & NF_FRAGMENTS6) === 0) {
    const fragment: i32 = ipv6IsFragment(pkt, ETH_LEN);
    if (fragment !== 0) return fragment < 0 ? fragment : DROP_FRAG_NOSUPPORT;
  }
  if (isNeighbourDiscovery(pkt, ip)) return ld8(ip + IP6_HEADER) === ICMP6_SOLICITATION ? answerSolicitation(pkt, true) : VERDICT_OK;
  if ((flags & NF_SIP_CHECK) !== 0 && !sameAddress6(ip + IP6_SRC, endpoint + EP_ADDRESS6)) return DROP_INVALID_SIP;

  const cut: i32 = walkHeaders6(pkt);
  if (cut < 0) return cut;
  if (ld32(ld32(pkt + P_NODE) + N_SERVICES6) !== 0) {
    const translated: i32 = translateService6(pkt, ip);
    if (translated !== SERVICE_DONE) return translated;
  }
  const status: i32 = ctLookupBoth6(pkt, ip, DIR_EGRESS);
  if (status < 0) return status;
  st32(pkt + P_CT_STATUS, status);
  const known: i32 = status === CT_NEW ? 0 : ld32(ld32(pkt + P_CT_ENTRY) + C_FLAGS);
  const lost: i32 = checkTupleBuffer(pkt, ip, status);
  if (lost < 0) return lost;
  let proxy: i32 = 0;
  // A pod that reaches itself needs no policy's leave.
  if ((status === CT_NEW || status === CT_ESTABLISHED) && ld32(pkt + P_LOOPBACK) === 0) {
    proxy = applyPolicy6(pkt, ip, status, endpoint);
    if (proxy < 0) return proxy;
  }
  if (opensConnection(pkt, status, proxy)) {
    const tuple: i32 = TUPLE_OUT | ld32(pkt + P_RELATED), ports: i32 = swapPorts(ld32(pkt + P_PORTS));
    const error: i32 = ctCreate6(pkt, tuple, ip + IP6_SRC, ip + IP6_DST, ports, DIR_EGRESS, ld32(endpoint + EP_IDENTITY), connectionState(pkt), true);
    if (error < 0) return error;
    if (proxy !== 0) ctMarkProxied6(pkt, tuple, ip + IP6_SRC, ip + IP6_DST, ports);
  }
  return proxy !== 0 ? toProxy(pkt, proxy) : forwardToDestination6(pkt, ip, flags, endpoint, status, known);
}

/** policy_can_egress6: 0, the proxy's port, or a drop. */
function applyPolicy6(pkt: i32, ip: i32, status: i32, endpoint: i32): i32 {
  const proto: i32 = proto6(pkt);
  if (ld32(endpoint + EP_POLICY) === 0) return isOwnTunnel(pkt, proto) ? DROP_ENCAP_PROHIBITED : 0;
  const found: boolean = ipcacheFind6(pkt, ip + IP6_DST);
  return policyEgress(pkt, proto, policyPort6(pkt, proto), status, found, world6(pkt));
}

/** ipv6_forward_to_destination. */
function forwardToDestination6(pkt: i32, ip: i32, flags: i32, endpoint: i32, status: i32, known: i32): i32 {
  const identity: i32 = ld32(endpoint + EP_IDENTITY);
  setIdentityMark(pkt, identity, MARK_IDENTITY);
  const local: i32 = endpointFind6(pkt, ip + (answersItself(pkt, status, known) ? IP6_SRC : IP6_DST));
  if (local !== 0) {
    if ((ld32(local + EP_FLAGS) & (EPF_HOST | EPF_AT_HOST_NS)) !== 0) return VERDICT_OK;
    return localDelivery6(pkt, ip, local, identity, false);
  }
  if ((flags & NF_TUNNEL_MODE) !== 0 && ipcacheFind6(pkt, ip + IP6_DST)) {
    const info: i32 = ld32(pkt + P_INFO_FLAGS);
    if (((known & CF_FROM_TUNNEL) !== 0 || (info & IPC_SKIP_TUNNEL) === 0) && (info & IPC_HAS_TUNNEL) !== 0) return redirectTunnel(pkt, ld32(pkt + P_INFO_TUNNEL), identity);
  }
  if ((flags & NF_HOST_ROUTING) === 0) return VERDICT_OK;
  if (fibFind6(pkt, ip + IP6_SRC, ip + IP6_DST) !== FIB_OK) return VERDICT_OK;
  const expired: i32 = nextHop6(pkt, ip);
  if (expired !== VERDICT_OK) return expired;
  return redirectNeigh6(pkt, ld32(pkt + P_FIB_IFINDEX), pkt + P_FIB_NEXTHOP6);
}
