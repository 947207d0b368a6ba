// The pod's program answers for a service that has no backend (service-no-backend-response: reject): ICMP port unreachable
// from the service's address (bpf/lib/icmp.h: generate_icmp4_reply; bpf/lib/lb.h: __tail_no_service_ipv6).
import { copy, fill, ld16, ld32, ld8, st16, st16be, st32, st8 } from "../mem.ts";
import { NOTE_ANSWERED, P_FRAME, P_LEN, P_WIRE_LEN } from "../layout.ts";
import { P_SPARE } from "../layout6.ts";
import { DROP_INVALID } from "../verdict.ts";
import { copyAddress6 } from "../wire/address6.ts";
import { csumBytes, csumFold } from "../wire/checksum.ts";
import { ICMP6_UNREACHABLE } from "../wire/icmp6.ts";
import { ETH_LEN, ETH_TYPE, IP_CSUM, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, IP_TOS, IP_TOTAL_LEN, IP_TTL, PROTO_ICMP } from "../wire/ipv4.ts";
import { IP6_DST, IP6_HEADER, IP6_HOP_LIMIT, IP6_NEXT_HEADER, IP6_PAYLOAD_LEN, IP6_SRC, PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_CODE, ICMP_CSUM, ICMP_HEADER, ICMP_TYPE, ICMP_UNREACHABLE } from "../wire/l4.ts";
import { swap16 } from "../wire/swap.ts";
import { note, repairs } from "./note.ts";
import { redirectSelf } from "./redirect6.ts";

const PORT_UNREACHABLE: i32 = 3;
const PORT_UNREACHABLE6: i32 = 4;
const TTL: i32 = 64;
/** Longest quotes: ICMP_PACKET_MAX_SAMPLE_SIZE, and what fills 1,280 bytes of IPv6. */
const QUOTED: i32 = 64;
const QUOTED6: i32 = 1280 - IP6_HEADER - ICMP_HEADER;

/** Builds the answer's frame in the spare room: Ethernet addresses swapped, `header` empty bytes, then what the packet had
 * behind its Ethernet header. The quote is as long as the whole frame was, so that zeroes end a short one. Its length, or
 * drop 134 without the room. */
function quotePacket(pkt: i32, header: i32, most: i32): i32 {
  const frame: i32 = ld32(pkt + P_FRAME), spare: i32 = ld32(pkt + P_SPARE), wire: i32 = ld32(pkt + P_WIRE_LEN), known: i32 = ld32(pkt + P_LEN) - ETH_LEN;
  if (spare === 0) return DROP_INVALID;
  const quoted: i32 = wire > most ? most : wire, copied: i32 = known < quoted ? known : quoted;
  fill(spare, 0, ETH_LEN + header + quoted);
  copy(spare, frame + 6, 6);
  copy(spare + 6, frame, 6);
  st16(spare + ETH_TYPE, ld16(frame + ETH_TYPE));
  copy(spare + ETH_LEN + header, frame + ETH_LEN, copied);
  st32(pkt + P_FRAME, spare);
  st32(pkt + P_LEN, ETH_LEN + header + quoted);
  st32(pkt + P_WIRE_LEN, ETH_LEN + header + quoted);
  return quoted;
}

/** VERDICT_REDIRECT back to the pod, or drop 134. */
export function answerUnreachable(pkt: i32): i32 {
  const old: i32 = ld32(pkt + P_FRAME) + ETH_LEN;
  const quoted: i32 = quotePacket(pkt, IP_HEADER + ICMP_HEADER, QUOTED);
  if (quoted < 0) return quoted;
  const ip: i32 = ld32(pkt + P_FRAME) + ETH_LEN, icmp: i32 = ld32(pkt + P_FRAME) + ETH_LEN + IP_HEADER;
  st8(ip, 0x45);
  st8(ip + IP_TOS, ld8(old + IP_TOS));
  st16be(ip + IP_TOTAL_LEN, IP_HEADER + ICMP_HEADER + quoted);
  st8(ip + IP_TTL, TTL);
  st8(ip + IP_PROTO, PROTO_ICMP);
  st32(ip + IP_SRC, ld32(old + IP_DST));
  st32(ip + IP_DST, ld32(old + IP_SRC));
  st16(ip + IP_CSUM, ~csumBytes(ip, IP_HEADER, 0) & 0xffff);
  st8(icmp + ICMP_TYPE, ICMP_UNREACHABLE);
  st8(icmp + ICMP_CODE, PORT_UNREACHABLE);
  st16(icmp + ICMP_CSUM, ~csumBytes(icmp, ICMP_HEADER + quoted, 0) & 0xffff);
  note(pkt, NOTE_ANSWERED);
  return redirectSelf(pkt);
}

/** VERDICT_REDIRECT back to the pod, or drop 134. The real program's limit of 100 answers a second is not modelled. */
export function answerUnreachable6(pkt: i32): i32 {
  const old: i32 = ld32(pkt + P_FRAME) + ETH_LEN;
  const quoted: i32 = quotePacket(pkt, IP6_HEADER + ICMP_HEADER, QUOTED6);
  if (quoted < 0) return quoted;
  const ip: i32 = ld32(pkt + P_FRAME) + ETH_LEN, icmp: i32 = ld32(pkt + P_FRAME) + ETH_LEN + IP6_HEADER;
  st8(ip, 0x60);
  st16be(ip + IP6_PAYLOAD_LEN, ICMP_HEADER + quoted);
  st8(ip + IP6_NEXT_HEADER, PROTO_ICMP6);
  st8(ip + IP6_HOP_LIMIT, TTL);
  copyAddress6(ip + IP6_SRC, old + IP6_DST);
  copyAddress6(ip + IP6_DST, old + IP6_SRC);
  st8(icmp + ICMP_TYPE, ICMP6_UNREACHABLE);
  st8(icmp + ICMP_CODE, PORT_UNREACHABLE6);
  // RFC 4443 section 2.3: message, addresses, length and protocol.
  const head: i32 = csumBytes(icmp, ICMP_HEADER, csumBytes(ip + IP6_SRC, 32, swap16(ICMP_HEADER + quoted) + (PROTO_ICMP6 << 8)));
  st16(icmp + ICMP_CSUM, ~csumFold(head + quoteSum(pkt, icmp + ICMP_HEADER, quoted)) & 0xffff);
  note(pkt, NOTE_ANSWERED);
  return redirectSelf(pkt);
}

/** Sum over the quote. The real program's unrolled loop (icmp_wsum_accumulate) leaves out every second 128 bytes, so that the
 * answer to a longer packet has a wrong checksum (read, not recorded). */
function quoteSum(pkt: i32, quote: i32, length: i32): i32 {
  if (repairs(pkt)) return csumBytes(quote, length, 0);
  let sum: i32 = 0;
  for (let k: i32 = 0; k < length; k += 256) sum = csumBytes(quote + k, length - k < 128 ? length - k : 128, sum);
  return sum;
}
