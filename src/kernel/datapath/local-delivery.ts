// Delivery to a pod on this node: TTL and MACs, then the pod's ingress program, which tracks the connection
// (bpf/lib/local_delivery.h, tail_ipv4_policy in bpf_lxc.c).
import { ld16, ld32, ld8, st16, st32 } from "../mem.ts";
import {
  CF_FROM_TUNNEL, CF_LOOPBACK, EP_IFINDEX, EP_MAC, EP_NODE_MAC, P_CT_STATUS, P_FRAME, P_PORTS, P_RELATED, P_TO, P_TO_IFINDEX, P_TO_NEXTHOP, TO_ENDPOINT, TUPLE_IN,
} from "../layout.ts";
import { IP_DST, IP_PROTO, IP_SRC, ipv4DecTtl, l4Offset, PROTO_ICMP } from "../wire/ipv4.ts";
import { EP_POLICY } from "../layout-policy.ts";
import { CT_NEW, CT_RELATED, CT_REPLY, DROP_INVALID, VERDICT_REDIRECT } from "../verdict.ts";
import { ctCreate, ctLookupBoth, DIR_INGRESS } from "./conntrack.ts";
import { policyIngress } from "./policy.ts";
import { policyPort } from "./policy-port.ts";
import { swapPorts } from "./ports.ts";
import { arrivesFromItself, isLoopback, reverseService } from "./service-reply.ts";

/** VERDICT_REDIRECT to the pod's device, or a drop (133, 134, 135, 137, 154, 155, 157, 175, 181, 189, 196). */
export function localDelivery(pkt: i32, ip: i32, endpoint: i32, sourceIdentity: i32, fromTunnel: boolean): i32 {
  const expired: i32 = ipv4DecTtl(ip);
  if (expired < 0) return expired;
  storeMacs(ld32(pkt + P_FRAME), endpoint + EP_NODE_MAC, endpoint + EP_MAC);

  const l4: i32 = l4Offset(ip);
  const status: i32 = ctLookupBoth(pkt, ip, l4, DIR_INGRESS);
  if (status < 0) return status;
  st32(pkt + P_CT_STATUS, status);
  const own: boolean = status === CT_NEW ? arrivesFromItself(pkt, ip) : isLoopback(pkt);
  if (status === CT_REPLY || status === CT_RELATED) {
    const failed: i32 = reverseService(pkt, ip, l4);
    if (failed < 0) return failed;
  } else if (!own) {
    const proto: i32 = ld8(ip + IP_PROTO);
    if (ld32(endpoint + EP_POLICY) !== 0) {
      const denied: i32 = policyIngress(pkt, endpoint, sourceIdentity, proto, policyPort(pkt, proto, l4));
      if (denied < 0) return denied;
    } else if (proto === PROTO_ICMP && policyPort(pkt, proto, l4) < 0) return DROP_INVALID;
  }
  if (status === CT_NEW) {
    const state: i32 = (fromTunnel ? CF_FROM_TUNNEL : 0) | (own ? CF_LOOPBACK : 0);
    const error: i32 = ctCreate(
      pkt, ld8(ip + IP_PROTO), TUPLE_IN | ld32(pkt + P_RELATED), ld32(ip + IP_SRC), ld32(ip + IP_DST), swapPorts(ld32(pkt + P_PORTS)), DIR_INGRESS,
      sourceIdentity, state, true,
    );
    if (error < 0) return error;
  }
  st32(pkt + P_TO, TO_ENDPOINT);
  st32(pkt + P_TO_IFINDEX, ld32(endpoint + EP_IFINDEX));
  st32(pkt + P_TO_NEXTHOP, 0);
  return VERDICT_REDIRECT;
}

/** Writes the Ethernet addresses of a frame from two six-byte fields in memory. */
export function storeMacs(frame: i32, source: i32, destination: i32): void {
  st32(frame, ld32(destination));
  st16(frame + 4, ld16(destination + 4));
  st32(frame + 6, ld32(source));
  st16(frame + 10, ld16(source + 4));
}
