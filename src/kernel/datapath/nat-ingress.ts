// The NAT part of both ingress hooks (nodeport_lb4 and tail_nodeport_nat_ingress_ipv4 in bpf/lib/nodeport.h), without
// services: reverse translation, and on a device the way back to a remote pod.
import { ld32, ld8, st32 } from "../mem.ts";
import {
  N_FLAGS, N_SNAT_MAX, N_SNAT_MIN, NF_EGRESS_GATEWAY, NF_MASQUERADE, P_FLAGS, P_INFO_TUNNEL, P_NODE, P_SNAT_MAX, P_SNAT_MIN, PF_SKIP_NODEPORT,
  NOTE_REPLY,
} from "../layout.ts";
import { IP_PROTO, ipv4DecTtl, l4Offset, PROTO_ICMP } from "../wire/ipv4.ts";
import { DROP_NAT_NO_MAPPING, ID_WORLD, NAT_NOT_NEEDED, VERDICT_OK } from "../verdict.ts";
import { egressGatewayReplyNeedsRedirect } from "./egress-gateway.ts";
import { isPortProtocol, loadPorts } from "./ports.ts";
import { redirectTunnel, setSnatDone } from "./redirect.ts";
import { snatReverse } from "./snat.ts";
import { note } from "./note.ts";

/** The ports that the node gives out, and no second look by the hook's main path (Cilium's skip-nodeport). */
export function beginReverse(pkt: i32, node: i32): void {
  st32(pkt + P_SNAT_MIN, ld32(node + N_SNAT_MIN));
  st32(pkt + P_SNAT_MAX, ld32(node + N_SNAT_MAX));
  st32(pkt + P_FLAGS, ld32(pkt + P_FLAGS) | PF_SKIP_NODEPORT);
}

/** A packet was translated back. Is the way back to a remote pod to be looked for? */
export function noteReversed(pkt: i32, node: i32, onDevice: boolean): boolean {
  setSnatDone(pkt);
  note(pkt, NOTE_REPLY);
  return onDevice && (ld32(node + N_FLAGS) & NF_EGRESS_GATEWAY) !== 0;
}

/** VERDICT_OK: go on with the hook's main path (translated or not). VERDICT_REDIRECT into the tunnel: a reply for a pod on
 * another node. Or a drop. `onDevice` is from-netdev, where replies are steered back. */
export function natIngress(pkt: i32, ip: i32, onDevice: boolean): i32 {
  const node: i32 = ld32(pkt + P_NODE), proto: i32 = ld8(ip + IP_PROTO), l4: i32 = l4Offset(ip);
  const hasPorts: boolean = isPortProtocol(pkt, proto);
  if (hasPorts) {
    const error: i32 = loadPorts(pkt, ip, l4);
    if (error < 0) return error;
  } else if (proto !== PROTO_ICMP) return VERDICT_OK;
  if (!hasPorts && (ld32(node + N_FLAGS) & NF_MASQUERADE) === 0) return VERDICT_OK;

  beginReverse(pkt, node);
  const error: i32 = snatReverse(pkt, ip);
  if (error === NAT_NOT_NEEDED || error === DROP_NAT_NO_MAPPING) return VERDICT_OK;
  if (error < 0) return error;
  if (!noteReversed(pkt, node, onDevice)) return VERDICT_OK;
  if (hasPorts) {
    const cut: i32 = loadPorts(pkt, ip, l4);
    if (cut < 0) return cut;
  }
  if (!egressGatewayReplyNeedsRedirect(pkt, ip)) return VERDICT_OK;
  const remote: i32 = ld32(pkt + P_INFO_TUNNEL);
  const expired: i32 = ipv4DecTtl(ip);
  if (expired < 0) return expired;
  return redirectTunnel(pkt, remote, ID_WORLD);
}
