// ICMPv6 errors about translated flows: the quoted packet is translated with the outer one (RFC 5508 section 4), with the
// defects of Cilium 1.19 unless the node is told to repair them.
import { ld32, st32 } from "../mem.ts";
import {
  NOTE_DEFECT6_QUOTE_CSUM, NOTE_DEFECT6_QUOTED_REPLY, NOTE_DEFECT6_SHORT_QUOTE, P_CSUM_DIFF, P_FRAME, P_LEN, P_NAT, P_SHARD, P_WIRE_LEN,
  TUPLE_IN, TUPLE_OUT,
} from "../layout.ts";
import { P_INNER_WALK, S_NAT6, W_PROTO, X6_ADDR, X6_PORT } from "../layout6.ts";
import { find6, peek6 } from "../table/dynamic6.ts";
import { csumBytes, csumFold } from "../wire/checksum.ts";
import { ICMP6_ECHO, ICMP6_ECHO_REPLY } from "../wire/icmp6.ts";
import { PROTO_TCP } from "../wire/ipv4.ts";
import { IP6_DST, IP6_HEADER, IP6_SRC, ipv6Walk, PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_CSUM, ICMP_ID, L4_DPORT, L4_SPORT, l4CsumApply, TCP_CSUM, within } from "../wire/l4.ts";
import { DROP_CSUM_L4, DROP_INVALID, DROP_UNKNOWN_ICMP6_CODE, DROP_UNKNOWN_L4, NAT_NOT_NEEDED } from "../verdict.ts";
import { keyWord } from "./ports.ts";
import { QUOTE_OF_OTHER_TYPE, QUOTE_WITHOUT_PORTS, quotedPorts, quotedPortsMissing, quotedType } from "./quoted-ports.ts";
import { rewriteHeaders6 } from "./snat-rewrite6.ts";
import { note, repairs } from "./note.ts";

/** Sum over the quoted packet, as far as it is in memory. */
export function quoteSum(pkt: i32, innerAt: i32): i32 { return csumBytes(ld32(pkt + P_FRAME) + innerAt, ld32(pkt + P_LEN) - innerAt, 0); }

/** What the quoted packet has added to the outer checksum since its sum was `before`; 0 where its own checksum balances all. */
export function quoteChange(pkt: i32, innerAt: i32, before: i32): i32 {
  const change: i32 = csumFold((~before & 0xffff) + quoteSum(pkt, innerAt));
  return change === 0xffff ? 0 : change;
}

/** The outer checksum follows what the quote's own did not balance. */
export function applyQuoteDiff(pkt: i32, l4: i32, diff: i32): void {
  if (diff !== 0) l4CsumApply(ld32(pkt + P_FRAME) + l4 + ICMP_CSUM, diff, PROTO_ICMP6);
}

/** Translates the quoted packet by a mapping. The outer checksum covers the quote: where the quote's own checksum does not
 * balance what changed, 1.19 leaves the outer one wrong; repaired, P_CSUM_DIFF says what it must change by. */
function rewriteQuote(pkt: i32, proto: i32, innerAt: i32, innerL4: i32, state: i32, addrAt: i32, oldPort: i32, portAt: i32): i32 {
  st32(pkt + P_NAT, state);
  const before: i32 = quoteSum(pkt, innerAt);
  const cut: boolean = proto === PROTO_TCP && ld32(pkt + P_WIRE_LEN) < innerL4 + TCP_CSUM + 2;
  const error: i32 = rewriteHeaders6(pkt, proto, innerAt, true, innerL4, state + X6_ADDR, addrAt, oldPort, ld32(state + X6_PORT), portAt);
  if (cut && error === DROP_CSUM_L4 && !repairs(pkt)) note(pkt, NOTE_DEFECT6_SHORT_QUOTE);
  if (error < 0 && !(cut && error === DROP_CSUM_L4 && repairs(pkt))) return error;
  const change: i32 = quoteChange(pkt, innerAt, before);
  if (change === 0) return 0;
  if (repairs(pkt)) st32(pkt + P_CSUM_DIFF, change);
  else note(pkt, NOTE_DEFECT6_QUOTE_CSUM);
  return 0;
}

/** Length of the quoted packet's headers, which are in P_INNER_WALK then, or a drop. Nothing has changed the quote so far. */
function walkQuote(pkt: i32, innerAt: i32): i32 {
  st32(pkt + P_CSUM_DIFF, 0);
  return within(pkt, innerAt, IP6_HEADER) ? ipv6Walk(pkt, innerAt, pkt + P_INNER_WALK) : DROP_INVALID;
}

/** snat_v6_nat_handle_icmp_error: an error that a pod (or the node) sends about a translated flow; the quoted packet came
 * from outside, so its destination gets the mapping's address. 0 with P_NAT and P_CSUM_DIFF, NAT_NOT_NEEDED, or a drop. */
export function natIcmp6ErrorOut(pkt: i32, innerAt: i32): i32 {
  const length: i32 = walkQuote(pkt, innerAt);
  if (length < 0) return length;
  const inner: i32 = ld32(pkt + P_FRAME) + innerAt;
  const proto: i32 = ld32(pkt + P_INNER_WALK + W_PROTO), innerL4: i32 = innerAt + length;
  const isEcho: boolean = proto === PROTO_ICMP6;
  const missing: i32 = quotedPortsMissing(pkt, innerL4, proto, PROTO_ICMP6, ICMP6_ECHO_REPLY);
  if (missing === QUOTE_OF_OTHER_TYPE) return quotedType(pkt, innerL4) === ICMP6_ECHO ? NAT_NOT_NEEDED : DROP_UNKNOWN_ICMP6_CODE;
  if (missing !== 0) return missing === QUOTE_WITHOUT_PORTS ? DROP_UNKNOWN_L4 : missing;
  const quoted: i32 = quotedPorts(pkt, innerL4, isEcho), ports: i32 = isEcho ? quoted << 16 : quoted;
  const state: i32 = find6(ld32(pkt + P_SHARD) + S_NAT6, keyWord(pkt, proto, TUPLE_OUT), inner + IP6_SRC, inner + IP6_DST, ports);
  if (state === 0) return NAT_NOT_NEEDED;
  return rewriteQuote(pkt, proto, innerAt, innerL4, state, IP6_DST, ports >>> 16, isEcho ? ICMP_ID : L4_DPORT);
}

/** snat_v6_rev_nat_handle_icmp_pkt_toobig: an error from outside about a packet that left translated; the quoted source gets
 * the pod's address back. 0 with P_NAT and P_CSUM_DIFF, NAT_NOT_NEEDED, or a drop. */
export function natIcmp6ErrorIn(pkt: i32, innerAt: i32): i32 {
  const length: i32 = walkQuote(pkt, innerAt);
  if (length < 0) return length;
  const inner: i32 = ld32(pkt + P_FRAME) + innerAt;
  const proto: i32 = ld32(pkt + P_INNER_WALK + W_PROTO), innerL4: i32 = innerAt + length;
  const isEcho: boolean = proto === PROTO_ICMP6;
  const missing: i32 = quotedPortsMissing(pkt, innerL4, proto, PROTO_ICMP6, ICMP6_ECHO);
  if (missing === QUOTE_OF_OTHER_TYPE) {
    if (repairs(pkt)) return NAT_NOT_NEEDED;
    if (quotedType(pkt, innerL4) === ICMP6_ECHO_REPLY) note(pkt, NOTE_DEFECT6_QUOTED_REPLY);
    return DROP_INVALID;
  }
  if (missing !== 0) return missing === QUOTE_WITHOUT_PORTS ? NAT_NOT_NEEDED : missing;
  const ports: i32 = quotedPorts(pkt, innerL4, isEcho);
  const state: i32 = find6(ld32(pkt + P_SHARD) + S_NAT6, keyWord(pkt, proto, TUPLE_IN), inner + IP6_SRC, inner + IP6_DST, ports);
  if (state === 0) return NAT_NOT_NEEDED;
  return rewriteQuote(pkt, proto, innerAt, innerL4, state, IP6_SRC, ports & 0xffff, isEcho ? ICMP_ID : L4_SPORT);
}

/** Is an error from outside about a packet that left translated? Changes nothing. */
export function quotesTranslated6(pkt: i32, innerAt: i32): boolean {
  if (!within(pkt, innerAt, IP6_HEADER)) return false;
  const length: i32 = ipv6Walk(pkt, innerAt, pkt + P_INNER_WALK);
  if (length < 0) return false;
  const inner: i32 = ld32(pkt + P_FRAME) + innerAt, proto: i32 = ld32(pkt + P_INNER_WALK + W_PROTO), innerL4: i32 = innerAt + length;
  if (quotedPortsMissing(pkt, innerL4, proto, PROTO_ICMP6, ICMP6_ECHO) !== 0) return false;
  const ports: i32 = quotedPorts(pkt, innerL4, proto === PROTO_ICMP6);
  return peek6(ld32(pkt + P_SHARD) + S_NAT6, keyWord(pkt, proto, TUPLE_IN), inner + IP6_SRC, inner + IP6_DST, ports) !== 0;
}
