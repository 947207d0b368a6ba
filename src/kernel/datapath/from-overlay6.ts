// The IPv6 part of cil_from_overlay (bpf_overlay.c). On the gateway the egress policy, else local delivery.
import { ld32, st32 } from "../mem.ts";
import {
  EP_FLAGS, EPF_AT_HOST_NS, EPF_HOST, N_FLAGS, N_HOST_MAC, N_TUNNEL_MAC, NF_EGRESS_GATEWAY, NF_FRAGMENTS6, P_FRAME, P_IDENTITY, P_INFO_IDENTITY, P_NODE,
  P_TO, P_TO_IFINDEX, P_TO_NEXTHOP, TO_HOST,
} from "../layout.ts";
import { P_SNAT_ADDR6 } from "../layout6.ts";
import { isZero6 } from "../wire/address6.ts";
import { ETH_LEN } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC, ipv6Header, ipv6IsFragment } from "../wire/ipv6.ts";
import { DROP_FRAG_NOSUPPORT, DROP_INVALID, DROP_NO_EGRESS_IP, MARK_EGW_DONE, MARK_IDENTITY, VERDICT_OK, VERDICT_REDIRECT } from "../verdict.ts";
import { answerFromNode, nextHop6 } from "./answer6.ts";
import { egressGatewayRoute6, egressGatewaySnatNeeded6 } from "./egress-gateway6.ts";
import { localDelivery6 } from "./local-delivery6.ts";
import { storeMacs } from "./local-delivery.ts";
import { identityIsRemoteNode } from "./lookups.ts";
import { endpointFind6, ipcacheFind6 } from "./lookups6.ts";
import { natIngress6 } from "./nat-ingress6.ts";
import { walkHeaders6 } from "./ports6.ts";
import { setIdentityMark } from "./redirect.ts";

/** As fromOverlay, for a frame whose EtherType is IPv6; P_IDENTITY holds what the tunnel told. */
export function fromOverlay6(pkt: i32): i32 {
  answerFromNode(pkt);
  const ip: i32 = ipv6Header(pkt);
  if (ip === 0) return DROP_INVALID;
  const node: i32 = ld32(pkt + P_NODE);
  const flags: i32 = ld32(node + N_FLAGS);
  if ((flags & NF_FRAGMENTS6) === 0) {
    const fragment: i32 = ipv6IsFragment(pkt, ETH_LEN);
    if (fragment !== 0) return fragment < 0 ? fragment : DROP_FRAG_NOSUPPORT;
  }
  const cut: i32 = walkHeaders6(pkt);
  if (cut < 0) return cut;
  const translated: i32 = natIngress6(pkt, ip, false);
  if (translated !== VERDICT_OK) return translated;

  let identity: i32 = ld32(pkt + P_IDENTITY);
  if (identityIsRemoteNode(identity) && ipcacheFind6(pkt, ip + IP6_SRC)) {
    identity = ld32(pkt + P_INFO_IDENTITY);
    st32(pkt + P_IDENTITY, identity);
  }
  if ((flags & NF_EGRESS_GATEWAY) !== 0 && egressGatewaySnatNeeded6(pkt, ip)) {
    if (isZero6(pkt + P_SNAT_ADDR6)) return DROP_NO_EGRESS_IP;
    const expired: i32 = nextHop6(pkt, ip);
    if (expired !== VERDICT_OK) return expired;
    setIdentityMark(pkt, identity, MARK_EGW_DONE);
    return egressGatewayRoute6(pkt, ip, false);
  }
  const local: i32 = endpointFind6(pkt, ip + IP6_DST);
  if (local !== 0 && (ld32(local + EP_FLAGS) & (EPF_HOST | EPF_AT_HOST_NS)) === 0) return localDelivery6(pkt, ip, local, identity, true);
  setIdentityMark(pkt, identity, MARK_IDENTITY);
  // ipv6_host_delivery: one hop more, into cilium_host.
  const expired: i32 = nextHop6(pkt, ip);
  if (expired !== VERDICT_OK) return expired;
  storeMacs(ld32(pkt + P_FRAME), node + N_TUNNEL_MAC, node + N_HOST_MAC);
  st32(pkt + P_TO, TO_HOST);
  st32(pkt + P_TO_IFINDEX, 0);
  st32(pkt + P_TO_NEXTHOP, 0);
  return VERDICT_REDIRECT;
}
