// IPv4 header (RFC 791 section 3.1), offsets from the first byte of the Ethernet header where the name says so.
import { ld16be, ld32, ld8, st8 } from "../mem.ts";
import { P_FRAME, P_LEN } from "../layout.ts";
import { csumReplace16 } from "./checksum.ts";
import { DROP_TTL_EXCEEDED } from "../verdict.ts";

export const ETH_LEN: i32 = 14;
export const ETH_TYPE: i32 = 12;
export const ETHERTYPE_IPV4: i32 = 0x0800;
export const ETHERTYPE_ARP: i32 = 0x0806;
export const ETHERTYPE_IPV6: i32 = 0x86dd;

export const IP_TOS: i32 = 1;
export const IP_TOTAL_LEN: i32 = 2;
export const IP_ID: i32 = 4;
export const IP_FRAG: i32 = 6;
export const IP_TTL: i32 = 8;
export const IP_PROTO: i32 = 9;
export const IP_CSUM: i32 = 10;
export const IP_SRC: i32 = 12;
export const IP_DST: i32 = 16;
export const IP_HEADER: i32 = 20;

export const PROTO_ICMP: i32 = 1;
export const PROTO_TCP: i32 = 6;
export const PROTO_UDP: i32 = 17;
export const PROTO_SCTP: i32 = 132;

/** Address of the IPv4 header, or 0 when the frame does not hold a whole one (revalidate_data). */
export function ipv4Header(pkt: i32): i32 {
  return ld32(pkt + P_LEN) < ETH_LEN + IP_HEADER ? 0 : ld32(pkt + P_FRAME) + ETH_LEN;
}

/** Length by the IHL field, 0 to 60; the real programs never check it against 20. */
export function ipv4HeaderLen(ip: i32): i32 { return (ld8(ip) & 0x0f) << 2; }

/** Offset of the L4 header from the start of the frame. */
export function l4Offset(ip: i32): i32 { return ETH_LEN + ipv4HeaderLen(ip); }

/** More fragments, or an offset: this is a fragment. */
export function isFragment(ip: i32): boolean { return (ld16be(ip + IP_FRAG) & 0x3fff) !== 0; }

/** An offset of zero: the L4 header is here. */
export function hasL4Header(ip: i32): boolean { return (ld16be(ip + IP_FRAG) & 0x1fff) === 0; }

/** TTL - 1 with the checksum amended, or DROP_TTL_EXCEEDED for 0 and 1 (ipv4_dec_ttl). */
export function ipv4DecTtl(ip: i32): i32 {
  const ttl: i32 = ld8(ip + IP_TTL);
  if (ttl <= 1) return DROP_TTL_EXCEEDED;
  st8(ip + IP_TTL, ttl - 1);
  csumReplace16(ip + IP_CSUM, ttl, ttl - 1);
  return 0;
}
