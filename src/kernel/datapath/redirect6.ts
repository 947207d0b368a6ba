// Ways out of a hook for IPv6 packets.
import { ld32, st32 } from "../mem.ts";
import { P_TO, P_TO_IFINDEX, P_TO_NEXTHOP, TO_DEVICE, TO_NEIGH6, TO_SELF } from "../layout.ts";
import { P_NEXTHOP6, P_SELF_IFINDEX } from "../layout6.ts";
import { VERDICT_REDIRECT } from "../verdict.ts";
import { copyAddress6 } from "../wire/address6.ts";

/** bpf_redirect_neigh with a next hop: out of a device, the next hop's MAC resolved there. */
export function redirectNeigh6(pkt: i32, ifindex: i32, nextHop: i32): i32 {
  st32(pkt + P_TO, TO_NEIGH6);
  st32(pkt + P_TO_IFINDEX, ifindex);
  st32(pkt + P_TO_NEXTHOP, 0);
  copyAddress6(pkt + P_NEXTHOP6, nextHop);
  return VERDICT_REDIRECT;
}

/** bpf_redirect_neigh without one: the kernel finds it for the packet's own destination. */
export function redirectDevice(pkt: i32, ifindex: i32): i32 {
  st32(pkt + P_TO, TO_DEVICE);
  st32(pkt + P_TO_IFINDEX, ifindex);
  st32(pkt + P_TO_NEXTHOP, 0);
  return VERDICT_REDIRECT;
}

/** redirect_self: back out of the device of P_SELF_IFINDEX. */
export function redirectSelf(pkt: i32): i32 {
  st32(pkt + P_TO, TO_SELF);
  st32(pkt + P_TO_IFINDEX, ld32(pkt + P_SELF_IFINDEX));
  st32(pkt + P_TO_NEXTHOP, 0);
  return VERDICT_REDIRECT;
}
