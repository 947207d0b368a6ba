// The egress gateway's questions at each hook (bpf/lib/egress_gateway.h).
import { ld16be, ld32, st32 } from "../mem.ts";
import {
  E_GATEWAY, EP_FLAGS, EP_IDENTITY, EPF_HOST, GATEWAY_EXCLUDED, GATEWAY_NONE, IPC_HAS_TUNNEL, P_FIB_IFINDEX, P_FIB_NEXTHOP, P_FRAME, P_IDENTITY,
  P_IFINDEX, P_INFO_FLAGS, P_INFO_IDENTITY, P_SNAT_ADDR,
} from "../layout.ts";
import { ETH_TYPE, ETHERTYPE_IPV4, IP_DST, IP_SRC, ipv4Header, l4Offset } from "../wire/ipv4.ts";
import { DROP_CT_UNKNOWN_PROTO, DROP_INVALID, DROP_NO_EGRESS_GATEWAY, DROP_NO_FIB, ID_HOST, VERDICT_OK } from "../verdict.ts";
import { ctIsReply } from "./conntrack.ts";
import { egressIpOf, egressPolicyFind, endpointFind, FIB_OK, fibFind, identityInCluster, ipcacheFind, namesGateway } from "./lookups.ts";
import { ctExtractPorts } from "./ports.ts";
import { redirectNeigh, redirectTunnel } from "./redirect.ts";

/** What a policy's value (0: no policy) does to a request: VERDICT_OK where it goes its ordinary way, VERDICT_REDIRECT into
 * the tunnel to the gateway, or drop 194. Gateways are IPv4 tunnel endpoints for both families. */
export function toGateway(pkt: i32, record: i32, sourceIdentity: i32): i32 {
  if (record === 0) return VERDICT_OK;
  const gateway: i32 = ld32(record + E_GATEWAY);
  if (gateway === GATEWAY_NONE) return DROP_NO_EGRESS_GATEWAY;
  if (gateway === GATEWAY_EXCLUDED) return VERDICT_OK;
  const local: i32 = endpointFind(pkt, gateway);
  if (local !== 0 && (ld32(local + EP_FLAGS) & EPF_HOST) !== 0) return VERDICT_OK;
  st32(pkt + P_IDENTITY, sourceIdentity);
  return redirectTunnel(pkt, gateway, sourceIdentity);
}

/** egress_gw_handle_request, on the source node's device: VERDICT_OK when the packet goes its ordinary way (also when this
 * node is the gateway), VERDICT_REDIRECT into the tunnel to the gateway, drop 194 without one, or a parse drop. */
export function egressGatewayRequest(pkt: i32, identity: i32): i32 {
  if (identity === ID_HOST) return VERDICT_OK;
  if (ld16be(ld32(pkt + P_FRAME) + ETH_TYPE) !== ETHERTYPE_IPV4) return VERDICT_OK;
  const ip: i32 = ipv4Header(pkt);
  if (ip === 0) return DROP_INVALID;
  const error: i32 = ctExtractPorts(pkt, ip, l4Offset(ip));
  if (error < 0) return error === DROP_CT_UNKNOWN_PROTO ? VERDICT_OK : error;
  if (ctIsReply(pkt, ip)) return VERDICT_OK;
  const saddr: i32 = ld32(ip + IP_SRC), daddr: i32 = ld32(ip + IP_DST);
  const source: i32 = endpointFind(pkt, saddr);
  const sourceIdentity: i32 = source !== 0 ? ld32(source + EP_IDENTITY) : identity;
  ipcacheFind(pkt, daddr);
  if (identityInCluster(pkt, ld32(pkt + P_INFO_IDENTITY))) return VERDICT_OK;
  const record: i32 = egressPolicyFind(pkt, saddr, daddr);
  return toGateway(pkt, record, sourceIdentity);
}

/** egress_gw_snat_needed_hook: does a policy with a gateway match traffic that leaves the cluster? The egress IP (0: none
 * configured here) in P_SNAT_ADDR. */
export function egressGatewaySnatNeeded(pkt: i32, saddr: i32, daddr: i32): boolean {
  if (ipcacheFind(pkt, daddr) && identityInCluster(pkt, ld32(pkt + P_INFO_IDENTITY))) return false;
  const record: i32 = egressPolicyFind(pkt, saddr, daddr);
  if (!namesGateway(record)) return false;
  st32(pkt + P_SNAT_ADDR, egressIpOf(pkt, record));
  return true;
}

/** egress_gw_reply_needs_redirect_hook: must a translated reply be tunnelled to the pod's node? Its address in
 * P_INFO_TUNNEL. */
export function egressGatewayReplyNeedsRedirect(pkt: i32, ip: i32): boolean {
  const daddr: i32 = ld32(ip + IP_DST);
  if (!namesGateway(egressPolicyFind(pkt, daddr, ld32(ip + IP_SRC)))) return false;
  return ipcacheFind(pkt, daddr) && (ld32(pkt + P_INFO_FLAGS) & IPC_HAS_TUNNEL) !== 0;
}

/** egress_gw_fib_lookup_and_redirect: VERDICT_OK where the route keeps to the device the packet is on (to-netdev only),
 * else out of the route's device; drop 169 without a route. */
export function egressGatewayRoute(pkt: i32, egressIp: i32, daddr: i32, mayStay: boolean): i32 {
  if (fibFind(pkt, egressIp, daddr) !== FIB_OK) return DROP_NO_FIB;
  const ifindex: i32 = ld32(pkt + P_FIB_IFINDEX);
  if (mayStay && ifindex === ld32(pkt + P_IFINDEX)) return VERDICT_OK;
  return redirectNeigh(pkt, ifindex, ld32(pkt + P_FIB_NEXTHOP));
}
