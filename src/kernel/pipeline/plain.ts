// Plain packets: those whose way depends on their flow and on nothing else in them but a TTL that lasts.
import { ld16, ld32, ld8 } from "../mem.ts";
import { csumFold, csumHalves } from "../wire/checksum.ts";
import {
  ETH_LEN, ETH_TYPE, IP_CSUM, IP_DST, IP_FRAG, IP_HEADER, IP_PROTO, IP_SRC, IP_TOTAL_LEN, PROTO_TCP, PROTO_UDP,
} from "../wire/ipv4.ts";
import { TCP_CSUM, TCP_FIN, TCP_FLAGS, TCP_RST, TCP_SYN, UDP_CSUM } from "../wire/l4.ts";
import { swap16 } from "../wire/swap.ts";

export const L4: i32 = ETH_LEN + IP_HEADER;
const TCP_HEADER: i32 = 20;
const UDP_HEADER: i32 = 8;
/** Longer frames are rare, and an outer header's length field might not hold them. */
const LONGEST: i32 = 16384;
/** 0x0800 and the fragment bits (more fragments, offset) as little-endian loads give them. */
const IPV4_RAW: i32 = 0x0008;
const FRAGMENT_RAW: i32 = 0xff3f;

/** Whole, IPv4 without options, no fragment, TCP without SYN, FIN and RST or UDP. */
export function isPlain(frame: i32, length: i32, wire: i32): boolean { return isPlainButForFlags(frame, length, wire) && !opensOrCloses(frame); }

/** SYN, FIN or RST in a frame that is plain but for TCP's flags. */
export function opensOrCloses(frame: i32): boolean {
  return ld8(frame + ETH_LEN + IP_PROTO) === PROTO_TCP && (ld8(frame + L4 + TCP_FLAGS + 1) & (TCP_SYN | TCP_FIN | TCP_RST)) !== 0;
}

export function isPlainButForFlags(frame: i32, length: i32, wire: i32): boolean {
  if (length !== wire || length < L4 + UDP_HEADER || length > LONGEST) return false;
  const ip: i32 = frame + ETH_LEN;
  if (ld16(frame + ETH_TYPE) !== IPV4_RAW || ld8(ip) !== 0x45 || (ld16(ip + IP_FRAG) & FRAGMENT_RAW) !== 0) return false;
  const proto: i32 = ld8(ip + IP_PROTO);
  if (proto === PROTO_UDP) return true;
  return proto === PROTO_TCP && length >= L4 + TCP_HEADER;
}

/** Address of a plain frame's L4 checksum. */
export function l4ChecksumAt(frame: i32, proto: i32): i32 { return frame + L4 + (proto === PROTO_TCP ? TCP_CSUM : UDP_CSUM); }

/** The sum of a segment's pseudo-header (RFC 9293 section 3.1, RFC 768), folded; `segment` is its length. */
export function pseudoSum(ip: i32, proto: i32, segment: i32): i32 {
  return csumFold(csumHalves(ld32(ip + IP_SRC)) + csumHalves(ld32(ip + IP_DST)) + (proto << 8) + swap16(segment));
}

/** May a plain frame's checksum be one that was left to the network card? */
export function mayBePartial(frame: i32, checksum: i32): boolean {
  const ip: i32 = frame + ETH_LEN;
  return checksum === pseudoSum(ip, ld8(ip + IP_PROTO), swap16(ld16(ip + IP_TOTAL_LEN)) - IP_HEADER);
}

/** A checksum field after its data's sum grew by `diff` (RFC 1624 eq. 3). Where the result is neither 0 nor 0xffff it is what
 * any sequence of steps with the same sum leads to; these two are the same number and which one it is depends on the steps. */
export function amended(checksum: i32, diff: i32): i32 { return ~csumFold((~checksum & 0xffff) + diff) & 0xffff; }

export function isAmbiguous(checksum: i32): boolean { return checksum === 0 || checksum === 0xffff; }

/** The IPv4 header's own checksum field of a frame. */
export function ipChecksum(frame: i32): i32 { return ld16(frame + ETH_LEN + IP_CSUM); }
