// Output records, written straight into the stream's block: pcap record header (little-endian, nanoseconds) and frame.
import { copy, ld32, ld8, ldf64, mul, st16be, st32, st32be, st8 } from "../mem.ts";
import {
  E_POLICY, N_ADDRESS, N_INDEX, N_TUNNEL_PORT, P_CT_STATUS, P_FRAME, P_LEN, P_NAT, P_NODE, P_POLICY, P_SEQ_HI, P_SEQ_LO, P_TIME_NSEC,
  P_TIME_SEC, P_TO, P_TUNNEL_REMOTE, P_TUNNEL_VNI, P_WIRE_LEN, X_ADDR, X_PORT,
} from "../layout.ts";
import { P_PV_ENTRY, P_PV_FLAGS, P_PV_MATCH, P_PV_REMOTE, PE_RULE } from "../layout-policy.ts";
import { csumBytes } from "../wire/checksum.ts";
import { ETH_LEN, IP_HEADER } from "../wire/ipv4.ts";
import { storeMacs } from "../datapath/local-delivery.ts";
import {
  STREAM_OVERLAY, STREAM_TRACE, TR_CT, TR_HOOK, TR_LEN, TR_NAT_ADDR, TR_NAT_PORT, TR_NODE, TR_NSEC, TR_POLICY, TR_PV_FLAGS, TR_PV_MATCH, TR_PV_REMOTE,
  TR_PV_RULE, TR_REMOTE, TR_SEC, TR_SEQ_HI, TR_SEQ_LO,
  TR_SIZE, TR_TO, TR_VERDICT, TR_VNI, TR_WIRE_LEN, X_CURSORS, X_LIMITS, X_TRACE_UNTIL, X_WRITE,
} from "./layout-batch.ts";

const RECORD_HEADER: i32 = 16;
const UDP_HEADER: i32 = 8;
/** Outer Ethernet, IPv4, UDP and VXLAN (RFC 7348 section 5) or Geneve without options (RFC 8926 section 3.4). */
export const TUNNEL_OVERHEAD: i32 = 50;
const VXLAN_HEADER: i32 = 8;
/** libpcap's MAXIMUM_SNAPLEN: it refuses a file with a longer record. */
const LARGEST_RECORD: i32 = 262144;
const TUNNEL_TTL: i32 = 64;
/** IPPROTO_UDP. */
const UDP: i32 = 17;
/** Linux' default ip_local_port_range, from which udp_flow_src_port picks. */
const SOURCE_PORT_MIN: i32 = 32768;
const SOURCE_PORT_SPAN: i32 = 28232;

/** Is the stream written, and has its block room for `size` bytes more? The engine sizes blocks for every way but a loop. */
function takes(cx: i32, stream: i32, size: i32): boolean {
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
  const length: i32 = ld32(pkt + P_LEN);
  if (!takes(cx, stream, RECORD_HEADER + length)) return;
  const cursor: i32 = cx + X_CURSORS + (stream << 2);
  const at: i32 = ld32(cursor);
  recordHeader(at, pkt, 0);
  copy(at + RECORD_HEADER, ld32(pkt + P_FRAME), length);
  st32(cursor, at + RECORD_HEADER + length);
}

/** The frame with outer headers in front, from this node to the tunnel's remote. `flow` is a hash of the inner flow,
 * `id` the outer IP identification; MACs are six-byte fields in memory. */
export function emitTunnel(cx: i32, pkt: i32, flow: i32, id: i32, sourceMac: i32, destinationMac: i32, geneve: boolean): void {
  const captured: i32 = ld32(pkt + P_LEN);
  const length: i32 = captured + TUNNEL_OVERHEAD > LARGEST_RECORD ? LARGEST_RECORD - TUNNEL_OVERHEAD : captured;
  if (!takes(cx, STREAM_OVERLAY, RECORD_HEADER + TUNNEL_OVERHEAD + length)) return;
  const cursor: i32 = cx + X_CURSORS + (STREAM_OVERLAY << 2);
  const at: i32 = ld32(cursor), wire: i32 = ld32(pkt + P_WIRE_LEN), node: i32 = ld32(pkt + P_NODE);
  recordHeader(at, pkt, TUNNEL_OVERHEAD);
  st32(at + 8, length + TUNNEL_OVERHEAD);
  const eth: i32 = at + RECORD_HEADER;
  storeMacs(eth, sourceMac, destinationMac);
  st16be(eth + 12, 0x0800);
  const ip: i32 = eth + ETH_LEN;
  st16be(ip, 0x4500 | innerEcn(pkt));
  // An offloaded frame may be longer than 16 bits tell of its outer packet; then they tell as much as they can.
  const total: i32 = IP_HEADER + UDP_HEADER + VXLAN_HEADER + wire > 0xffff ? 0xffff : IP_HEADER + UDP_HEADER + VXLAN_HEADER + wire;
  st16be(ip + 2, total);
  st16be(ip + 4, id);
  // Don't-fragment is clear whatever the inner packet says (recorded).
  st16be(ip + 6, 0);
  st8(ip + 8, TUNNEL_TTL);
  st8(ip + 9, UDP);
  st16be(ip + 10, 0);
  st32(ip + 12, ld32(node + N_ADDRESS));
  st32(ip + 16, ld32(pkt + P_TUNNEL_REMOTE));
  const sum: i32 = ~csumBytes(ip, IP_HEADER, 0) & 0xffff;
  st8(ip + 10, sum & 0xff);
  st8(ip + 11, sum >>> 8);
  const udp: i32 = ip + IP_HEADER;
  st16be(udp, SOURCE_PORT_MIN + (mul((flow ^ (flow >>> 16)) & 0xffff, SOURCE_PORT_SPAN) >>> 16));
  const port: i32 = ld32(node + N_TUNNEL_PORT);
  st8(udp + 2, port & 0xff);
  st8(udp + 3, port >>> 8);
  st16be(udp + 4, total - IP_HEADER);
  st16be(udp + 6, 0);
  const header: i32 = udp + UDP_HEADER;
  // VXLAN: I flag. Geneve: version 0, no options, protocol Transparent Ethernet Bridging.
  st32be(header, geneve ? 0x00006558 : 0x08000000);
  st32be(header + 4, ld32(pkt + P_TUNNEL_VNI) << 8);
  copy(header + VXLAN_HEADER, ld32(pkt + P_FRAME), length);
  st32(cursor, header + VXLAN_HEADER + length);
}

/** ECN bits of the inner IPv4 packet go outside, DSCP does not (recorded; RFC 6040 normal mode for ECT and CE). */
function innerEcn(pkt: i32): i32 {
  return ld32(pkt + P_LEN) < ETH_LEN + IP_HEADER ? 0 : ld8(ld32(pkt + P_FRAME) + ETH_LEN + 1) & 3;
}

/** The frame as it left a hook, with what the hook said. */
export function emitTrace(cx: i32, pkt: i32, hook: i32, verdict: i32): void {
  const length: i32 = ld32(pkt + P_LEN);
  if (!takes(cx, STREAM_TRACE, TR_SIZE + length) || seqOf(pkt) > ldf64(cx + X_TRACE_UNTIL)) return;
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
  st32(at + TR_NAT_ADDR, nat === 0 ? 0 : ld32(nat + X_ADDR));
  st32(at + TR_NAT_PORT, nat === 0 ? 0 : ld32(nat + X_PORT));
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

/** Number of the packet in the capture; exact up to 2^53. */
export function seqOf(pkt: i32): f64 {
  const low: i32 = ld32(pkt + P_SEQ_LO);
  return 4294967296.0 * ld32(pkt + P_SEQ_HI) + (low & 0x7fffffff) + (low < 0 ? 2147483648.0 : 0.0);
}
