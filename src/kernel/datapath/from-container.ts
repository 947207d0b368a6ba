// cil_from_container (bpf_lxc.c): what a pod sends. Source check, conntrack, destination identity, then local delivery,
// tunnel or route. The egress gateway is not decided here but at the device (to-netdev), as 1.19 does.
import { ld16be, ld32, ld8, st32 } from "../mem.ts";
import {
  C_FLAGS, CF_FROM_TUNNEL, EP_ADDRESS, EP_FLAGS, EP_IDENTITY, EP_IFINDEX, EP_NODE_MAC, EPF_AT_HOST_NS, EPF_HOST, IPC_HAS_TUNNEL, IPC_SKIP_TUNNEL, N_FLAGS,
  N_WORLD, NF_FRAGMENTS, NF_HOST_ROUTING, NF_IPV6, NF_SIP_CHECK, NF_TUNNEL_MODE, P_CT_ENTRY, P_CT_STATUS, P_ENDPOINT, P_FIB_IFINDEX,
  P_FIB_NEXTHOP, P_FRAME, P_INFO_FLAGS, P_INFO_TUNNEL, P_LEN, P_NODE, P_PORTS, P_RELATED, P_TO, TO_NONE, TUPLE_OUT,
} from "../layout.ts";
import { P_SELF_IFINDEX, P_SELF_MAC } from "../layout6.ts";
import { EP_POLICY } from "../layout-policy.ts";
import { N_SERVICES, P_LOOPBACK, P_REV_NAT, P_SERVICE } from "../layout-services.ts";
import {
  ETH_LEN, ETH_TYPE, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_DST, IP_PROTO, IP_SRC, ipv4DecTtl, ipv4Header, isFragment, l4Offset, PROTO_ICMP,
} from "../wire/ipv4.ts";
import {
  CT_ESTABLISHED, CT_NEW, DROP_ENCAP_PROHIBITED, DROP_FRAG_NOSUPPORT, DROP_INVALID, DROP_INVALID_SIP, DROP_NO_FIB, DROP_UNKNOWN_L3,
  DROP_UNSUPPORTED_L2, MARK_IDENTITY, VERDICT_OK,
} from "../verdict.ts";
import { answerArp } from "./arp.ts";
import { ctCreate, ctLookupBoth, ctMarkProxied, DIR_EGRESS } from "./conntrack.ts";
import { answersDenied, denyResponse } from "./deny-response.ts";
import { fromContainer6 } from "./from-container6.ts";
import { localDelivery } from "./local-delivery.ts";
import { endpointFind, FIB_LOCAL, FIB_OK, fibFind, ipcacheFind } from "./lookups.ts";
import { isOwnTunnel, policyEgress } from "./policy.ts";
import { policyPort } from "./policy-port.ts";
import { swapPorts } from "./ports.ts";
import { toProxy } from "./proxy.ts";
import { redirectNeigh, redirectTunnel, setIdentityMark } from "./redirect.ts";
import { SERVICE_DONE, translateService } from "./service.ts";
import { answersItself, connectionState, opensConnection } from "./service-state.ts";

/** Smallest EtherType that is one; below, the field is an IEEE 802.3 length. */
const ETHERTYPE_MIN: i32 = 0x0600;

/** VERDICT_OK: to the node's stack. VERDICT_REDIRECT: see P_TO. Or a drop. P_ENDPOINT names the pod. */
export function fromContainer(pkt: i32): i32 {
  st32(pkt + P_TO, TO_NONE);
  st32(pkt + P_SERVICE, 0);
  st32(pkt + P_REV_NAT, 0);
  st32(pkt + P_LOOPBACK, 0);
  if (ld32(pkt + P_LEN) < ETH_LEN) return DROP_UNSUPPORTED_L2;
  const type: i32 = ld16be(ld32(pkt + P_FRAME) + ETH_TYPE);
  if (type < ETHERTYPE_MIN) return DROP_UNSUPPORTED_L2;
  if (type !== ETHERTYPE_IPV4) {
    answerFromPod(pkt);
    if (type === ETHERTYPE_ARP) return answerArp(pkt);
    return type === ETHERTYPE_IPV6 && (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_IPV6) !== 0 ? fromContainer6(pkt) : DROP_UNKNOWN_L3;
  }
  const ip: i32 = ipv4Header(pkt);
  if (ip === 0) return DROP_INVALID;
  const flags: i32 = ld32(ld32(pkt + P_NODE) + N_FLAGS), endpoint: i32 = ld32(pkt + P_ENDPOINT);
  if ((flags & NF_FRAGMENTS) === 0 && isFragment(ip)) return DROP_FRAG_NOSUPPORT;
  if ((flags & NF_SIP_CHECK) !== 0 && ld32(ip + IP_SRC) !== ld32(endpoint + EP_ADDRESS)) return DROP_INVALID_SIP;

  const l4: i32 = l4Offset(ip);
  if (ld32(ld32(pkt + P_NODE) + N_SERVICES) !== 0) {
    answerFromPod(pkt);
    const translated: i32 = translateService(pkt, ip, l4);
    if (translated !== SERVICE_DONE) return translated;
  }
  const status: i32 = ctLookupBoth(pkt, ip, l4, DIR_EGRESS);
  if (status < 0) return status;
  st32(pkt + P_CT_STATUS, status);
  const known: i32 = status === CT_NEW ? 0 : ld32(ld32(pkt + P_CT_ENTRY) + C_FLAGS);

  let proxy: i32 = 0;
  // A pod that reaches itself needs no policy's leave.
  if ((status === CT_NEW || status === CT_ESTABLISHED) && ld32(pkt + P_LOOPBACK) === 0) {
    proxy = applyPolicy(pkt, ip, l4, status, endpoint);
    if (proxy < 0) return answersDenied(pkt, proxy) ? denyResponse(pkt, ip) : proxy;
  }
  if (opensConnection(pkt, status, proxy)) {
    const proto: i32 = ld8(ip + IP_PROTO), ports: i32 = swapPorts(ld32(pkt + P_PORTS)), saddr: i32 = ld32(ip + IP_SRC), daddr: i32 = ld32(ip + IP_DST);
    const tuple: i32 = TUPLE_OUT | ld32(pkt + P_RELATED);
    const error: i32 = ctCreate(pkt, proto, tuple, saddr, daddr, ports, DIR_EGRESS, ld32(endpoint + EP_IDENTITY), connectionState(pkt), true);
    if (error < 0) return error;
    if (proxy !== 0) ctMarkProxied(pkt, proto, tuple, saddr, daddr, ports);
  }
  return proxy !== 0 ? toProxy(pkt, proxy) : forwardToDestination(pkt, ip, flags, endpoint, status, known);
}

/** MAC and device of answers that the pod's own program gives. */
function answerFromPod(pkt: i32): void {
  st32(pkt + P_SELF_MAC, ld32(pkt + P_ENDPOINT) + EP_NODE_MAC);
  st32(pkt + P_SELF_IFINDEX, ld32(ld32(pkt + P_ENDPOINT) + EP_IFINDEX));
}

/** policy_can_egress4: 0, the proxy's port, or a drop. A pod without enforced policy is asked only for what is refused whatever
 * the rules say: tunnel traffic of its own making, a cut ICMP header. */
function applyPolicy(pkt: i32, ip: i32, l4: i32, status: i32, endpoint: i32): i32 {
  const proto: i32 = ld8(ip + IP_PROTO);
  if (ld32(endpoint + EP_POLICY) === 0) {
    if (isOwnTunnel(pkt, proto)) return DROP_ENCAP_PROHIBITED;
    return proto === PROTO_ICMP && policyPort(pkt, proto, l4) < 0 ? DROP_INVALID : 0;
  }
  const found: boolean = ipcacheFind(pkt, ld32(ip + IP_DST));
  return policyEgress(pkt, proto, policyPort(pkt, proto, l4), status, found, ld32(ld32(pkt + P_NODE) + N_WORLD));
}

/** ipv4_forward_to_destination; `known` are the CF_… bits of a connection that was known before. */
function forwardToDestination(pkt: i32, ip: i32, flags: i32, endpoint: i32, status: i32, known: i32): i32 {
  const identity: i32 = ld32(endpoint + EP_IDENTITY), daddr: i32 = ld32(ip + IP_DST);
  setIdentityMark(pkt, identity, MARK_IDENTITY);
  const local: i32 = endpointFind(pkt, answersItself(pkt, status, known) ? ld32(ip + IP_SRC) : daddr);
  if (local !== 0) {
    if ((ld32(local + EP_FLAGS) & (EPF_HOST | EPF_AT_HOST_NS)) !== 0) return VERDICT_OK;
    return localDelivery(pkt, ip, local, identity, false);
  }
  if ((flags & NF_TUNNEL_MODE) !== 0 && ipcacheFind(pkt, daddr)) {
    const info: i32 = ld32(pkt + P_INFO_FLAGS);
    if (((known & CF_FROM_TUNNEL) !== 0 || (info & IPC_SKIP_TUNNEL) === 0) && (info & IPC_HAS_TUNNEL) !== 0) return redirectTunnel(pkt, ld32(pkt + P_INFO_TUNNEL), identity);
  }
  if ((flags & NF_HOST_ROUTING) === 0) return VERDICT_OK;
  const route: i32 = fibFind(pkt, ld32(ip + IP_SRC), daddr);
  if (route === FIB_LOCAL) return VERDICT_OK;
  if (route !== FIB_OK) return DROP_NO_FIB;
  const expired: i32 = ipv4DecTtl(ip);
  if (expired < 0) return expired;
  return redirectNeigh(pkt, ld32(pkt + P_FIB_IFINDEX), ld32(pkt + P_FIB_NEXTHOP));
}
