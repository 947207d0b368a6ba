// A batch of descriptors, packet after packet: enter, walk, settle. The engine calls this and nothing else per packet.
import { fill, ld32, ldf64, mul, st32 } from "../mem.ts";
import {
  EP_IDENTITY, N_TUNNEL_IFINDEX, P_COUNTED, P_ENDPOINT, P_FLAGS, P_FLOW, P_FRAME, P_IFINDEX, P_LEN, P_MARK, P_NODE, P_NOW, P_POLICY, P_SEQ_HI, P_SEQ_LO, P_SHARD, P_SIZE,
  P_TIME_NSEC, P_TIME_SEC, P_TUNNEL_REMOTE, P_TUNNEL_VNI, P_WIRE_LEN, PF_SNAPPED,
} from "../layout.ts";
import { FK_OUTSIDE, FK_POD, OUT_DELIVERED, OUT_DROPPED, OUT_PASSED } from "../layout-flow.ts";
import { ETH_LEN } from "../wire/ipv4.ts";
import { MARK_HOST } from "../verdict.ts";
import { forgetAsked } from "../datapath/lookups.ts";
import { swapPorts } from "../datapath/ports.ts";
import { endWaysOf } from "../datapath/sketch.ts";
import {
  A_KIND, A_NODE, A_POD, B_ENTRY, B_EXIT, B_FRAME, B_LEN, B_NODE, B_NOW, B_NSEC, B_OUTCOME, B_REMOTE, B_SEC, B_SEQ_HI, B_SEQ_LO, B_SHARD, B_SIZE, B_VNI, B_WIRE_LEN, B_WROTE,
  ENTRY_HOST, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_POD, HOOK_FROM_CONTAINER, NC_REPLY_RESTORED, STREAM_EXTERNAL, STREAM_POD, TL_PASS, X_CURSORS, X_EXIT, X_NOTES,
  X_PACKET, X_SHARDS, X_SKETCH,
} from "./layout-batch.ts";
import { B_HINT_HASH, fetchAhead, GROUP } from "./fetch-ahead.ts";
import { emitFrame } from "./emit.ts";
import { clusterFind, destinationOf, isIcmp, isIpv6, protoOf, readHeaders, sourceOf, tellFamily } from "./family.ts";
import { answeredFlow, flowIdentity, flowOf, flowPorts, flowSettle } from "./flows.ts";
import { ingest } from "./ingest.ts";
import { learnWay } from "./learn.ts";
import { forgetNextHop, isLive, keepForWires } from "./live-exit.ts";
import { learnLiveWay, takeLiveWay } from "./live-way.ts";
import { enterNode, enterPod } from "./nodes.ts";
import { settleOpener } from "./opener.ts";
import { checkReply, restoreReply } from "./replies.ts";
import { beginSketch } from "./sketch.ts";
import { countOutcome, countTally } from "./tally.ts";
import { takeWay } from "./way.ts";
import { AT_FROM_CONTAINER, AT_FROM_NETDEV, AT_FROM_OVERLAY, AT_TO_NETDEV, walk } from "./walk.ts";

/** Runs `count` descriptors from `first` on. The stream cursors of the context advance; each descriptor gets the bytes it
 * wrote to each stream, and its outcome. */
export function processBatch(cx: i32, first: i32, count: i32): void {
  const end: i32 = first + mul(count, B_SIZE), live: boolean = isLive(cx), knowsWays: boolean = ld32(cx + X_SKETCH) !== 0 && !live;
  let fetched: i32 = first;
  for (let d: i32 = first; d < end; d += B_SIZE) {
    if (knowsWays && d === fetched) {
      fetched = fetched + mul(GROUP, B_SIZE);
      if (fetched > end) fetched = end;
      fetchAhead(cx, d, fetched);
    }
    const hash: i32 = knowsWays ? ld32(d + B_HINT_HASH) : 0;
    const pod: i32 = ld32(cx + X_CURSORS), overlay: i32 = ld32(cx + X_CURSORS + 4), external: i32 = ld32(cx + X_CURSORS + 8), trace: i32 = ld32(cx + X_CURSORS + 12);
    let outcome: i32 = live ? takeLiveWay(cx, d) : hash === 0 ? 0 : takeWay(cx, d, hash);
    if (outcome === 0) outcome = walked(cx, d, end);
    st32(d + B_OUTCOME, outcome);
    st32(d + B_WROTE, ld32(cx + X_CURSORS) - pod);
    st32(d + B_WROTE + 4, ld32(cx + X_CURSORS + 4) - overlay);
    st32(d + B_WROTE + 8, ld32(cx + X_CURSORS + 8) - external);
    st32(d + B_WROTE + 12, ld32(cx + X_CURSORS + 12) - trace);
  }
}

/** OUT_… of a packet that goes its way hook by hook; its descriptor tells where it left, and as what. */
function walked(cx: i32, d: i32, end: i32): i32 {
  const live: boolean = isLive(cx);
  st32(cx + X_EXIT, 0);
  if (live) forgetNextHop(cx);
  const outcome: i32 = processPacket(cx, d, end), pkt: i32 = ld32(cx + X_PACKET);
  if (live) {
    // First what reads the descriptor as it came in: the next hop takes its place.
    learnLiveWay(cx, pkt, d, outcome);
    keepForWires(cx, pkt, d);
  }
  st32(d + B_EXIT, ld32(cx + X_EXIT));
  st32(d + B_FRAME, ld32(pkt + P_FRAME));
  st32(d + B_LEN, ld32(pkt + P_LEN));
  return outcome;
}

function loadPacket(cx: i32, d: i32): i32 {
  const pkt: i32 = ld32(cx + X_PACKET);
  fill(pkt, 0, P_SIZE);
  forgetAsked(pkt);
  st32(pkt + P_FRAME, ld32(d + B_FRAME));
  st32(pkt + P_LEN, ld32(d + B_LEN));
  st32(pkt + P_WIRE_LEN, ld32(d + B_WIRE_LEN));
  st32(pkt + P_COUNTED, ld32(d + B_WIRE_LEN));
  st32(pkt + P_TIME_SEC, ld32(d + B_SEC));
  st32(pkt + P_TIME_NSEC, ld32(d + B_NSEC));
  st32(pkt + P_SEQ_LO, ld32(d + B_SEQ_LO));
  st32(pkt + P_SEQ_HI, ld32(d + B_SEQ_HI));
  st32(pkt + P_NOW, ld32(d + B_NOW));
  st32(pkt + P_SHARD, ld32(ld32(cx + X_SHARDS) + (ld32(d + B_SHARD) << 2)));
  if (ld32(d + B_LEN) < ld32(d + B_WIRE_LEN)) st32(pkt + P_FLAGS, PF_SNAPPED);
  enterNode(cx, pkt, ld32(d + B_NODE));
  return pkt;
}

/** Returns OUT_…; steering has made sure that the frame holds an IP header. */
function processPacket(cx: i32, d: i32, end: i32): i32 {
  const pkt: i32 = loadPacket(cx, d);
  if (!tellFamily(pkt)) return passUnseen(cx, pkt);
  readHeaders(pkt);
  const ip: i32 = ld32(pkt + P_FRAME) + ETH_LEN, entry: i32 = ld32(d + B_ENTRY), node: i32 = ld32(d + B_NODE);
  ingest(cx, pkt, ip);
  if (entry === ENTRY_POD) return fromPod(cx, pkt, ip, node, d, end);
  if (entry === ENTRY_NETDEV || entry === ENTRY_HOST || entry === ENTRY_OVERLAY) return atNode(cx, pkt, ip, node, entry, d);
  return toPod(cx, pkt, ip, node, d, end);
}

/** Steering and tables disagree on a packet: it counts as passed at the first hook, so that the sums hold. */
function passUnseen(cx: i32, pkt: i32): i32 {
  countTally(cx, pkt, TL_PASS, HOOK_FROM_CONTAINER, 0);
  return finish(cx, pkt, OUT_PASSED, false);
}

function fromPod(cx: i32, pkt: i32, ip: i32, node: i32, d: i32, end: i32): i32 {
  beginSketch(cx, pkt);
  emitFrame(cx, pkt, STREAM_POD);
  const six: boolean = isIpv6(pkt);
  if (!enterPod(pkt, sourceOf(six, ip))) return passUnseen(cx, pkt);
  const peer: i32 = clusterFind(cx, six, destinationOf(six, ip));
  const answered: i32 = peer !== 0 && ld32(peer + A_KIND) === A_POD ? answeredFlow(pkt, ip, ld32(peer + A_NODE) - 1) : 0;
  if (answered !== 0) st32(pkt + P_FLOW, answered);
  else {
    st32(pkt + P_FLOW, flowOf(pkt, ip, node, FK_POD, true));
    settleOpener(cx, pkt, ip, true, flowPorts(pkt, ip), d + B_SIZE, end, ld32(d + B_SEQ_LO));
    flowIdentity(pkt, ld32(ld32(pkt + P_ENDPOINT) + EP_IDENTITY));
  }
  const outcome: i32 = walk(cx, pkt, AT_FROM_CONTAINER);
  if (!isLive(cx)) learnWay(cx, pkt, d, answered !== 0, outcome);
  return finish(cx, pkt, outcome, answered !== 0);
}

function toPod(cx: i32, pkt: i32, ip: i32, node: i32, d: i32, end: i32): i32 {
  st32(pkt + P_FLOW, flowOf(pkt, ip, node, FK_POD, false));
  const ports: i32 = flowPorts(pkt, ip);
  const podPorts: i32 = isIcmp(isIpv6(pkt), protoOf(pkt, ip)) ? ports : swapPorts(ports);
  settleOpener(cx, pkt, ip, false, podPorts, d + B_SIZE, end, ld32(d + B_SEQ_LO));
  beginSketch(cx, pkt);
  const restored: f64 = ldf64(ld32(cx + X_NOTES) + (NC_REPLY_RESTORED << 3));
  const outcome: i32 = walkReply(cx, pkt, ip, restoreReply(cx, pkt, ip, podPorts));
  if (outcome === OUT_DELIVERED) checkReply(cx, pkt, ip, restored);
  learnWay(cx, pkt, d, true, outcome);
  return finish(cx, pkt, outcome, true);
}

/** The way of a restored reply: from the device of the node that translates it, or from the pod that is a service's backend. */
function walkReply(cx: i32, pkt: i32, ip: i32, entrance: i32): i32 {
  const source: i32 = sourceOf(isIpv6(pkt), ip), sender: i32 = clusterFind(cx, isIpv6(pkt), source);
  const fromBackend: boolean = sender !== 0 && ld32(sender + A_KIND) === A_POD;
  enterNode(cx, pkt, fromBackend ? ld32(sender + A_NODE) - 1 : entrance);
  st32(pkt + P_POLICY, 0);
  if (fromBackend && enterPod(pkt, source)) return walk(cx, pkt, AT_FROM_CONTAINER);
  emitFrame(cx, pkt, STREAM_EXTERNAL);
  return walk(cx, pkt, AT_FROM_NETDEV);
}

/** Frames of a capture taken on a node, or that come in live: they enter as they are, and may leave state that a pod's flow meets
 * later. */
function atNode(cx: i32, pkt: i32, ip: i32, node: i32, entry: i32, d: i32): i32 {
  if (isLive(cx)) beginSketch(cx, pkt);
  else endWaysOf(pkt);
  if (entry === ENTRY_HOST) {
    st32(pkt + P_MARK, MARK_HOST);
    st32(pkt + P_FLOW, flowOf(pkt, ip, node, FK_OUTSIDE, true));
    return finish(cx, pkt, walk(cx, pkt, AT_TO_NETDEV), false);
  }
  if (entry === ENTRY_OVERLAY) {
    st32(pkt + P_TUNNEL_VNI, ld32(d + B_VNI));
    st32(pkt + P_TUNNEL_REMOTE, ld32(d + B_REMOTE));
    st32(pkt + P_IFINDEX, ld32(ld32(pkt + P_NODE) + N_TUNNEL_IFINDEX));
    st32(pkt + P_FLOW, flowOf(pkt, ip, node, FK_OUTSIDE, true));
    return finish(cx, pkt, walk(cx, pkt, AT_FROM_OVERLAY), false);
  }
  emitFrame(cx, pkt, STREAM_EXTERNAL);
  st32(pkt + P_FLOW, flowOf(pkt, ip, node, FK_OUTSIDE, false));
  return finish(cx, pkt, walk(cx, pkt, AT_FROM_NETDEV), true);
}

function finish(cx: i32, pkt: i32, end: i32, reply: boolean): i32 {
  const outcome: i32 = end < 0 ? OUT_DROPPED : end;
  countOutcome(cx, pkt, outcome);
  flowSettle(cx, pkt, reply, outcome, end < 0 ? -end : 0);
  return outcome;
}

