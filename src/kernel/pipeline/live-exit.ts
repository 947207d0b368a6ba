// What a live run's wires need of a packet that left the simulated nodes, until the whole batch is written.
import { copy, ld32, st32 } from "../mem.ts";
import { P_FRAME, P_LEN } from "../layout.ts";
import { P_SPARE } from "../layout6.ts";
import { clearAddress6, copyAddress6 } from "../wire/address6.ts";
import { B_FRAME, B_LEN, B_NEXTHOP6, EXIT_DEVICE, LIVE_GROWTH, X_EXIT, X_NEXTHOP6, X_OPTIONS, XO_LIVE } from "./layout-batch.ts";

export function isLive(cx: i32): boolean { return (ld32(cx + X_OPTIONS) & XO_LIVE) !== 0; }

/** Before a packet is walked: no neighbour has been resolved for it. */
export function forgetNextHop(cx: i32): void { clearAddress6(cx + X_NEXTHOP6); }

/** The next hop, an IPv6 address, that the packet under way is handed to. */
export function rememberNextHop(cx: i32, address: i32): void { copyAddress6(cx + X_NEXTHOP6, address); }

/** After a packet was walked. A frame that grew lies in the room that the batch's next answer takes: it comes back to where it was
 * read, behind which a live frame has LIVE_GROWTH bytes. */
export function keepForWires(cx: i32, pkt: i32, d: i32): void {
  const length: i32 = ld32(pkt + P_LEN);
  if (ld32(pkt + P_FRAME) === ld32(pkt + P_SPARE) && length <= ld32(d + B_LEN) + LIVE_GROWTH) {
    copy(ld32(d + B_FRAME), ld32(pkt + P_FRAME), length);
    st32(pkt + P_FRAME, ld32(d + B_FRAME));
  }
  if (ld32(cx + X_EXIT) === EXIT_DEVICE) copyAddress6(d + B_NEXTHOP6, cx + X_NEXTHOP6);
}
