// Ways of live traffic: what the packets of an established flow have in common from the device they come in by to the one they
// leave by, learnt from one that was walked, as in a replay (way.ts, learn.ts). Here a packet may enter anywhere, at a pod's device, a
// node's or out of the tunnel, and is changed where it lies.
//
// Why it is the same. A walk depends on the packet's headers, on the control plane's tables, and on conntrack and NAT entries of its
// shard. Whatever makes, changes or takes out an entry ends all ways of the shard (below; collect.ts, evict.ts), and so do new
// tables (live/live-loop.ts). What a found entry learns from a packet it learns from the first in each second.
import { copy, ld16, ld32, ld8, mul, st16, st32, st8 } from "../mem.ts";
import { D_MTU, K1, N_DEVICES, NOTE_EXCLUDED, NOTE_REPLY, P_FLOW, P_FRAME, P_LEN, P_NOTES, P_SHARD, S_FLOW } from "../layout.ts";
import { F_WAYS, FK_OUTSIDE, FK_POD, OUT_DELIVERED, OUT_FORWARDED } from "../layout-flow.ts";
import {
  P_SKETCH, S_EPOCH, S_WAYS, S_WAYS_CAPACITY, S_WAYS_USED, SK_CAPTURED, SK_CT_COUNT, SK_HEADERS, SK_NODE, SK_ONLY_LOOKED, SK_OUTER_PORT, SK_REMOTE, SK_STATE,
  SK_TUNNEL, SK_TUNNELS, SK_USE_REPLY, SK_USES, SK_VNI, W_ADDRESS, W_END_MACS, W_EPOCH, W_EXIT, W_FLAGS, W_FLOW, W_IP_DIFF, W_L4_DIFF,
  W_NOW, W_OUTER_PORT, W_PORT, W_REMOTE, W_ROUTE, W_SIZE, W_TO_END, W_VNI, WF_ACCOUNTING, WF_DELIVERED, WF_SNAT,
} from "../layout-way.ts";
import { swapPorts } from "../datapath/ports.ts";
import { endWays } from "../datapath/sketch.ts";
import { find } from "../table/dynamic.ts";
import { ETH_LEN, IP_CSUM, IP_DST, IP_PROTO, IP_SRC, IP_TTL, PROTO_TCP } from "../wire/ipv4.ts";
import { L4_DPORT, L4_SPORT } from "../wire/l4.ts";
import {
  B_ENTRY, B_EXIT, B_FRAME, B_LEN, B_NODE, B_NOW, B_REMOTE, B_SHARD, B_VNI, B_WIRE_LEN, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_POD, EXIT_TUNNEL, STREAM_OVERLAY, X_EXIT,
  X_NODES, X_SHARDS, X_SKETCH, X_WRITE,
} from "./layout-batch.ts";
import { neighbourMac } from "./crossing.ts";
import { RECORD_HEADER, takes } from "./emit.ts";
import { arrives, endWaysOfFlow, ttl, writeState, writeTranslation } from "./learn.ts";
import { routeOf, TUNNEL_OVERHEAD } from "./outer.ts";
import { amended, ipChecksum, isAmbiguous, isPlain, l4ChecksumAt, L4, mayBePartial, opensOrCloses } from "./plain.ts";
import { count, hopDiff, touch, tunnelled } from "./way.ts";

const MACS: i32 = 12;

/** OUT_… of a plain packet whose way is known, 0 for one that must be walked; nothing has happened to that one. */
export function takeLiveWay(cx: i32, d: i32): i32 {
  const frame: i32 = ld32(d + B_FRAME), length: i32 = ld32(d + B_LEN), entry: i32 = ld32(d + B_ENTRY);
  // Captures want the frame at every hop.
  if (ld32(cx + X_SKETCH) === 0 || ld32(cx + X_WRITE) !== 1 << STREAM_OVERLAY || !isPlain(frame, length, ld32(d + B_WIRE_LEN))) return 0;
  const ip: i32 = frame + ETH_LEN, shard: i32 = ld32(ld32(cx + X_SHARDS) + (ld32(d + B_SHARD) << 2)), reply: boolean = entry === ENTRY_NETDEV;
  const k0: i32 = (ld32(d + B_NODE) << 16) | (ld8(ip + IP_PROTO) << 8) | (entry === ENTRY_POD ? FK_POD : FK_OUTSIDE), ports: i32 = ld32(frame + L4);
  const flow: i32 = reply ? find(shard + S_FLOW, k0, ld32(ip + IP_DST), ld32(ip + IP_SRC), swapPorts(ports)) : find(shard + S_FLOW, k0, ld32(ip + IP_SRC), ld32(ip + IP_DST), ports);
  if (flow === 0) return 0;
  const ways: i32 = ld32(flow + F_WAYS);
  if (ways === 0 || ld32(ways + W_FLOW) !== flow) return 0;
  const way: i32 = ways + (reply ? W_SIZE : 0);
  if (ld32(way + W_EPOCH) !== ld32(shard + S_EPOCH)) return 0;
  if (entry === ENTRY_OVERLAY && (ld32(way + W_VNI) !== ld32(d + B_VNI) || ld32(way + W_REMOTE) !== ld32(d + B_REMOTE))) return 0;
  return go(cx, d, flow, way, frame, length, reply);
}

/** Everything that may speak against the way is looked at before anything is changed. */
function go(cx: i32, d: i32, flow: i32, way: i32, frame: i32, length: i32, reply: boolean): i32 {
  const ip: i32 = frame + ETH_LEN, proto: i32 = ld8(ip + IP_PROTO), flags: i32 = ld8(way + W_FLAGS), hops: i32 = ld8(way + W_TO_END), exit: i32 = ld8(way + W_EXIT);
  if (ld8(ip + IP_TTL) <= hops) return 0;
  if (length > ld32(ld32(ld32(ld32(cx + X_NODES) + (ld32(d + B_NODE) << 2)) + N_DEVICES) + D_MTU) + ETH_LEN) return 0;
  if (exit === EXIT_TUNNEL && !takes(cx, STREAM_OVERLAY, RECORD_HEADER + TUNNEL_OVERHEAD + length)) return 0;
  const checksum: i32 = ld16(l4ChecksumAt(frame, proto)), address: i32 = ld32(way + W_ADDRESS);
  if (mayBePartial(frame, checksum)) return 0;
  let translated: i32 = checksum;
  if (address !== 0 && (checksum !== 0 || proto === PROTO_TCP)) {
    translated = amended(checksum, ld16(way + W_L4_DIFF));
    if (isAmbiguous(checksum) || isAmbiguous(translated)) return 0;
  }
  const before: i32 = ipChecksum(frame), after: i32 = amended(before, ld16(way + W_IP_DIFF) + hopDiff(-hops));
  if (isAmbiguous(before) || isAmbiguous(after)) return 0;

  if (ld32(way + W_NOW) !== ld32(d + B_NOW) || (flags & WF_ACCOUNTING) !== 0) touch(cx, d, way, frame, proto, flags);
  copy(frame, way + W_END_MACS, MACS);
  st8(ip + IP_TTL, ld8(ip + IP_TTL) - hops);
  st16(ip + IP_CSUM, after);
  if (address !== 0) {
    st32(ip + ((flags & WF_SNAT) !== 0 ? IP_SRC : IP_DST), address);
    st16(frame + L4 + ((flags & WF_SNAT) !== 0 ? L4_SPORT : L4_DPORT), ld16(way + W_PORT));
    st16(l4ChecksumAt(frame, proto), translated);
  }
  if (exit === EXIT_TUNNEL) tunnelled(cx, d, ld32(way + W_ROUTE), frame, length, ld16(way + W_OUTER_PORT));
  st32(d + B_EXIT, exit);
  return count(cx, d, flow, way, length, flags, reply);
}

/** After a walk: one that made or changed an entry ends all ways of its shard, a plain packet that only looked leaves one. The
 * descriptor still tells of the packet as it came in. */
export function learnLiveWay(cx: i32, pkt: i32, d: i32, outcome: i32): void {
  const sketch: i32 = ld32(pkt + P_SKETCH), flow: i32 = ld32(pkt + P_FLOW);
  if (sketch === 0) return;
  if (ld32(sketch + SK_STATE) !== SK_ONLY_LOOKED) {
    endWays(ld32(pkt + P_SHARD));
    return;
  }
  if (flow === 0) return;
  if (opensOrCloses(sketch + SK_CAPTURED)) {
    endWaysOfFlow(flow);
    return;
  }
  const captured: i32 = sketch + SK_CAPTURED, length: i32 = ld32(d + B_LEN), entry: i32 = ld32(d + B_ENTRY), reply: boolean = entry === ENTRY_NETDEV;
  if (ld32(cx + X_EXIT) === 0 || (outcome !== OUT_FORWARDED && outcome !== OUT_DELIVERED) || length < SK_HEADERS || ld32(pkt + P_LEN) !== length) return;
  if (!isPlain(captured, length, ld32(d + B_WIRE_LEN)) || (ld32(pkt + P_NOTES) & ~(NOTE_REPLY | NOTE_EXCLUDED)) !== 0) return;
  // Of a pod's answer to another pod the record is the other's.
  if (ld32(flow + K1) !== ld32(captured + ETH_LEN + (reply ? IP_DST : IP_SRC))) return;
  if (ld32(sketch + SK_CT_COUNT) > 2 || ld32(sketch + SK_TUNNELS) > 1 || ld32(sketch + SK_USES) > 1) return;
  if (ld32(sketch + SK_USES) === 1 && (ld32(sketch + SK_USE_REPLY) !== 0) !== reply) return;
  const way: i32 = roomFor(ld32(pkt + P_SHARD), flow) + (reply ? W_SIZE : 0);
  const last: i32 = ld32(cx + X_EXIT) === EXIT_TUNNEL ? sketch + SK_TUNNEL : ld32(pkt + P_FRAME);
  st32(way + W_EPOCH, 0);
  if (!write(cx, sketch, way, d, last, outcome)) return;
  const proto: i32 = ld8(captured + ETH_LEN + IP_PROTO);
  if (!arrives(sketch, way, last, way + W_END_MACS, -ld8(way + W_TO_END), ld16(way + W_IP_DIFF), ld32(way + W_ADDRESS) !== 0, proto)) return;
  st32(way + W_NOW, ld32(d + B_NOW));
  st32(way + W_EPOCH, ld32(ld32(pkt + P_SHARD) + S_EPOCH));
}

/** The flow's pair of ways. When a shard's are used up all begin anew: a live run has no end. */
function roomFor(shard: i32, flow: i32): i32 {
  const known: i32 = ld32(flow + F_WAYS);
  if (known !== 0 && ld32(known + W_FLOW) === flow) return known;
  if (ld32(shard + S_WAYS_USED) >= ld32(shard + S_WAYS_CAPACITY)) {
    endWays(shard);
    st32(shard + S_WAYS_USED, 0);
  }
  const used: i32 = ld32(shard + S_WAYS_USED), ways: i32 = ld32(shard + S_WAYS) + mul(used, W_SIZE << 1);
  st32(shard + S_WAYS_USED, used + 1);
  st32(flow + F_WAYS, ways);
  st32(ways + W_FLOW, flow);
  st32(ways + W_EPOCH, 0);
  st32(ways + W_SIZE + W_EPOCH, 0);
  return ways;
}

/** Fills in everything but the epoch; false where the walk was of a kind that ways do not describe. */
function write(cx: i32, sketch: i32, way: i32, d: i32, last: i32, outcome: i32): boolean {
  const captured: i32 = sketch + SK_CAPTURED, reply: boolean = ld32(d + B_ENTRY) === ENTRY_NETDEV;
  const flags: i32 = (outcome === OUT_DELIVERED ? WF_DELIVERED : 0) | writeState(cx, sketch, way);
  const hops: i32 = ttl(captured) - ttl(last);
  if (hops < 0) return false;
  st8(way + W_TO_END, hops);
  st8(way + W_EXIT, ld32(cx + X_EXIT));
  st32(way + W_VNI, ld32(d + B_VNI));
  st32(way + W_REMOTE, ld32(d + B_REMOTE));
  st32(way + W_ROUTE, 0);
  copy(way + W_END_MACS, last, MACS);
  if (ld32(cx + X_EXIT) === EXIT_TUNNEL) {
    const remote: i32 = ld32(sketch + SK_REMOTE), route: i32 = routeOf(cx, ld32(sketch + SK_NODE), remote, ld32(sketch + SK_VNI), neighbourMac(cx, false, remote));
    if (route === 0) return false;
    st32(way + W_ROUTE, route);
    st16(way + W_OUTER_PORT, ld32(sketch + SK_OUTER_PORT));
  }
  st8(way + W_FLAGS, flags | (reply ? writeTranslation(way, last, captured, true) : writeTranslation(way, captured, last, false)));
  return true;
}
