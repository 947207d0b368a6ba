// The egress gateway's questions at each hook, for IPv6 (bpf/lib/egress_gateway.h). The gateway is named by its IPv4
// address: the underlay is IPv4.
import { ld32 } from "../mem.ts";
import { EP_IDENTITY, IPC_HAS_TUNNEL, P_FIB_IFINDEX, P_IFINDEX, P_INFO_FLAGS, P_INFO_IDENTITY } from "../layout.ts";
import { P_FIB_NEXTHOP6, P_SNAT_ADDR6, P_SNAT_IFINDEX } from "../layout6.ts";
import { DROP_CT_UNKNOWN_PROTO, DROP_INVALID, DROP_NO_FIB, ID_HOST, VERDICT_OK } from "../verdict.ts";
import { IP6_DST, IP6_SRC, ipv6Header } from "../wire/ipv6.ts";
import { ctIsReply6 } from "./conntrack6.ts";
import { FIB_OK, identityInCluster, namesGateway } from "./lookups.ts";
import { egressPolicyFind6, endpointFind6, fibFind6, ipcacheFind6, loadEgress6 } from "./lookups6.ts";
import { ctExtractPorts6, walkHeaders6 } from "./ports6.ts";
import { redirectDevice, redirectNeigh6 } from "./redirect6.ts";
import { toGateway } from "./egress-gateway.ts";

/** egress_gw_handle_request, on the source node's device: VERDICT_OK when the packet goes its ordinary way (also when this
 * node is the gateway), VERDICT_REDIRECT into the tunnel to the gateway, drop 194 without one, or a parse drop. */
export function egressGatewayRequest6(pkt: i32, identity: i32): i32 {
  if (identity === ID_HOST) return VERDICT_OK;
  const ip: i32 = ipv6Header(pkt);
  if (ip === 0) return DROP_INVALID;
  const cut: i32 = walkHeaders6(pkt);
  if (cut < 0) return cut;
  const error: i32 = ctExtractPorts6(pkt, ip);
  if (error < 0) return error === DROP_CT_UNKNOWN_PROTO ? VERDICT_OK : error;
  if (ctIsReply6(pkt, ip)) return VERDICT_OK;
  const source: i32 = endpointFind6(pkt, ip + IP6_SRC);
  const sourceIdentity: i32 = source !== 0 ? ld32(source + EP_IDENTITY) : identity;
  ipcacheFind6(pkt, ip + IP6_DST);
  if (identityInCluster(pkt, ld32(pkt + P_INFO_IDENTITY))) return VERDICT_OK;
  const record: i32 = egressPolicyFind6(pkt, ip + IP6_SRC, ip + IP6_DST);
  return toGateway(pkt, record, sourceIdentity);
}

/** egress_gw_snat_needed_hook_v6: does a policy with a gateway match traffic that leaves the cluster? Egress IP (all zero:
 * none configured here) and device in P_SNAT_ADDR6 and P_SNAT_IFINDEX. */
export function egressGatewaySnatNeeded6(pkt: i32, ip: i32): boolean {
  if (ipcacheFind6(pkt, ip + IP6_DST) && identityInCluster(pkt, ld32(pkt + P_INFO_IDENTITY))) return false;
  const record: i32 = egressPolicyFind6(pkt, ip + IP6_SRC, ip + IP6_DST);
  if (!namesGateway(record)) return false;
  loadEgress6(pkt, record);
  return true;
}

/** egress_gw_reply_needs_redirect_hook_v6: must a translated reply be tunnelled to the pod's node? Its address in
 * P_INFO_TUNNEL. */
export function egressGatewayReplyNeedsRedirect6(pkt: i32, ip: i32): boolean {
  if (!namesGateway(egressPolicyFind6(pkt, ip + IP6_DST, ip + IP6_SRC))) return false;
  return ipcacheFind6(pkt, ip + IP6_DST) && (ld32(pkt + P_INFO_FLAGS) & IPC_HAS_TUNNEL) !== 0;
}

/** egress_gw_fib_lookup_and_redirect_v6 for the target in P_SNAT_…. On a device (`onDevice`) a policy's own egress device
 * needs no route, and a route by the device the packet is on means VERDICT_OK; in from-overlay the route is always asked
 * for, but the policy's device wins over its. Drop 169 without a route. */
export function egressGatewayRoute6(pkt: i32, ip: i32, onDevice: boolean): i32 {
  const wanted: i32 = ld32(pkt + P_SNAT_IFINDEX);
  if (onDevice && wanted !== 0) return redirectDevice(pkt, wanted);
  if (fibFind6(pkt, pkt + P_SNAT_ADDR6, ip + IP6_DST) !== FIB_OK) return DROP_NO_FIB;
  const ifindex: i32 = wanted !== 0 ? wanted : ld32(pkt + P_FIB_IFINDEX);
  if (onDevice && ifindex === ld32(pkt + P_IFINDEX)) return VERDICT_OK;
  return redirectNeigh6(pkt, ifindex, pkt + P_FIB_NEXTHOP6);
}
