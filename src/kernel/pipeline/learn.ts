// From the sketch of a walk to the way that the flow's next packets take (way.ts), and the end of ways.
import { copy, ld16, ld32, ld8, ldf64, mul, st16, st32, st8 } from "../mem.ts";
import { K0, N_FLAGS, NF_ACCOUNTING, NOTE_EXCLUDED, NOTE_REPLY, P_FLOW, P_NOTES, P_SHARD } from "../layout.ts";
import { F_WAYS, OUT_DELIVERED, OUT_FORWARDED } from "../layout-flow.ts";
import {
  NEVER, P_SKETCH, S_EPOCH, S_WAYS, S_WAYS_CAPACITY, S_WAYS_USED, SK_CAPTURED, SK_CHANGED, SK_CT, SK_CT_COUNT, SK_FIRST, SK_FRAMES, SK_HEADERS, SK_IDENTICAL,
  SK_LAST, SK_NODE, SK_OUTER_PORT, SK_REMOTE, SK_RESTORED, SK_STATE, SK_TRIAL, SK_TUNNEL, SK_TUNNEL_AFTER, SK_TUNNELS, SK_USE, SK_USE_REPLY, SK_USES,
  SK_VNI, W_ADDRESS, W_CT_FIRST, W_CT_SECOND, W_END_MACS, W_EPOCH, W_FLAGS, W_IP_DIFF, W_L4_DIFF, W_NOW, W_OUTER_PORT, W_PORT, W_RAISED, W_ROUTE, W_SIZE,
  W_TO_END, W_TO_TUNNEL, W_TUNNEL_MACS, W_USE, WF_ACCOUNTING, WF_DELIVERED, WF_FIRST_INGRESS, WF_FROM_OUTSIDE, WF_RESTORED, WF_SECOND_INGRESS, WF_SNAT,
} from "../layout-way.ts";
import { DIR_INGRESS } from "../datapath/conntrack.ts";
import { portDiff } from "../datapath/snat-rewrite.ts";
import { staticFind } from "../table/static.ts";
import { csumDiff32, csumFold } from "../wire/checksum.ts";
import { ETH_LEN, IP_CSUM, IP_DST, IP_PROTO, IP_SRC, IP_TTL, PROTO_TCP } from "../wire/ipv4.ts";
import { L4_DPORT, L4_SPORT } from "../wire/l4.ts";
import {
  A_KIND, A_POD, B_ENTRY, B_LEN, B_NOW, B_WIRE_LEN, ENTRY_REPLY, NC_REPLY_IDENTICAL, NC_REPLY_RESTORED, X_ADDRESSES, X_NODES, X_NOTES,
} from "./layout-batch.ts";
import { neighbourMac } from "./crossing.ts";
import { routeOf } from "./outer.ts";
import { amended, ipChecksum, isAmbiguous, isPlainButForFlags, l4ChecksumAt, L4, opensOrCloses } from "./plain.ts";
import { hopDiff } from "./way.ts";

const MACS: i32 = 12;

/** After a walk: a packet that changed state ends its flow's ways; a plain one that only looked, or one that opens or closes its
 * connection but is so otherwise, leaves a way for the next. `outcome` is OUT_…, or negative. */
export function learnWay(cx: i32, pkt: i32, d: i32, reply: boolean, outcome: i32): void {
  const sketch: i32 = ld32(pkt + P_SKETCH), flow: i32 = ld32(pkt + P_FLOW);
  if (sketch === 0 || flow === 0) return;
  if (ld32(sketch + SK_STATE) === SK_CHANGED) {
    endWaysOfFlow(flow);
    return;
  }
  const captured: i32 = sketch + SK_CAPTURED, turns: boolean = opensOrCloses(captured);
  if (turns) touchAnew(flow);
  if ((outcome !== OUT_FORWARDED && outcome !== OUT_DELIVERED) || ld32(d + B_WIRE_LEN) !== ld32(d + B_LEN)) return;
  if (ld32(d + B_LEN) < SK_HEADERS || !isPlainButForFlags(captured, ld32(d + B_LEN), ld32(d + B_WIRE_LEN)) || !isSimple(sketch, reply)) return;
  if ((ld32(pkt + P_NOTES) & ~(NOTE_REPLY | NOTE_EXCLUDED)) !== 0) return;
  const way: i32 = roomFor(ld32(pkt + P_SHARD), flow, reply);
  if (way === 0) return;
  st32(way + W_EPOCH, 0);
  if (!write(cx, sketch, way, d, outcome) || !proven(sketch, way)) return;
  // An entry that opens or closes learns from the next packet too, in the same second.
  st32(way + W_NOW, turns ? NEVER : ld32(d + B_NOW));
  st32(way + W_EPOCH, ld32(ld32(pkt + P_SHARD) + S_EPOCH));
}

export function endWaysOfFlow(flow: i32): void {
  const ways: i32 = ld32(flow + F_WAYS);
  if (ways === 0) return;
  st32(ways + W_EPOCH, 0);
  st32(ways + W_SIZE + W_EPOCH, 0);
}

/** What the flow's entries know has changed: the next packet of either way touches them. */
function touchAnew(flow: i32): void {
  const ways: i32 = ld32(flow + F_WAYS);
  if (ways === 0) return;
  st32(ways + W_NOW, NEVER);
  st32(ways + W_SIZE + W_NOW, NEVER);
}

/** One frame at each end, at most one tunnel between them, at most two conntrack entries, counted once at most. */
function isSimple(sketch: i32, reply: boolean): boolean {
  if (ld32(sketch + SK_FRAMES) !== 2 || ld32(sketch + SK_CT_COUNT) > 2) return false;
  if (ld32(sketch + SK_TUNNELS) > 1 || (ld32(sketch + SK_TUNNELS) === 1 && ld32(sketch + SK_TUNNEL_AFTER) !== 1)) return false;
  return ld32(sketch + SK_USES) === 0 || (ld32(sketch + SK_USES) === 1 && (ld32(sketch + SK_USE_REPLY) !== 0) === reply);
}

function roomFor(shard: i32, flow: i32, reply: boolean): i32 {
  let ways: i32 = ld32(flow + F_WAYS);
  if (ways === 0) {
    const used: i32 = ld32(shard + S_WAYS_USED);
    if (used >= ld32(shard + S_WAYS_CAPACITY)) return 0;
    ways = ld32(shard + S_WAYS) + mul(used, W_SIZE << 1);
    st32(shard + S_WAYS_USED, used + 1);
    st32(flow + F_WAYS, ways);
  }
  return ways + (reply ? W_SIZE : 0);
}

/** Fills in everything but the epoch; false where the walk was of a kind that ways do not describe. */
function write(cx: i32, sketch: i32, way: i32, d: i32, outcome: i32): boolean {
  const captured: i32 = sketch + SK_CAPTURED, first: i32 = sketch + SK_FIRST, last: i32 = sketch + SK_LAST;
  const restored: boolean = ldf64(sketch + SK_RESTORED) !== ldf64(ld32(cx + X_NOTES) + (NC_REPLY_RESTORED << 3));
  const identical: boolean = ldf64(sketch + SK_IDENTICAL) !== ldf64(ld32(cx + X_NOTES) + (NC_REPLY_IDENTICAL << 3));
  if (restored !== identical) return false;
  const fromOutside: boolean = ld32(d + B_ENTRY) === ENTRY_REPLY, delivered: boolean = outcome === OUT_DELIVERED;
  // A pod's packet to an address of the cluster that is no pod's might meet a mapping of that address.
  const ip: i32 = captured + ETH_LEN, peer: i32 = staticFind(ld32(cx + X_ADDRESSES), ld32(ip + (fromOutside ? IP_SRC : IP_DST)));
  if (peer !== 0 && (ld32(peer + A_KIND) !== A_POD || !delivered)) return false;

  const flags: i32 = (delivered ? WF_DELIVERED : 0) | (fromOutside ? WF_FROM_OUTSIDE : 0) | (restored ? WF_RESTORED : 0) | writeState(cx, sketch, way);

  const raised: i32 = ttl(first) - ttl(captured);
  if (raised < 0) return false;
  st8(way + W_RAISED, raised);
  st8(way + W_TO_END, ttl(first) - ttl(last));
  st8(way + W_TO_TUNNEL, 0);
  st32(way + W_ROUTE, 0);
  copy(way + W_END_MACS, last, MACS);
  if (ld32(sketch + SK_TUNNELS) === 1) {
    const remote: i32 = ld32(sketch + SK_REMOTE);
    const route: i32 = routeOf(cx, ld32(sketch + SK_NODE), remote, ld32(sketch + SK_VNI), neighbourMac(cx, false, remote));
    if (route === 0) return false;
    st32(way + W_ROUTE, route);
    st8(way + W_TO_TUNNEL, ttl(first) - ttl(sketch + SK_TUNNEL));
    st16(way + W_OUTER_PORT, ld32(sketch + SK_OUTER_PORT));
    copy(way + W_TUNNEL_MACS, sketch + SK_TUNNEL, MACS);
  }
  st8(way + W_FLAGS, flags | writeTranslation(way, first, last, fromOutside));
  return true;
}

/** Conntrack entries and counters that the walk met; returns WF_… bits of the entries. */
export function writeState(cx: i32, sketch: i32, way: i32): i32 {
  const count: i32 = ld32(sketch + SK_CT_COUNT), entry: i32 = count > 0 ? ld32(sketch + SK_CT) : 0, other: i32 = count > 1 ? ld32(sketch + SK_CT + 8) : 0;
  st32(way + W_CT_FIRST, entry);
  st32(way + W_CT_SECOND, other);
  st32(way + W_USE, ld32(sketch + SK_USES) === 0 ? 0 : ld32(sketch + SK_USE));
  let flags: i32 = counts(cx, entry) || counts(cx, other) ? WF_ACCOUNTING : 0;
  if (entry !== 0 && ld32(sketch + SK_CT + 4) === DIR_INGRESS) flags = flags | WF_FIRST_INGRESS;
  if (other !== 0 && ld32(sketch + SK_CT + 12) === DIR_INGRESS) flags = flags | WF_SECOND_INGRESS;
  return flags;
}

export function ttl(frame: i32): i32 { return ld8(frame + ETH_LEN + IP_TTL); }

function counts(cx: i32, entry: i32): boolean {
  if (entry === 0) return false;
  return (ld32(ld32(ld32(cx + X_NODES) + ((ld32(entry + K0) >>> 16) << 2)) + N_FLAGS) & NF_ACCOUNTING) !== 0;
}

/** Where the frame from outside bears another destination than the pod gets, or the last frame another source than the first:
 * that address and port, and what they add to the sums. Returns WF_SNAT for the latter. */
export function writeTranslation(way: i32, first: i32, last: i32, fromOutside: boolean): i32 {
  const before: i32 = fromOutside ? last : first, after: i32 = fromOutside ? first : last;
  const addressAt: i32 = ETH_LEN + (fromOutside ? IP_DST : IP_SRC), portAt: i32 = L4 + (fromOutside ? L4_DPORT : L4_SPORT);
  const from: i32 = ld32(before + addressAt), to: i32 = ld32(after + addressAt), fromPort: i32 = ld16(before + portAt), toPort: i32 = ld16(after + portAt);
  st32(way + W_ADDRESS, 0);
  st16(way + W_IP_DIFF, 0);
  if (from === to && fromPort === toPort) return 0;
  const diff: i32 = csumDiff32(from, to);
  st32(way + W_ADDRESS, to);
  st16(way + W_PORT, toPort);
  st16(way + W_IP_DIFF, diff);
  st16(way + W_L4_DIFF, csumFold(diff + portDiff(fromPort, toPort)));
  return fromOutside ? 0 : WF_SNAT;
}

/** Does the way lead this packet to the headers that its walk showed? */
function proven(sketch: i32, way: i32): boolean {
  const captured: i32 = sketch + SK_CAPTURED, proto: i32 = ld8(captured + ETH_LEN + IP_PROTO), flags: i32 = ld8(way + W_FLAGS);
  const raised: i32 = ld8(way + W_RAISED), diff: i32 = ld16(way + W_IP_DIFF), address: i32 = ld32(way + W_ADDRESS), snat: boolean = (flags & WF_SNAT) !== 0;
  const undone: boolean = address !== 0 && !snat;
  if (!arrives(sketch, way, sketch + SK_FIRST, 0, raised, undone ? diff : 0, undone, proto)) return false;
  if (ld32(way + W_ROUTE) !== 0 && !arrives(sketch, way, sketch + SK_TUNNEL, way + W_TUNNEL_MACS, raised - ld8(way + W_TO_TUNNEL), 0, false, proto)) return false;
  return arrives(sketch, way, sketch + SK_LAST, way + W_END_MACS, raised - ld8(way + W_TO_END), snat ? diff : 0, snat, proto);
}

export function arrives(sketch: i32, way: i32, shown: i32, macs: i32, hops: i32, diff: i32, translates: boolean, proto: i32): boolean {
  const captured: i32 = sketch + SK_CAPTURED, trial: i32 = sketch + SK_TRIAL, snat: boolean = (ld8(way + W_FLAGS) & WF_SNAT) !== 0;
  copy(trial, captured, SK_HEADERS);
  if (macs !== 0) copy(trial, macs, MACS);
  st8(trial + ETH_LEN + IP_TTL, ttl(captured) + hops);
  const ip: i32 = amended(ipChecksum(captured), diff + hopDiff(hops));
  st16(trial + ETH_LEN + IP_CSUM, ip);
  const at: i32 = l4ChecksumAt(trial, proto);
  if (translates) {
    st32(trial + ETH_LEN + (snat ? IP_SRC : IP_DST), ld32(way + W_ADDRESS));
    st16(trial + L4 + (snat ? L4_SPORT : L4_DPORT), ld16(way + W_PORT));
    if (ld16(at) !== 0 || proto === PROTO_TCP) st16(at, amended(ld16(at), ld16(way + W_L4_DIFF)));
  }
  // What is neither 0 nor 0xffff is comparable; a packet with one that is cannot prove a way.
  if (isAmbiguous(ip) || (isAmbiguous(ld16(at)) && ld16(captured + (at - trial)) !== 0)) return false;
  for (let k: i32 = 0; k < SK_HEADERS; k += 4) if (ld32(trial + k) !== ld32(shown + k)) return false;
  return true;
}
