// The NAT part of both ingress hooks for IPv6 (nodeport_lb6, tail_nodeport_nat_ingress_ipv6 and nodeport_rev_dnat_ipv6 in
// bpf/lib/nodeport.h), without services: reverse translation, and on a device the way back to a remote pod.
import { ld32 } from "../mem.ts";
import { N_FLAGS, NF_MASQUERADE6, P_INFO_TUNNEL, P_NODE } from "../layout.ts";
import { PROTO_ICMP6 } from "../wire/ipv6.ts";
import { DROP_NAT_NO_MAPPING, ID_WORLD, NAT_NOT_NEEDED, VERDICT_OK } from "../verdict.ts";
import { egressGatewayReplyNeedsRedirect6 } from "./egress-gateway6.ts";
import { beginReverse, noteReversed } from "./nat-ingress.ts";
import { isPortProtocol } from "./ports.ts";
import { loadPorts6, proto6 } from "./ports6.ts";
import { redirectTunnel } from "./redirect.ts";
import { snatReverse6 } from "./snat6.ts";

/** VERDICT_OK: go on with the hook's main path (translated or not). VERDICT_REDIRECT into the tunnel: a reply for a pod on
 * another node; unlike with IPv4 the hop limit stays. Or a drop. `onDevice` is from-netdev, where replies are steered back.
 * Takes what ipv6Walk left in P_WALK. */
export function natIngress6(pkt: i32, ip: i32, onDevice: boolean): i32 {
  const node: i32 = ld32(pkt + P_NODE), proto: i32 = proto6(pkt);
  const hasPorts: boolean = isPortProtocol(pkt, proto);
  if (hasPorts) {
    const error: i32 = loadPorts6(pkt, ip);
    if (error < 0) return error;
  } else if (proto !== PROTO_ICMP6) return VERDICT_OK;
  if (!hasPorts && (ld32(node + N_FLAGS) & NF_MASQUERADE6) === 0) return VERDICT_OK;

  beginReverse(pkt, node);
  const error: i32 = snatReverse6(pkt, ip);
  if (error === NAT_NOT_NEEDED || error === DROP_NAT_NO_MAPPING) return VERDICT_OK;
  if (error < 0) return error;
  if (!noteReversed(pkt, node, onDevice)) return VERDICT_OK;
  // Fragments are asked for anew, under the pod's address by now.
  if (hasPorts) {
    const cut: i32 = loadPorts6(pkt, ip);
    if (cut < 0) return cut;
  }
  if (!egressGatewayReplyNeedsRedirect6(pkt, ip)) return VERDICT_OK;
  return redirectTunnel(pkt, ld32(pkt + P_INFO_TUNNEL), ID_WORLD);
}
