// TCP (RFC 9293 section 3.1), UDP (RFC 768), ICMP (RFC 792): the few fields that the datapath touches.
import { ld16, ld32, ld8, st16 } from "../mem.ts";
import { P_FRAME, P_LEN } from "../layout.ts";
import { csumFold } from "./checksum.ts";
import { PROTO_TCP, PROTO_UDP } from "./ipv4.ts";

export const L4_SPORT: i32 = 0;
export const L4_DPORT: i32 = 2;
export const TCP_FLAGS: i32 = 12;
export const TCP_CSUM: i32 = 16;
export const UDP_CSUM: i32 = 6;
export const ICMP_TYPE: i32 = 0;
export const ICMP_CODE: i32 = 1;
export const ICMP_CSUM: i32 = 2;
export const ICMP_ID: i32 = 4;
export const ICMP_HEADER: i32 = 8;

export const TCP_FIN: i32 = 1;
export const TCP_SYN: i32 = 2;
export const TCP_RST: i32 = 4;
export const TCP_ACK: i32 = 16;

export const ICMP_ECHO_REPLY: i32 = 0;
export const ICMP_UNREACHABLE: i32 = 3;
export const ICMP_REDIRECT: i32 = 5;
export const ICMP_ECHO: i32 = 8;
export const ICMP_TIME_EXCEEDED: i32 = 11;
export const ICMP_PARAMETER: i32 = 12;
/** NR_ICMP_UNREACH: the last code of type 3 that Linux knows. */
export const ICMP_UNREACHABLE_LAST_CODE: i32 = 15;
export const ICMP_CODE_FRAG_NEEDED: i32 = 4;

/** Are `count` bytes at `offset` from the start of the frame inside it? (ctx_load_bytes) */
export function within(pkt: i32, offset: i32, count: i32): boolean { return offset + count <= ld32(pkt + P_LEN); }

/** Low byte of the TCP flags (CWR ECE URG ACK PSH RST SYN FIN); the caller has checked the bounds. */
export function tcpFlags(pkt: i32, l4: i32): i32 { return ld8(ld32(pkt + P_FRAME) + l4 + TCP_FLAGS + 1); }

/** Offset of the checksum inside the header, 0 for protocols whose checksum the address does not touch. */
export function pseudoCsumOffset(proto: i32): i32 {
  return proto === PROTO_TCP ? TCP_CSUM : proto === PROTO_UDP ? UDP_CSUM : 0;
}

/** bpf_l4_csum_replace with a diff: for UDP a field of 0 stays (no checksum) and a result of 0 becomes 0xffff (RFC 768). */
export function l4CsumApply(at: i32, diff: i32, proto: i32): void {
  const old: i32 = ld16(at);
  if (proto === PROTO_UDP && old === 0) return;
  const s: i32 = ~csumFold((~old & 0xffff) + 0xffff + diff) & 0xffff;
  st16(at, proto === PROTO_UDP && s === 0 ? 0xffff : s);
}
