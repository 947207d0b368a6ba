// Delivery of IPv6 to a pod on this node: hop limit and MACs, then the pod's ingress program (bpf/lib/local_delivery.h,
// tail_ipv6_policy in bpf_lxc.c).
import { ld32, st32 } from "../mem.ts";
import {
  CF_FROM_TUNNEL, CF_LOOPBACK, EP_IFINDEX, EP_MAC, EP_NODE_MAC, NOTE_DEFECT6_UNSPECIFIED, P_CT_STATUS, P_FRAME, P_PORTS, P_RELATED, P_TO, P_TO_IFINDEX, P_TO_NEXTHOP,
  TO_ENDPOINT, TUPLE_IN,
} from "../layout.ts";
import { EP_POLICY } from "../layout-policy.ts";
import { CT_ESTABLISHED, CT_NEW, CT_RELATED, CT_REPLY, DROP_INVALID_TC_BUFFER, VERDICT_OK, VERDICT_REDIRECT } from "../verdict.ts";
import { isZero6 } from "../wire/address6.ts";
import { IP6_DST, IP6_SRC } from "../wire/ipv6.ts";
import { nextHop6 } from "./answer6.ts";
import { DIR_INGRESS } from "./conntrack.ts";
import { ctCreate6, ctLookupBoth6 } from "./conntrack6.ts";
import { storeMacs } from "./local-delivery.ts";
import { policyIngress } from "./policy.ts";
import { policyPort6 } from "./policy-port.ts";
import { swapPorts } from "./ports.ts";
import { proto6, walkHeaders6 } from "./ports6.ts";
import { note, repairs } from "./note.ts";
import { arrivesFromItself6, isLoopback, reverseService6 } from "./service-reply.ts";

/** The pod's program hands the conntrack tuple on through a scratch map and takes an all-zero source address in it for a
 * lost entry: 0, or drop 184 where that is the packet's own unspecified address. */
export function checkTupleBuffer(pkt: i32, ip: i32, status: i32): i32 {
  const source: i32 = status === CT_NEW || status === CT_ESTABLISHED ? ip + IP6_DST : ip + IP6_SRC;
  if (!isZero6(source) || repairs(pkt)) return 0;
  note(pkt, NOTE_DEFECT6_UNSPECIFIED);
  return DROP_INVALID_TC_BUFFER;
}

/** VERDICT_REDIRECT to the pod's device (or of a Time Exceeded back), or a drop (133, 134, 135, 137, 142, 155, 156, 157, 175, 181, 184,
 * 189). */
export function localDelivery6(pkt: i32, ip: i32, endpoint: i32, sourceIdentity: i32, fromTunnel: boolean): i32 {
  const expired: i32 = nextHop6(pkt, ip);
  if (expired !== VERDICT_OK) return expired;
  storeMacs(ld32(pkt + P_FRAME), endpoint + EP_NODE_MAC, endpoint + EP_MAC);

  const cut: i32 = walkHeaders6(pkt);
  if (cut < 0) return cut;
  const status: i32 = ctLookupBoth6(pkt, ip, DIR_INGRESS);
  if (status < 0) return status;
  st32(pkt + P_CT_STATUS, status);
  const lost: i32 = checkTupleBuffer(pkt, ip, status);
  if (lost < 0) return lost;
  const own: boolean = status === CT_NEW ? arrivesFromItself6(pkt, ip) : isLoopback(pkt);
  if (status === CT_REPLY || status === CT_RELATED) {
    const failed: i32 = reverseService6(pkt, ip);
    if (failed < 0) return failed;
  } else if (!own && ld32(endpoint + EP_POLICY) !== 0) {
    const proto: i32 = proto6(pkt), denied: i32 = policyIngress(pkt, endpoint, sourceIdentity, proto, policyPort6(pkt, proto));
    if (denied < 0) return denied;
  }
  if (status === CT_NEW) {
    const state: i32 = (fromTunnel ? CF_FROM_TUNNEL : 0) | (own ? CF_LOOPBACK : 0);
    const error: i32 = ctCreate6(
      pkt, TUPLE_IN | ld32(pkt + P_RELATED), ip + IP6_SRC, ip + IP6_DST, swapPorts(ld32(pkt + P_PORTS)), DIR_INGRESS, sourceIdentity, state, true,
    );
    if (error < 0) return error;
  }
  st32(pkt + P_TO, TO_ENDPOINT);
  st32(pkt + P_TO_IFINDEX, ld32(endpoint + EP_IFINDEX));
  st32(pkt + P_TO_NEXTHOP, 0);
  return VERDICT_REDIRECT;
}
