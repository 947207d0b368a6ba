// A plain packet of a flow whose way is known (layout-way.ts): one look-up, then what all hooks together do to it. Measured
// against the walk with 65,536 flows and 10,000 prefixes: see docs/speed.md.
//
// Why it is the same. A way was learnt from a walk of the same flow that only looked, and its headers were made from it and
// compared (learn.ts). Tables of the control plane do not change during a run, so neither does network policy's verdict (but where
// authentication was asked, which such a walk tells). Conntrack and NAT entries that were found stay
// until something is taken out of the shard, which raises its epoch. An entry that was not found could only be made by a
// packet of the same flow, whose walk ends the flow's ways (learn.ts), or by one that enters at a node, which ends all of the
// shard's (batch.ts). What a conntrack entry learns from a packet it learns from the first in each second.
import { copy, ld16, ld32, ld8, ldf64, st16, st32, st8, stf64 } from "../mem.ts";
import { D_MTU, K0, N_DEVICES, P_NODE, P_NOW, P_WIRE_LEN, S_FLOW } from "../layout.ts";
import {
  F_FWD_BYTES, F_FWD_PACKETS, F_LAST, F_LAST_NSEC, F_LAST_SEC, F_OUTCOME, F_REPLY_BYTES, F_REPLY_PACKETS, F_WAYS, FK_POD, OUT_DELIVERED, OUT_FORWARDED,
} from "../layout-flow.ts";
import {
  P_SKETCH, S_EPOCH, W_ADDRESS, W_CT_FIRST, W_CT_SECOND, W_END_MACS, W_EPOCH, W_FLAGS, W_IP_DIFF, W_L4_DIFF, W_NOW, W_OUTER_PORT, W_PORT, W_RAISED,
  W_ROUTE, W_SIZE, W_TO_END, W_TO_TUNNEL, W_TUNNEL_MACS, W_USE, WF_ACCOUNTING, WF_DELIVERED, WF_FIRST_INGRESS, WF_FROM_OUTSIDE, WF_RESTORED,
  WF_SECOND_INGRESS, WF_SNAT,
} from "../layout-way.ts";
import { DIR_EGRESS, DIR_INGRESS, seen } from "../datapath/conntrack.ts";
import { swapPorts } from "../datapath/ports.ts";
import { find, findHashed } from "../table/dynamic.ts";
import { staticFind } from "../table/static.ts";
import { ETH_LEN, IP_CSUM, IP_DST, IP_PROTO, IP_SRC, IP_TOS, IP_TTL, PROTO_TCP } from "../wire/ipv4.ts";
import { L4_DPORT, L4_SPORT, TCP_FLAGS } from "../wire/l4.ts";
import {
  A_KIND, A_NODE, A_POD, B_ENTRY, B_FRAME, B_LEN, B_NODE, B_NOW, B_NSEC, B_SEC, B_SEQ_HI, B_SEQ_LO, B_SHARD, B_WIRE_LEN, ENTRY_REPLY,
  NC_ON_WAY, NC_REPLY_IDENTICAL, NC_REPLY_RESTORED, STREAM_EXTERNAL, STREAM_OVERLAY, STREAM_POD, STREAM_TRACE, U_FWD_BYTES, U_FWD_PACKETS, U_REPLY_BYTES, U_REPLY_PACKETS,
  X_ADDRESSES, X_CURSORS, X_NODES, X_NOTES, X_PACKET, X_SHARDS, X_TOTALS, X_WRITE,
} from "./layout-batch.ts";
import { isTraced, RECORD_HEADER, takes, wide } from "./emit.ts";
import { putOuter, TUNNEL_OVERHEAD } from "./outer.ts";
import { amended, ipChecksum, isAmbiguous, l4ChecksumAt, L4, mayBePartial } from "./plain.ts";

const MACS: i32 = 12;
const STREAM_BITS: i32 = (1 << STREAM_POD) | (1 << STREAM_OVERLAY) | (1 << STREAM_EXTERNAL);

/** What a change of the TTL adds to the header's sum: the TTL is the low half of its word as it lies in memory. */
export function hopDiff(change: i32): i32 { return change < 0 ? 0xffff + change : change; }

/** OUT_… of a plain packet (`hash` is that of its flow's key) whose way is known, 0 for one that must be walked; nothing has
 * happened to that one. */
export function takeWay(cx: i32, d: i32, hash: i32): i32 {
  const frame: i32 = ld32(d + B_FRAME), length: i32 = ld32(d + B_LEN);
  const ip: i32 = frame + ETH_LEN, proto: i32 = ld8(ip + IP_PROTO);
  const shard: i32 = ld32(ld32(cx + X_SHARDS) + (ld32(d + B_SHARD) << 2)), node: i32 = ld32(d + B_NODE);
  const source: i32 = ld32(ip + IP_SRC), destination: i32 = ld32(ip + IP_DST), ports: i32 = ld32(frame + L4);
  let reply: boolean = ld32(d + B_ENTRY) === ENTRY_REPLY;
  let flow: i32 = findHashed(
    shard + S_FLOW, hash, (node << 16) | (proto << 8) | FK_POD, reply ? destination : source, reply ? source : destination, reply ? swapPorts(ports) : ports,
  );
  if (flow === 0 && !reply) {
    // Of a pod's packet to another pod either it or the peer opened the flow, and there is one record for both.
    const peer: i32 = staticFind(ld32(cx + X_ADDRESSES), destination);
    if (peer === 0 || ld32(peer + A_KIND) !== A_POD) return 0;
    flow = find(shard + S_FLOW, ((ld32(peer + A_NODE) - 1) << 16) | (proto << 8) | FK_POD, destination, source, swapPorts(ports));
    reply = true;
  }
  if (flow === 0) return 0;
  const ways: i32 = ld32(flow + F_WAYS);
  if (ways === 0) return 0;
  const way: i32 = ways + (reply ? W_SIZE : 0);
  if (ld32(way + W_EPOCH) !== ld32(shard + S_EPOCH)) return 0;
  return go(cx, d, flow, way, frame, length, reply);
}

/** Checksums that a frame gets, computed before anything is changed. */
function go(cx: i32, d: i32, flow: i32, way: i32, frame: i32, length: i32, reply: boolean): i32 {
  const ip: i32 = frame + ETH_LEN, proto: i32 = ld8(ip + IP_PROTO), flags: i32 = ld8(way + W_FLAGS), write: i32 = ld32(cx + X_WRITE);
  const ttl: i32 = ld8(ip + IP_TTL), raised: i32 = ld8(way + W_RAISED), toEnd: i32 = ld8(way + W_TO_END);
  if (ttl + raised > 255 || ttl + raised <= toEnd) return 0;
  if (length > ld32(ld32(ld32(ld32(cx + X_NODES) + (ld32(d + B_NODE) << 2)) + N_DEVICES) + D_MTU) + ETH_LEN) return 0;
  if ((write & (1 << STREAM_TRACE)) !== 0 && isTraced(cx, wide(ld32(d + B_SEQ_HI), ld32(d + B_SEQ_LO)))) return 0;

  const checksum: i32 = ld16(l4ChecksumAt(frame, proto));
  if (mayBePartial(frame, checksum)) return 0;
  const address: i32 = ld32(way + W_ADDRESS), snat: boolean = (flags & WF_SNAT) !== 0;
  let translated: i32 = checksum;
  if (address !== 0 && (checksum !== 0 || proto === PROTO_TCP)) {
    translated = amended(checksum, ld16(way + W_L4_DIFF));
    if (isAmbiguous(checksum) || isAmbiguous(translated)) return 0;
  }
  const ipDiff: i32 = ld16(way + W_IP_DIFF), ipBefore: i32 = ipChecksum(frame), toTunnel: i32 = ld8(way + W_TO_TUNNEL);
  const ipFirst: i32 = reply && raised !== 0 ? amended(ipBefore, (snat ? 0 : ipDiff) + raised) : ipBefore;
  const ipTunnel: i32 = amended(ipBefore, hopDiff(raised - toTunnel));
  const ipLast: i32 = amended(ipBefore, (snat ? ipDiff : 0) + hopDiff(raised - toEnd));
  if (isAmbiguous(ipBefore) || isAmbiguous(ipFirst) || isAmbiguous(ipTunnel) || isAmbiguous(ipLast)) return 0;

  const now: i32 = ld32(d + B_NOW);
  if (ld32(way + W_NOW) !== now || (flags & WF_ACCOUNTING) !== 0) touch(cx, d, way, frame, proto, flags);
  if ((write & STREAM_BITS) !== 0) {
    const first: i32 = (flags & WF_FROM_OUTSIDE) !== 0 ? STREAM_EXTERNAL : STREAM_POD, undo: boolean = address !== 0 && !snat;
    let out: i32 = record(cx, d, first, frame, length);
    if (out !== 0) {
      if (raised !== 0) st8(out + ETH_LEN + IP_TTL, ttl + raised);
      st16(out + ETH_LEN + IP_CSUM, ipFirst);
      if (undo) translate(out, proto, IP_DST, L4_DPORT, address, ld16(way + W_PORT), translated);
    }
    const route: i32 = ld32(way + W_ROUTE);
    if (route !== 0) {
      out = tunnelled(cx, d, route, frame, length, ld16(way + W_OUTER_PORT));
      if (out !== 0) {
        copy(out, way + W_TUNNEL_MACS, MACS);
        st8(out + ETH_LEN + IP_TTL, ttl + raised - toTunnel);
        st16(out + ETH_LEN + IP_CSUM, ipTunnel);
      }
    }
    out = record(cx, d, (flags & WF_DELIVERED) !== 0 ? STREAM_POD : STREAM_EXTERNAL, frame, length);
    if (out !== 0) {
      copy(out, way + W_END_MACS, MACS);
      st8(out + ETH_LEN + IP_TTL, ttl + raised - toEnd);
      st16(out + ETH_LEN + IP_CSUM, ipLast);
      if (snat) translate(out, proto, IP_SRC, L4_SPORT, address, ld16(way + W_PORT), translated);
    }
  }
  return count(cx, d, flow, way, length, flags, reply);
}

/** A record of the frame as captured at the end of a stream: its frame's address, 0 where it is not written. */
function record(cx: i32, d: i32, stream: i32, frame: i32, length: i32): i32 {
  if (!takes(cx, stream, RECORD_HEADER + length)) return 0;
  const out: i32 = header(cx, d, stream, length);
  copy(out, frame, length);
  return out;
}

/** The same within a tunnel: the inner frame's address. */
export function tunnelled(cx: i32, d: i32, route: i32, frame: i32, length: i32, port: i32): i32 {
  const size: i32 = TUNNEL_OVERHEAD + length;
  if (!takes(cx, STREAM_OVERLAY, RECORD_HEADER + size)) return 0;
  const out: i32 = header(cx, d, STREAM_OVERLAY, size);
  putOuter(out, route, length, ld8(frame + ETH_LEN + IP_TOS) & 3, ld32(d + B_SEQ_LO) & 0xffff, port);
  copy(out + TUNNEL_OVERHEAD, frame, length);
  return out + TUNNEL_OVERHEAD;
}

function header(cx: i32, d: i32, stream: i32, length: i32): i32 {
  const cursor: i32 = cx + X_CURSORS + (stream << 2);
  const at: i32 = ld32(cursor);
  st32(at, ld32(d + B_SEC));
  st32(at + 4, ld32(d + B_NSEC));
  st32(at + 8, length);
  st32(at + 12, length);
  st32(cursor, at + RECORD_HEADER + length);
  return at + RECORD_HEADER;
}

function translate(out: i32, proto: i32, addressAt: i32, portAt: i32, address: i32, port: i32, checksum: i32): void {
  st32(out + ETH_LEN + addressAt, address);
  st16(out + L4 + portAt, port);
  st16(l4ChecksumAt(out, proto), checksum);
}

/** What the way's conntrack entries learn from the packet. */
export function touch(cx: i32, d: i32, way: i32, frame: i32, proto: i32, flags: i32): void {
  const pkt: i32 = ld32(cx + X_PACKET), isTcp: boolean = proto === PROTO_TCP;
  const tcpFlags: i32 = isTcp ? ld8(frame + L4 + TCP_FLAGS + 1) : 0;
  st32(pkt + P_SKETCH, 0);
  st32(pkt + P_NOW, ld32(d + B_NOW));
  st32(pkt + P_WIRE_LEN, ld32(d + B_WIRE_LEN));
  touchEntry(cx, pkt, ld32(way + W_CT_FIRST), (flags & WF_FIRST_INGRESS) !== 0, isTcp, tcpFlags);
  touchEntry(cx, pkt, ld32(way + W_CT_SECOND), (flags & WF_SECOND_INGRESS) !== 0, isTcp, tcpFlags);
  st32(way + W_NOW, ld32(d + B_NOW));
}

function touchEntry(cx: i32, pkt: i32, entry: i32, ingress: boolean, isTcp: boolean, tcpFlags: i32): void {
  if (entry === 0) return;
  st32(pkt + P_NODE, ld32(ld32(cx + X_NODES) + ((ld32(entry + K0) >>> 16) << 2)));
  seen(pkt, entry, ingress ? DIR_INGRESS : DIR_EGRESS, isTcp, tcpFlags);
}

function add(at: i32, amount: f64): void { stf64(at, ldf64(at) + amount); }

/** Doubles are computed where they are stored: handed from function to function, the TypeScript build would make an object of
 * each. */
export function count(cx: i32, d: i32, flow: i32, way: i32, length: i32, flags: i32, reply: boolean): i32 {
  const outcome: i32 = (flags & WF_DELIVERED) !== 0 ? OUT_DELIVERED : OUT_FORWARDED;
  const bytes: f64 = 0.0 + length, totals: i32 = ld32(cx + X_TOTALS) + (outcome << 4), use: i32 = ld32(way + W_USE);
  add(totals, 1.0);
  add(totals + 8, bytes);
  stf64(flow + F_LAST, wide(ld32(d + B_SEQ_HI), ld32(d + B_SEQ_LO)));
  st32(flow + F_LAST_SEC, ld32(d + B_SEC));
  st32(flow + F_LAST_NSEC, ld32(d + B_NSEC));
  st32(flow + F_OUTCOME, outcome);
  add(flow + (reply ? F_REPLY_PACKETS : F_FWD_PACKETS), 1.0);
  add(flow + (reply ? F_REPLY_BYTES : F_FWD_BYTES), bytes);
  if (use !== 0) {
    add(use + (reply ? U_REPLY_PACKETS : U_FWD_PACKETS), 1.0);
    add(use + (reply ? U_REPLY_BYTES : U_FWD_BYTES), bytes);
  }
  const notes: i32 = ld32(cx + X_NOTES);
  add(notes + (NC_ON_WAY << 3), 1.0);
  if ((flags & WF_RESTORED) !== 0) {
    add(notes + (NC_REPLY_RESTORED << 3), 1.0);
    add(notes + (NC_REPLY_IDENTICAL << 3), 1.0);
  }
  return outcome;
}
