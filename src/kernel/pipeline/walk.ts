// The packet's way through the cluster: hook after hook, node after node, as the wires would carry it. Read this first.
import { ld32, st32 } from "../mem.ts";
import {
  N_TUNNEL_IFINDEX, NOTE_ANSWERED, NOTE_DEFECT6_ERROR_NOT_TRANSLATED, NOTE_DEFECT_ECHO_ERROR_CSUM, NOTE_DEFECT_POD_ERROR_CSUM,
  NOTE_NAT_RETRIES_OVER_HALF, NOTE_REPLY, P_FIB_IFINDEX, P_FLAGS, P_FRAME, P_NODE, P_NOTES, P_TO, P_TO_IFINDEX, P_TO_NEXTHOP, PF_SYNTHETIC,
  TO_DEVICE, TO_ENDPOINT, TO_NEIGH, TO_NEIGH6, TO_SELF, TO_TUNNEL,
} from "../layout.ts";
import { P_FIB_NEXTHOP6, P_NEXTHOP6 } from "../layout6.ts";
import { OUT_DELIVERED, OUT_FORWARDED, OUT_PASSED } from "../layout-flow.ts";
import { ETH_LEN } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC } from "../wire/ipv6.ts";
import { VERDICT_OK, VERDICT_REDIRECT } from "../verdict.ts";
import { fromContainer } from "../datapath/from-container.ts";
import { fromNetdev } from "../datapath/from-netdev.ts";
import { fromOverlay } from "../datapath/from-overlay.ts";
import { toNetdev } from "../datapath/to-netdev.ts";
import { FIB_OK } from "../datapath/lookups.ts";
import { fibFind6 } from "../datapath/lookups6.ts";
import {
  DEFECTS6, EXIT_DEVICE, EXIT_POD, EXIT_TUNNEL, HOOK_FROM_CONTAINER, HOOK_FROM_NETDEV, HOOK_FROM_OVERLAY, HOOK_TO_CONTAINER, HOOK_TO_NETDEV, NC_ANSWERED, NC_DEFECT6,
  NC_DEFECT_ECHO, NC_DEFECT_POD_ERROR, NC_NAT_RETRIES, STREAM_EXTERNAL, STREAM_POD, TL_DROP, TL_PASS, X_EXIT,
} from "./layout-batch.ts";
import { acrossWire, throughNeighbour, throughTunnel } from "./crossing.ts";
import { emitFrame, emitTrace } from "./emit.ts";
import { bookForward, bookReply } from "./flows.ts";
import { bookService } from "./service-flows.ts";
import { STACK_DELIVERED, STACK_KEPT, STACK_ROUTED, throughStack } from "./stack.ts";
import { countNote, countTally } from "./tally.ts";

export const AT_FROM_CONTAINER: i32 = 1;
export const AT_TO_NETDEV: i32 = 2;
export const AT_FROM_OVERLAY: i32 = 3;
export const AT_FROM_NETDEV: i32 = 4;

/** No way is longer than this; a loop in the routes ends here as passed to the stack. */
const MAX_HOOKS: i32 = 12;

/** Walks a packet from hook `start` of its node (P_NODE, P_IFINDEX) to its end. The outcome is OUT_FORWARDED, _DELIVERED,
 * _PASSED or minus the drop number. The frame may have moved by then (P_FRAME). */
export function walk(cx: i32, pkt: i32, start: i32): i32 {
  let at: i32 = start;
  for (let hooks: i32 = 0; hooks < MAX_HOOKS; hooks++) {
    const noted: i32 = ld32(pkt + P_NOTES);
    let verdict: i32 = 0;
    let hook: i32 = HOOK_FROM_CONTAINER;
    if (at === AT_FROM_CONTAINER) verdict = fromContainer(pkt);
    else if (at === AT_TO_NETDEV) {
      verdict = toNetdev(pkt);
      hook = HOOK_TO_NETDEV;
    } else if (at === AT_FROM_OVERLAY) {
      verdict = fromOverlay(pkt);
      hook = HOOK_FROM_OVERLAY;
    } else {
      verdict = fromNetdev(pkt);
      hook = HOOK_FROM_NETDEV;
    }
    if (!isSynthetic(pkt)) {
      emitTrace(cx, pkt, hook, verdict);
      countHookNotes(cx, pkt, noted);
      if (at === AT_FROM_CONTAINER) bookService(pkt);
      if (at === AT_FROM_NETDEV && (ld32(pkt + P_NOTES) & NOTE_REPLY) !== 0) bookReply(cx, pkt);
    }
    if (verdict < 0) return dropped(cx, pkt, hook, verdict);
    const to: i32 = verdict === VERDICT_REDIRECT ? ld32(pkt + P_TO) : 0;
    if (to === TO_ENDPOINT) return delivered(cx, pkt, hook);
    if (to === TO_TUNNEL) {
      if (!throughTunnel(cx, pkt)) return left(cx, pkt, EXIT_TUNNEL, OUT_FORWARDED);
      at = AT_FROM_OVERLAY;
    } else if (to === TO_NEIGH) {
      throughNeighbour(cx, pkt, ld32(pkt + P_TO_IFINDEX), ld32(pkt + P_TO_NEXTHOP));
      at = AT_TO_NETDEV;
    } else if (to === TO_NEIGH6) {
      throughNeighbour(cx, pkt, ld32(pkt + P_TO_IFINDEX), pkt + P_NEXTHOP6);
      at = AT_TO_NETDEV;
    } else if (to === TO_DEVICE) {
      throughDevice(cx, pkt, ld32(pkt + P_TO_IFINDEX));
      at = AT_TO_NETDEV;
    } else if (to === TO_SELF) {
      // An answer of the program's own making: to the pod that asked, out of the device, or into the tunnel device without a
      // key, where it is lost.
      if (at === AT_FROM_CONTAINER) return delivered(cx, pkt, hook);
      if (ld32(pkt + P_TO_IFINDEX) === ld32(ld32(pkt + P_NODE) + N_TUNNEL_IFINDEX)) return passed(cx, pkt, hook);
      at = AT_TO_NETDEV;
    } else if (at === AT_TO_NETDEV && verdict === VERDICT_OK) {
      if (!isSynthetic(pkt)) {
        bookForward(cx, pkt);
        emitFrame(cx, pkt, STREAM_EXTERNAL);
      }
      if (!acrossWire(cx, pkt)) return left(cx, pkt, EXIT_DEVICE, OUT_FORWARDED);
      at = AT_FROM_NETDEV;
    } else {
      const routed: i32 = throughStack(cx, pkt, at === AT_FROM_OVERLAY);
      if (routed === STACK_KEPT) return passed(cx, pkt, hook);
      if (routed === STACK_DELIVERED) return delivered(cx, pkt, HOOK_TO_CONTAINER);
      if (routed !== STACK_ROUTED) return dropped(cx, pkt, HOOK_TO_CONTAINER, routed);
      at = AT_TO_NETDEV;
    }
  }
  return passed(cx, pkt, HOOK_TO_NETDEV);
}

function isSynthetic(pkt: i32): boolean { return (ld32(pkt + P_FLAGS) & PF_SYNTHETIC) !== 0; }

function dropped(cx: i32, pkt: i32, hook: i32, verdict: i32): i32 {
  if (!isSynthetic(pkt)) countTally(cx, pkt, TL_DROP, hook, -verdict);
  return verdict;
}

function passed(cx: i32, pkt: i32, hook: i32): i32 {
  if (!isSynthetic(pkt)) countTally(cx, pkt, TL_PASS, hook, 0);
  return OUT_PASSED;
}

function delivered(cx: i32, pkt: i32, hook: i32): i32 {
  if (!isSynthetic(pkt)) {
    if (hook === HOOK_TO_CONTAINER) emitTrace(cx, pkt, hook, VERDICT_REDIRECT);
    emitFrame(cx, pkt, STREAM_POD);
  }
  return left(cx, pkt, EXIT_POD, OUT_DELIVERED);
}

function left(cx: i32, pkt: i32, exit: i32, outcome: i32): i32 {
  if (!isSynthetic(pkt)) st32(cx + X_EXIT, exit);
  return outcome;
}

/** Notes of a hook that are counters; each is counted once, where it arose. `before`: what earlier hooks noted. */
function countHookNotes(cx: i32, pkt: i32, before: i32): void {
  const fresh: i32 = ld32(pkt + P_NOTES) & ~before;
  if (fresh === 0) return;
  if ((fresh & NOTE_DEFECT_ECHO_ERROR_CSUM) !== 0) countNote(cx, NC_DEFECT_ECHO);
  if ((fresh & NOTE_DEFECT_POD_ERROR_CSUM) !== 0) countNote(cx, NC_DEFECT_POD_ERROR);
  if ((fresh & NOTE_NAT_RETRIES_OVER_HALF) !== 0) countNote(cx, NC_NAT_RETRIES);
  if ((fresh & NOTE_ANSWERED) !== 0) countNote(cx, NC_ANSWERED);
  for (let k: i32 = 0; k < DEFECTS6; k++) if ((fresh & (NOTE_DEFECT6_ERROR_NOT_TRANSLATED << k)) !== 0) countNote(cx, NC_DEFECT6 + k);
}

/** Out of a device whose neighbour the kernel looks for itself: the route of that device to the packet's own destination, or
 * else the destination. */
function throughDevice(cx: i32, pkt: i32, ifindex: i32): void {
  const ip: i32 = ld32(pkt + P_FRAME) + ETH_LEN;
  const routed: boolean = fibFind6(pkt, ip + IP6_SRC, ip + IP6_DST) === FIB_OK && ld32(pkt + P_FIB_IFINDEX) === ifindex;
  throughNeighbour(cx, pkt, ifindex, routed ? pkt + P_FIB_NEXTHOP6 : ip + IP6_DST);
}
