// cil_from_overlay (bpf_overlay.c): what comes out of the tunnel. On the gateway the egress policy, else local delivery.
import { ld16be, ld32, st32 } from "../mem.ts";
import {
  EP_FLAGS, EPF_AT_HOST_NS, EPF_HOST, N_FLAGS, N_HOST_MAC, N_TUNNEL_MAC, NF_DUAL_STACK, NF_EGRESS_GATEWAY, NF_FRAGMENTS, NF_IPV6,
  P_FLAGS, P_FRAME, P_IDENTITY, P_INFO_IDENTITY, P_LEN, P_NAT, P_NODE, P_POLICY, P_SNAT_ADDR, P_TO, P_TO_IFINDEX, P_TO_NEXTHOP, P_TUNNEL_VNI, PF_SKIP_NODEPORT, TO_HOST, TO_NONE,
} from "../layout.ts";
import { ETH_LEN, ETH_TYPE, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_DST, IP_SRC, ipv4DecTtl, ipv4Header, isFragment } from "../wire/ipv4.ts";
import {
  DROP_FRAG_NOSUPPORT, DROP_INVALID, DROP_INVALID_IDENTITY, DROP_NO_EGRESS_IP, DROP_UNKNOWN_L3, ID_HOST, ID_WORLD, ID_WORLD_IPV4, ID_WORLD_IPV6, MARK_EGW_DONE,
  MARK_IDENTITY, VERDICT_OK, VERDICT_REDIRECT,
} from "../verdict.ts";
import { egressGatewayRoute, egressGatewaySnatNeeded } from "./egress-gateway.ts";
import { fromOverlay6 } from "./from-overlay6.ts";
import { localDelivery, storeMacs } from "./local-delivery.ts";
import { endpointFind, identityIsRemoteNode, ipcacheFind } from "./lookups.ts";
import { natIngress } from "./nat-ingress.ts";
import { setIdentityMark } from "./redirect.ts";

/** VERDICT_OK: to the node's stack. VERDICT_REDIRECT: see P_TO. Or a drop. Reads P_TUNNEL_VNI. */
export function fromOverlay(pkt: i32): i32 {
  st32(pkt + P_TO, TO_NONE);
  st32(pkt + P_POLICY, 0);
  st32(pkt + P_NAT, 0);
  st32(pkt + P_FLAGS, ld32(pkt + P_FLAGS) & ~PF_SKIP_NODEPORT);
  if (ld32(pkt + P_LEN) < ETH_LEN) return VERDICT_OK;
  const type: i32 = ld16be(ld32(pkt + P_FRAME) + ETH_TYPE);
  const flags: i32 = ld32(ld32(pkt + P_NODE) + N_FLAGS);
  if (type === ETHERTYPE_IPV6 && (flags & NF_IPV6) === 0) return DROP_UNKNOWN_L3;
  if (type !== ETHERTYPE_IPV4 && type !== ETHERTYPE_IPV6) return VERDICT_OK;
  const vni: i32 = ld32(pkt + P_TUNNEL_VNI);
  let identity: i32 = vni;
  if (vni === ID_WORLD && (flags & NF_DUAL_STACK) !== 0) identity = type === ETHERTYPE_IPV6 ? ID_WORLD_IPV6 : ID_WORLD_IPV4;
  if (identity === ID_HOST) return DROP_INVALID_IDENTITY;
  st32(pkt + P_IDENTITY, identity);
  if (type === ETHERTYPE_IPV6) return fromOverlay6(pkt);
  const ip: i32 = ipv4Header(pkt);
  if (ip === 0) return DROP_INVALID;
  if ((flags & NF_FRAGMENTS) === 0 && isFragment(ip)) return DROP_FRAG_NOSUPPORT;
  const verdict: i32 = natIngress(pkt, ip, false);
  if (verdict !== VERDICT_OK) return verdict;

  const saddr: i32 = ld32(ip + IP_SRC), daddr: i32 = ld32(ip + IP_DST);
  if (identityIsRemoteNode(identity) && ipcacheFind(pkt, saddr)) {
    identity = ld32(pkt + P_INFO_IDENTITY);
    st32(pkt + P_IDENTITY, identity);
  }
  if ((flags & NF_EGRESS_GATEWAY) !== 0 && egressGatewaySnatNeeded(pkt, saddr, daddr)) {
    const egressIp: i32 = ld32(pkt + P_SNAT_ADDR);
    if (egressIp === 0) return DROP_NO_EGRESS_IP;
    const expired: i32 = ipv4DecTtl(ip);
    if (expired < 0) return expired;
    setIdentityMark(pkt, identity, MARK_EGW_DONE);
    return egressGatewayRoute(pkt, egressIp, daddr, false);
  }
  const local: i32 = endpointFind(pkt, daddr);
  if (local !== 0 && (ld32(local + EP_FLAGS) & (EPF_HOST | EPF_AT_HOST_NS)) === 0) return localDelivery(pkt, ip, local, identity, true);
  setIdentityMark(pkt, identity, MARK_IDENTITY);
  // ipv4_host_delivery: one hop more, into cilium_host.
  const expired: i32 = ipv4DecTtl(ip);
  if (expired < 0) return expired;
  const node: i32 = ld32(pkt + P_NODE);
  storeMacs(ld32(pkt + P_FRAME), node + N_TUNNEL_MAC, node + N_HOST_MAC);
  st32(pkt + P_TO, TO_HOST);
  st32(pkt + P_TO_IFINDEX, 0);
  st32(pkt + P_TO_NEXTHOP, 0);
  return VERDICT_REDIRECT;
}
