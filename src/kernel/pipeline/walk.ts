// The packet's way through the cluster: hook after hook, node after node, as the wires would carry it. Read this first.
import { ld32, ld8, st32 } from "../mem.ts";
import {
  D_IFINDEX, D_MAC, EP_FLAGS, EPF_HOST, N_DEVICES, N_FLAGS, N_INDEX, NF_GENEVE, NF_HOST_ROUTING, P_ENDPOINT, P_FIB_IFINDEX, P_FIB_NEXTHOP, P_FLAGS,
  P_FRAME, P_IFINDEX, P_MARK, P_NODE, P_NOTES, P_SEQ_LO, P_TO, P_TO_IFINDEX, P_TO_NEXTHOP, P_TUNNEL_REMOTE, P_TUNNEL_VNI, PF_SYNTHETIC, TO_ENDPOINT,
  TO_NEIGH, TO_TUNNEL, NOTE_DEFECT_ECHO_ERROR_CSUM, NOTE_DEFECT_POD_ERROR_CSUM, NOTE_NAT_RETRIES_OVER_HALF, NOTE_REPLY,
} from "../layout.ts";
import { OUT_DELIVERED, OUT_FORWARDED, OUT_PASSED } from "../layout-flow.ts";
import { staticFind } from "../table/static.ts";
import { hash4 } from "../table/hash.ts";
import { IP_DST, IP_PROTO, IP_SRC, ipv4DecTtl, ipv4Header } from "../wire/ipv4.ts";
import { VERDICT_OK, VERDICT_REDIRECT } from "../verdict.ts";
import { fromContainer } from "../datapath/from-container.ts";
import { fromNetdev } from "../datapath/from-netdev.ts";
import { fromOverlay } from "../datapath/from-overlay.ts";
import { toNetdev } from "../datapath/to-netdev.ts";
import { localDelivery, storeMacs } from "../datapath/local-delivery.ts";
import { deviceFind, endpointFind, FIB_OK, fibFind } from "../datapath/lookups.ts";
import {
  A_IFINDEX, A_MAC, A_NODE, EXIT_DEVICE, EXIT_POD, EXIT_TUNNEL, HOOK_FROM_CONTAINER, HOOK_FROM_NETDEV, HOOK_FROM_OVERLAY, HOOK_TO_CONTAINER, HOOK_TO_NETDEV, NC_DEFECT_ECHO,
  NC_DEFECT_POD_ERROR, NC_NAT_RETRIES, STREAM_EXTERNAL, STREAM_POD, TL_DROP, TL_PASS, X_ADDRESSES, X_EXIT, X_MADE, X_NODES,
} from "./layout-batch.ts";
import { emitFrame, emitTrace, emitTunnel } from "./emit.ts";
import { bookForward, bookReply, flowPorts } from "./flows.ts";
import { countNote, countTally } from "./tally.ts";

export const AT_FROM_CONTAINER: i32 = 1;
export const AT_TO_NETDEV: i32 = 2;
export const AT_FROM_OVERLAY: i32 = 3;
export const AT_FROM_NETDEV: i32 = 4;

/** No way is longer than this; a loop in the routes ends here as passed to the stack. */
const MAX_HOOKS: i32 = 12;

export function nodeAt(cx: i32, index: i32): i32 { return ld32(ld32(cx + X_NODES) + (index << 2)); }

/** Walks a packet from hook `at` of its node (P_NODE, P_IFINDEX) to its end. Returns OUT_…; a drop's number in `code` is
 * minus the returned value of the hook, left in the tally. The outcome is OUT_FORWARDED, _DELIVERED, _PASSED or minus
 * the drop number. */
export function walk(cx: i32, pkt: i32, start: i32): i32 {
  let at: i32 = start;
  for (let hooks: i32 = 0; hooks < MAX_HOOKS; hooks++) {
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
      countHookNotes(cx, pkt);
      if (at === AT_FROM_NETDEV && (ld32(pkt + P_NOTES) & NOTE_REPLY) !== 0) bookReply(cx, pkt);
    }
    if (verdict < 0) return dropped(cx, pkt, hook, verdict);
    if (verdict === VERDICT_REDIRECT && ld32(pkt + P_TO) === TO_ENDPOINT) return delivered(cx, pkt, hook);
    if (verdict === VERDICT_REDIRECT && ld32(pkt + P_TO) === TO_TUNNEL) {
      if (!throughTunnel(cx, pkt)) return left(cx, pkt, EXIT_TUNNEL, OUT_FORWARDED);
      at = AT_FROM_OVERLAY;
    } else if (verdict === VERDICT_REDIRECT && ld32(pkt + P_TO) === TO_NEIGH) {
      throughNeighbour(cx, pkt, ld32(pkt + P_TO_IFINDEX), ld32(pkt + P_TO_NEXTHOP));
      at = AT_TO_NETDEV;
    } else if (at === AT_TO_NETDEV && verdict === VERDICT_OK) {
      if (!isSynthetic(pkt)) {
        bookForward(cx, pkt);
        emitFrame(cx, pkt, STREAM_EXTERNAL);
      }
      if (!acrossWire(cx, pkt)) return left(cx, pkt, EXIT_DEVICE, OUT_FORWARDED);
      at = AT_FROM_NETDEV;
    } else {
      at = throughStack(cx, pkt, at);
      if (at === 0) {
        if (!isSynthetic(pkt)) countTally(cx, pkt, TL_PASS, hook, 0);
        return OUT_PASSED;
      }
      if (at < 0) return at === STACK_DELIVERED ? delivered(cx, pkt, HOOK_TO_CONTAINER) : dropped(cx, pkt, HOOK_TO_CONTAINER, at);
    }
  }
  if (!isSynthetic(pkt)) countTally(cx, pkt, TL_PASS, HOOK_TO_NETDEV, 0);
  return OUT_PASSED;
}

/** throughStack's word for "reached a pod"; no drop has this number. */
const STACK_DELIVERED: i32 = -1;

function isSynthetic(pkt: i32): boolean { return (ld32(pkt + P_FLAGS) & PF_SYNTHETIC) !== 0; }

function dropped(cx: i32, pkt: i32, hook: i32, verdict: i32): i32 {
  if (!isSynthetic(pkt)) countTally(cx, pkt, TL_DROP, hook, -verdict);
  return verdict;
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

/** Notes of a hook that are counters; each is counted once, where it arose. */
function countHookNotes(cx: i32, pkt: i32): void {
  const notes: i32 = ld32(pkt + P_NOTES);
  if ((notes & (NOTE_DEFECT_ECHO_ERROR_CSUM | NOTE_DEFECT_POD_ERROR_CSUM | NOTE_NAT_RETRIES_OVER_HALF)) === 0) return;
  if ((notes & NOTE_DEFECT_ECHO_ERROR_CSUM) !== 0) countNote(cx, NC_DEFECT_ECHO);
  if ((notes & NOTE_DEFECT_POD_ERROR_CSUM) !== 0) countNote(cx, NC_DEFECT_POD_ERROR);
  if ((notes & NOTE_NAT_RETRIES_OVER_HALF) !== 0) countNote(cx, NC_NAT_RETRIES);
  st32(pkt + P_NOTES, notes & ~(NOTE_DEFECT_POD_ERROR_CSUM | NOTE_NAT_RETRIES_OVER_HALF));
}

/** Neighbour output of a device: its MAC, and the next hop's, a node's device or one derived from the address. */
function throughNeighbour(cx: i32, pkt: i32, ifindex: i32, nextHop: i32): void {
  const device: i32 = deviceFind(pkt, ifindex);
  const source: i32 = device !== 0 ? device + D_MAC : ld32(ld32(pkt + P_NODE) + N_DEVICES) + D_MAC;
  storeMacs(ld32(pkt + P_FRAME), source, neighbourMac(cx, nextHop));
  st32(pkt + P_IFINDEX, ifindex);
}

function neighbourMac(cx: i32, address: i32): i32 {
  const known: i32 = staticFind(ld32(cx + X_ADDRESSES), address);
  if (known !== 0) return known + A_MAC;
  // 02:fe and the address: a locally administered MAC that tells whose it is.
  const made: i32 = ld32(cx + X_MADE);
  st32(made, 0x0000fe02 | (address << 16));
  st32(made + 4, address >>> 16);
  return made;
}

/** The encapsulated packet crosses to the tunnel's remote; false when that is no node of the model. */
function throughTunnel(cx: i32, pkt: i32): boolean {
  const node: i32 = ld32(pkt + P_NODE), remote: i32 = ld32(pkt + P_TUNNEL_REMOTE);
  if (!isSynthetic(pkt)) {
    const ip: i32 = ipv4Header(pkt);
    const flow: i32 = ip === 0 ? 0 : hash4(ld32(ip + IP_SRC), ld32(ip + IP_DST), flowPorts(pkt, ip), ld8(ip + IP_PROTO));
    emitTunnel(
      cx, pkt, flow, ld32(pkt + P_SEQ_LO) & 0xffff, ld32(node + N_DEVICES) + D_MAC, neighbourMac(cx, remote), (ld32(node + N_FLAGS) & NF_GENEVE) !== 0,
    );
  }
  const address: i32 = staticFind(ld32(cx + X_ADDRESSES), remote);
  if (address === 0) return false;
  arriveAt(cx, pkt, address);
  return true;
}

/** A packet that left a device: true when its destination is another node of the model, where it now arrives. */
function acrossWire(cx: i32, pkt: i32): boolean {
  const ip: i32 = ipv4Header(pkt);
  if (ip === 0) return false;
  const address: i32 = staticFind(ld32(cx + X_ADDRESSES), ld32(ip + IP_DST));
  if (address === 0 || ld32(address + A_NODE) - 1 === ld32(ld32(pkt + P_NODE) + N_INDEX)) return false;
  arriveAt(cx, pkt, address);
  return true;
}

function arriveAt(cx: i32, pkt: i32, address: i32): void {
  st32(pkt + P_NODE, nodeAt(cx, ld32(address + A_NODE) - 1));
  st32(pkt + P_IFINDEX, ld32(address + A_IFINDEX));
  st32(pkt + P_MARK, 0);
}

/** The node's own stack. With BPF host routing what it gets stays there; with legacy host routing it is the one that
 * routes between pods and devices. Returns the next hook, 0 when the packet stays, STACK_DELIVERED, or a drop. */
function throughStack(cx: i32, pkt: i32, at: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE);
  if ((ld32(node + N_FLAGS) & NF_HOST_ROUTING) !== 0 || at === AT_FROM_OVERLAY) return 0;
  const ip: i32 = ipv4Header(pkt);
  if (ip === 0) return 0;
  const local: i32 = endpointFind(pkt, ld32(ip + IP_DST));
  if (local !== 0) {
    if ((ld32(local + EP_FLAGS) & EPF_HOST) !== 0) return 0;
    const verdict: i32 = localDelivery(pkt, ip, local, 0, false);
    return verdict < 0 ? verdict : STACK_DELIVERED;
  }
  if (fibFind(pkt, ld32(ip + IP_SRC), ld32(ip + IP_DST)) !== FIB_OK) return 0;
  if (ipv4DecTtl(ip) < 0) return 0;
  throughNeighbour(cx, pkt, ld32(pkt + P_FIB_IFINDEX), ld32(pkt + P_FIB_NEXTHOP));
  return AT_TO_NETDEV;
}

/** Puts a packet at the door of a node: device, no mark, no tunnel key. */
export function enterNode(cx: i32, pkt: i32, index: i32): void {
  const node: i32 = nodeAt(cx, index);
  st32(pkt + P_NODE, node);
  st32(pkt + P_IFINDEX, ld32(ld32(node + N_DEVICES) + D_IFINDEX));
  st32(pkt + P_MARK, 0);
  st32(pkt + P_TUNNEL_VNI, 0);
  st32(pkt + P_TUNNEL_REMOTE, 0);
}

/** Names the pod whose program runs; false when the source is none of the node's pods. */
export function enterPod(pkt: i32, address: i32): boolean {
  const endpoint: i32 = endpointFind(pkt, address);
  st32(pkt + P_ENDPOINT, endpoint);
  return endpoint !== 0 && (ld32(endpoint + EP_FLAGS) & EPF_HOST) === 0;
}
