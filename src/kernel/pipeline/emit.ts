// Output records, written straight into the stream's block: pcap record header (little-endian, nanoseconds) and frame.
import { copy, ld32, ld8, ldf64, st32 } from "../mem.ts";
import {
  E_POLICY, N_INDEX, P_CT_STATUS, P_FRAME, P_LEN, P_NAT, P_NODE, P_POLICY, P_SEQ_HI, P_SEQ_LO, P_TIME_NSEC,
  P_TIME_SEC, P_TO, P_TUNNEL_REMOTE, P_TUNNEL_VNI, P_WIRE_LEN,
} from "../layout.ts";
import { P_PV_ENTRY, P_PV_FLAGS, P_PV_MATCH, P_PV_REMOTE, PE_RULE } from "../layout-policy.ts";
import { copyAddress6 } from "../wire/address6.ts";
import { ETH_LEN, IP_HEADER } from "../wire/ipv4.ts";
import { isIpv6, natAddress, natPort } from "./family.ts";
import {
  STREAM_OVERLAY, STREAM_TRACE, TR_CT, TR_HOOK, TR_LEN, TR_NAT_ADDR, TR_NAT_FAMILY, TR_NAT_PORT, TR_NODE, TR_NSEC, TR_POLICY, TR_PV_FLAGS, TR_PV_MATCH,
  TR_PV_REMOTE, TR_PV_RULE, TR_REMOTE, TR_SEC, TR_SEQ_HI, TR_SEQ_LO, TR_SIZE, TR_TO, TR_VERDICT, TR_VNI, TR_WIRE_LEN, X_CURSORS, X_LIMITS, X_MADE, X_TRACE_UNTIL,
  X_WRITE,
} from "./layout-batch.ts";
import { outerPort, passingRoute, putOuter, TUNNEL_OVERHEAD } from "./outer.ts";
import { sketchFrame, sketchTunnel } from "./sketch.ts";

export const RECORD_HEADER: i32 = 16;
/** libpcap's MAXIMUM_SNAPLEN: it refuses a file with a longer record. */
const LARGEST_RECORD: i32 = 262144;
/** Where X_MADE has room for a route. */
const MADE_ROUTE: i32 = 640;

/** Is the stream written, and has its block room for `size` bytes more? The engine sizes blocks for every way but a loop. */
export function takes(cx: i32, stream: i32, size: i32): boolean {
  const word: i32 = stream << 2;
  return (ld32(cx + X_WRITE) & (1 << stream)) !== 0 && ld32(cx + X_CURSORS + word) + size <= ld32(cx + X_LIMITS + word);
}

function recordHeader(at: i32, pkt: i32, overhead: i32): void {
  st32(at, ld32(pkt + P_TIME_SEC));
  st32(at + 4, ld32(pkt + P_TIME_NSEC));
  st32(at + 8, ld32(pkt + P_LEN) + overhead);
  st32(at + 12, ld32(pkt + P_WIRE_LEN) + overhead);
}

/** The frame as it is, to a stream. */
export function emitFrame(cx: i32, pkt: i32, stream: i32): void {
  sketchFrame(pkt);
  const length: i32 = ld32(pkt + P_LEN);
  if (!takes(cx, stream, RECORD_HEADER + length)) return;
  const cursor: i32 = cx + X_CURSORS + (stream << 2);
  const at: i32 = ld32(cursor);
  recordHeader(at, pkt, 0);
  copy(at + RECORD_HEADER, ld32(pkt + P_FRAME), length);
  st32(cursor, at + RECORD_HEADER + length);
}

/** The frame with outer headers in front, from this node to the tunnel's remote, whose MAC lies at `mac`. `flow` is a hash
 * of the inner flow, `id` the outer IP identification. */
export function emitTunnel(cx: i32, pkt: i32, flow: i32, id: i32, mac: i32): void {
  const port: i32 = outerPort(flow);
  sketchTunnel(pkt, port);
  const captured: i32 = ld32(pkt + P_LEN);
  const length: i32 = captured + TUNNEL_OVERHEAD > LARGEST_RECORD ? LARGEST_RECORD - TUNNEL_OVERHEAD : captured;
  if (!takes(cx, STREAM_OVERLAY, RECORD_HEADER + TUNNEL_OVERHEAD + length)) return;
  const cursor: i32 = cx + X_CURSORS + (STREAM_OVERLAY << 2);
  const at: i32 = ld32(cursor), eth: i32 = at + RECORD_HEADER;
  recordHeader(at, pkt, TUNNEL_OVERHEAD);
  st32(at + 8, length + TUNNEL_OVERHEAD);
  const route: i32 = passingRoute(ld32(cx + X_MADE) + MADE_ROUTE, ld32(pkt + P_NODE), ld32(pkt + P_TUNNEL_REMOTE), ld32(pkt + P_TUNNEL_VNI), mac);
  putOuter(eth, route, ld32(pkt + P_WIRE_LEN), innerEcn(pkt), id, port);
  copy(eth + TUNNEL_OVERHEAD, ld32(pkt + P_FRAME), length);
  st32(cursor, eth + TUNNEL_OVERHEAD + length);
}

/** ECN bits of the inner packet, which putOuter carries outside. In IPv6 they are the last two bits of the traffic class, which
 * the second byte's upper half ends. */
function innerEcn(pkt: i32): i32 {
  if (ld32(pkt + P_LEN) < ETH_LEN + IP_HEADER) return 0;
  const second: i32 = ld8(ld32(pkt + P_FRAME) + ETH_LEN + 1);
  return (isIpv6(pkt) ? second >>> 4 : second) & 3;
}

/** Are the hops of packet `seq` traced? */
export function isTraced(cx: i32, seq: f64): boolean {
  return (ld32(cx + X_WRITE) & (1 << STREAM_TRACE)) !== 0 && seq <= ldf64(cx + X_TRACE_UNTIL);
}

/** The frame as it left a hook, with what the hook said. */
export function emitTrace(cx: i32, pkt: i32, hook: i32, verdict: i32): void {
  const length: i32 = ld32(pkt + P_LEN);
  if (!isTraced(cx, seqOf(pkt)) || !takes(cx, STREAM_TRACE, TR_SIZE + length)) return;
  const cursor: i32 = cx + X_CURSORS + (STREAM_TRACE << 2);
  const at: i32 = ld32(cursor), record: i32 = ld32(pkt + P_POLICY), nat: i32 = ld32(pkt + P_NAT);
  st32(at + TR_SEC, ld32(pkt + P_TIME_SEC));
  st32(at + TR_NSEC, ld32(pkt + P_TIME_NSEC));
  st32(at + TR_LEN, length);
  st32(at + TR_WIRE_LEN, ld32(pkt + P_WIRE_LEN));
  st32(at + TR_HOOK, hook);
  st32(at + TR_NODE, ld32(ld32(pkt + P_NODE) + N_INDEX));
  st32(at + TR_VERDICT, verdict);
  st32(at + TR_POLICY, record === 0 ? -1 : ld32(record + E_POLICY));
  st32(at + TR_TO, ld32(pkt + P_TO));
  traceNat(at, isIpv6(pkt), nat);
  st32(at + TR_CT, ld32(pkt + P_CT_STATUS));
  st32(at + TR_SEQ_LO, ld32(pkt + P_SEQ_LO));
  st32(at + TR_SEQ_HI, ld32(pkt + P_SEQ_HI));
  st32(at + TR_REMOTE, ld32(pkt + P_TUNNEL_REMOTE));
  st32(at + TR_VNI, ld32(pkt + P_TUNNEL_VNI));
  const decided: i32 = ld32(pkt + P_PV_ENTRY);
  st32(at + TR_PV_FLAGS, ld32(pkt + P_PV_FLAGS));
  st32(at + TR_PV_REMOTE, ld32(pkt + P_PV_REMOTE));
  st32(at + TR_PV_MATCH, ld32(pkt + P_PV_MATCH));
  st32(at + TR_PV_RULE, decided === 0 ? -1 : ld32(decided + PE_RULE));
  copy(at + TR_SIZE, ld32(pkt + P_FRAME), length);
  st32(cursor, at + TR_SIZE + length);
}

function traceNat(at: i32, six: boolean, nat: i32): void {
  st32(at + TR_NAT_FAMILY, nat === 0 ? 0 : six ? 6 : 4);
  if (nat === 0) return;
  st32(at + TR_NAT_PORT, natPort(six, nat));
  if (six) copyAddress6(at + TR_NAT_ADDR, natAddress(six, nat));
  else st32(at + TR_NAT_ADDR, natAddress(six, nat));
}

/** Number of the packet in the capture; exact up to 2^53. */
export function seqOf(pkt: i32): f64 { return wide(ld32(pkt + P_SEQ_HI), ld32(pkt + P_SEQ_LO)); }

/** The number of 64 bits that two words make. */
export function wide(high: i32, low: i32): f64 { return 4294967296.0 * high + (low & 0x7fffffff) + (low < 0 ? 2147483648.0 : 0.0); }
