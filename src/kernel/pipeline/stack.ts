// The node's own stack. With BPF host routing what it gets stays there; with legacy host routing it is the one that routes
// between pods and devices.
import { ld32, ld8 } from "../mem.ts";
import { EP_FLAGS, EPF_HOST, N_FLAGS, NF_HOST_ROUTING, P_FIB_IFINDEX, P_FIB_NEXTHOP, P_NODE } from "../layout.ts";
import { P_FIB_NEXTHOP6 } from "../layout6.ts";
import { ipv4DecTtl, ipv4Header } from "../wire/ipv4.ts";
import { IP6_HOP_LIMIT, ipv6DecHopLimit, ipv6Header } from "../wire/ipv6.ts";
import { localDelivery } from "../datapath/local-delivery.ts";
import { localDelivery6 } from "../datapath/local-delivery6.ts";
import { FIB_OK, fibFind } from "../datapath/lookups.ts";
import { fibFind6 } from "../datapath/lookups6.ts";
import { throughNeighbour } from "./crossing.ts";
import { destinationOf, isIpv6, sourceOf } from "./family.ts";
import { endpointOf } from "./nodes.ts";

/** What the stack did: kept the packet, delivered it to a pod, or sent it out of a device, where to-netdev is next; else minus
 * the drop number of the pod's program. */
export const STACK_KEPT: i32 = 0;
export const STACK_DELIVERED: i32 = 1;
export const STACK_ROUTED: i32 = 2;

/** Takes a packet that a hook let through to the stack; `fromTunnel`: it came out of the tunnel, and stays. */
export function throughStack(cx: i32, pkt: i32, fromTunnel: boolean): i32 {
  if ((ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_HOST_ROUTING) !== 0 || fromTunnel) return STACK_KEPT;
  const six: boolean = isIpv6(pkt), ip: i32 = six ? ipv6Header(pkt) : ipv4Header(pkt);
  if (ip === 0) return STACK_KEPT;
  const destination: i32 = destinationOf(six, ip), local: i32 = endpointOf(pkt, destination);
  if (local !== 0) {
    if ((ld32(local + EP_FLAGS) & EPF_HOST) !== 0) return STACK_KEPT;
    // Where the hop limit ends here it is the stack that answers, and that is not modelled.
    if (six && ld8(ip + IP6_HOP_LIMIT) <= 1) return STACK_KEPT;
    const verdict: i32 = six ? localDelivery6(pkt, ip, local, 0, false) : localDelivery(pkt, ip, local, 0, false);
    return verdict < 0 ? verdict : STACK_DELIVERED;
  }
  const route: i32 = six ? fibFind6(pkt, sourceOf(six, ip), destination) : fibFind(pkt, sourceOf(six, ip), destination);
  if (route !== FIB_OK) return STACK_KEPT;
  if ((six ? ipv6DecHopLimit(ip) : ipv4DecTtl(ip)) < 0) return STACK_KEPT;
  throughNeighbour(cx, pkt, ld32(pkt + P_FIB_IFINDEX), six ? pkt + P_FIB_NEXTHOP6 : ld32(pkt + P_FIB_NEXTHOP));
  return STACK_ROUTED;
}
