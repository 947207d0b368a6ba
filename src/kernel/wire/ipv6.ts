// IPv6 header (RFC 8200 sections 3 and 4): offsets, the walk over extension headers, the hop limit.
import { ld16be, ld32, ld8, st32, st8 } from "../mem.ts";
import { P_FRAME, P_LEN } from "../layout.ts";
import { W_FLAGS, W_FRAG_PROTO, W_ID, W_PROTO, WF_FRAGMENT, WF_NO_L4 } from "../layout6.ts";
import { DROP_INVALID, DROP_INVALID_EXTHDR, DROP_TTL_EXCEEDED } from "../verdict.ts";
import { ETH_LEN } from "./ipv4.ts";
import { within } from "./l4.ts";

export const IP6_PAYLOAD_LEN: i32 = 4;
export const IP6_NEXT_HEADER: i32 = 6;
export const IP6_HOP_LIMIT: i32 = 7;
export const IP6_SRC: i32 = 8;
export const IP6_DST: i32 = 24;
export const IP6_HEADER: i32 = 40;

export const NEXT_HOP_BY_HOP: i32 = 0;
export const NEXT_ROUTING: i32 = 43;
export const NEXT_FRAGMENT: i32 = 44;
export const NEXT_AUTH: i32 = 51;
export const PROTO_ICMP6: i32 = 58;
export const NEXT_NONE: i32 = 59;
export const NEXT_DESTINATION: i32 = 60;

/** Fragment header (RFC 8200 section 4.5). */
const FRAG_OFFSET: i32 = 2;
const FRAG_ID: i32 = 4;
const FRAG_HEADER: i32 = 8;
/** bpf/lib/ipv6.h walks four headers, the upper-layer one included. */
const MAX_HEADERS: i32 = 4;

/** Address of the IPv6 header, or 0 when the frame does not hold a whole one (revalidate_data). */
export function ipv6Header(pkt: i32): i32 {
  return ld32(pkt + P_LEN) < ETH_LEN + IP6_HEADER ? 0 : ld32(pkt + P_FRAME) + ETH_LEN;
}

/** Length of an extension header at frame offset `at`, by its kind; the caller has checked that two bytes are there. */
function extensionLength(header: i32, kind: i32): i32 {
  if (kind === NEXT_FRAGMENT) return FRAG_HEADER;
  return kind === NEXT_AUTH ? (ld8(header + 1) + 2) << 2 : (ld8(header + 1) + 1) << 3;
}

function isExtension(kind: i32): boolean {
  return kind === NEXT_HOP_BY_HOP || kind === NEXT_ROUTING || kind === NEXT_FRAGMENT || kind === NEXT_AUTH || kind === NEXT_DESTINATION;
}

/** ipv6_hdrlen_with_fraginfo: walks from the IPv6 header at frame offset `l3`, which must be whole; at most three extension
 * headers. Writes W_… at `out`. The length of all headers (40 and more), drop 134 at a cut one, 156 at a fourth or at "no
 * next header". */
export function ipv6Walk(pkt: i32, l3: i32, out: i32): i32 {
  const frame: i32 = ld32(pkt + P_FRAME);
  let kind: i32 = ld8(frame + l3 + IP6_NEXT_HEADER), length: i32 = IP6_HEADER;
  st32(out + W_FLAGS, 0);
  st32(out + W_ID, 0);
  st32(out + W_FRAG_PROTO, 0);
  for (let k: i32 = 0; k < MAX_HEADERS; k++) {
    if (kind === NEXT_NONE) return DROP_INVALID_EXTHDR;
    if (!isExtension(kind)) {
      st32(out + W_PROTO, kind);
      return length;
    }
    const at: i32 = l3 + length;
    if (!within(pkt, at, 2)) return DROP_INVALID;
    if (kind === NEXT_FRAGMENT) {
      if (!within(pkt, at, FRAG_HEADER)) return DROP_INVALID;
      const offset: i32 = ld16be(frame + at + FRAG_OFFSET);
      st32(out + W_FLAGS, ((offset & 0xfff9) !== 0 ? WF_FRAGMENT : 0) | ((offset & 0xfff8) !== 0 ? WF_NO_L4 : 0));
      st32(out + W_ID, ld32(frame + at + FRAG_ID));
      st32(out + W_FRAG_PROTO, ld8(frame + at));
    }
    const next: i32 = ld8(frame + at);
    length = length + extensionLength(frame + at, kind);
    kind = next;
  }
  return DROP_INVALID_EXTHDR;
}

/** ipv6_get_fraginfo, for builds without fragment tracking: 1 for a fragment by the first fragment header, 0 for none, or
 * drop 134 or 156. */
export function ipv6IsFragment(pkt: i32, l3: i32): i32 {
  const frame: i32 = ld32(pkt + P_FRAME);
  let kind: i32 = ld8(frame + l3 + IP6_NEXT_HEADER), length: i32 = IP6_HEADER;
  for (let k: i32 = 0; k < MAX_HEADERS; k++) {
    if (kind === NEXT_NONE) return DROP_INVALID_EXTHDR;
    if (!isExtension(kind)) return 0;
    const at: i32 = l3 + length;
    if (!within(pkt, at, 2)) return DROP_INVALID;
    if (kind === NEXT_FRAGMENT) {
      if (!within(pkt, at, FRAG_HEADER)) return DROP_INVALID;
      return (ld16be(frame + at + FRAG_OFFSET) & 0xfff9) !== 0 ? 1 : 0;
    }
    const next: i32 = ld8(frame + at);
    length = length + extensionLength(frame + at, kind);
    kind = next;
  }
  return DROP_INVALID_EXTHDR;
}

/** Hop limit - 1, or DROP_TTL_EXCEEDED for 0 and 1 (ipv6_dec_hoplimit). */
export function ipv6DecHopLimit(ip: i32): i32 {
  const limit: i32 = ld8(ip + IP6_HOP_LIMIT);
  if (limit <= 1) return DROP_TTL_EXCEEDED;
  st8(ip + IP6_HOP_LIMIT, limit - 1);
  return 0;
}
