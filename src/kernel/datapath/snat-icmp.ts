// ICMP errors about translated flows: the quoted packet is translated with the outer one (RFC 5508 section 4), with the
// two checksum defects of Cilium 1.19 unless the node is told to repair them.
import { ld16, ld32, ld8, st32 } from "../mem.ts";
import {
  NOTE_DEFECT_ECHO_ERROR_CSUM, NOTE_DEFECT_POD_ERROR_CSUM, P_CSUM_DIFF, P_FRAME, P_NAT, P_SHARD, P_WIRE_LEN, S_NAT, TUPLE_IN, TUPLE_OUT, X_ADDR,
  X_PORT,
} from "../layout.ts";
import { find } from "../table/dynamic.ts";
import { csumDiff32 } from "../wire/checksum.ts";
import { IP_DST, IP_HEADER, IP_PROTO, IP_SRC, ipv4HeaderLen, PROTO_ICMP, PROTO_TCP, PROTO_UDP } from "../wire/ipv4.ts";
import {
  ICMP_ECHO, ICMP_ECHO_REPLY, ICMP_HEADER, ICMP_ID, L4_DPORT, L4_SPORT, TCP_CSUM, UDP_CSUM, within,
} from "../wire/l4.ts";
import { DROP_CSUM_L4, DROP_INVALID, DROP_UNKNOWN_ICMP4_CODE, DROP_UNKNOWN_L4, NAT_NOT_NEEDED } from "../verdict.ts";
import { keyWord } from "./ports.ts";
import { QUOTE_OF_OTHER_TYPE, QUOTE_WITHOUT_PORTS, quotedPorts, quotedPortsMissing, quotedType } from "./quoted-ports.ts";
import { portDiff, rewriteHeaders } from "./snat-rewrite.ts";
import { note, repairs } from "./note.ts";

/** Is the quoted TCP header cut before its checksum? (RFC 792 asks for 8 bytes only.) */
function innerChecksumCut(pkt: i32, innerAt: i32, ip: i32, proto: i32): boolean {
  return proto === PROTO_TCP && ld32(pkt + P_WIRE_LEN) - innerAt < ipv4HeaderLen(ip) + TCP_CSUM + 2;
}

/** snat_v4_nat_handle_icmp_error: an error that a pod (or the node) sends about a translated flow; the quoted packet came
 * from outside, so its destination gets the mapping's address. Mapping in P_NAT, difference for the outer checksum in
 * P_CSUM_DIFF (0 as in 1.19, right when repairing). 0, NAT_NOT_NEEDED, or a drop. */
export function natIcmpErrorOut(pkt: i32, l4: i32): i32 {
  const innerAt: i32 = l4 + ICMP_HEADER;
  st32(pkt + P_CSUM_DIFF, 0);
  if (!within(pkt, innerAt, IP_HEADER)) return DROP_INVALID;
  const inner: i32 = ld32(pkt + P_FRAME) + innerAt;
  const proto: i32 = ld8(inner + IP_PROTO), saddr: i32 = ld32(inner + IP_DST), daddr: i32 = ld32(inner + IP_SRC);
  const innerL4: i32 = innerAt + ipv4HeaderLen(inner);
  const isEcho: boolean = proto === PROTO_ICMP;
  const missing: i32 = quotedPortsMissing(pkt, innerL4, proto, PROTO_ICMP, ICMP_ECHO_REPLY);
  if (missing === QUOTE_OF_OTHER_TYPE) return quotedType(pkt, innerL4) === ICMP_ECHO ? NAT_NOT_NEEDED : DROP_UNKNOWN_ICMP4_CODE;
  if (missing !== 0) return missing === QUOTE_WITHOUT_PORTS ? DROP_UNKNOWN_L4 : missing;
  const quoted: i32 = quotedPorts(pkt, innerL4, isEcho), ports: i32 = isEcho ? quoted << 16 : quoted;
  const state: i32 = find(ld32(pkt + P_SHARD) + S_NAT, keyWord(pkt, proto, TUPLE_OUT), daddr, saddr, ports);
  if (state === 0) return NAT_NOT_NEEDED;
  st32(pkt + P_NAT, state);
  const cut: boolean = innerChecksumCut(pkt, innerAt, inner, proto);
  const error: i32 = rewriteHeaders(
    pkt, proto, innerAt, true, innerL4, saddr, ld32(state + X_ADDR), IP_DST, ports >>> 16, ld32(state + X_PORT), isEcho ? ICMP_ID : L4_DPORT, 0,
  );
  if (!isEcho) {
    if (repairs(pkt)) {
      st32(pkt + P_CSUM_DIFF, outerDiff(pkt, innerL4, proto, cut, saddr, ld32(state + X_ADDR), ports >>> 16, ld32(state + X_PORT)));
    } else note(pkt, NOTE_DEFECT_POD_ERROR_CSUM);
  }
  return cut && error === DROP_CSUM_L4 ? 0 : error;
}

/** What the outer ICMP checksum must change by. Address and IP checksum of the quoted packet cancel each other; a port
 * cancels against the L4 checksum where that is quoted and in use, whose pseudo-header part (the address) remains. */
export function outerDiff(pkt: i32, innerL4: i32, proto: i32, cut: boolean, oldAddr: i32, newAddr: i32, oldPort: i32, newPort: i32): i32 {
  let quoted: boolean = !cut;
  if (proto === PROTO_UDP) {
    if (!within(pkt, innerL4 + UDP_CSUM, 2)) quoted = false;
    else if (ld16(ld32(pkt + P_FRAME) + innerL4 + UDP_CSUM) === 0) quoted = false;
  }
  if (quoted) return oldAddr === newAddr ? 0 : csumDiff32(newAddr, oldAddr);
  return oldPort === newPort ? 0 : portDiff(oldPort, newPort);
}

/** snat_v4_rev_nat_handle_icmp_error: an error from outside about a packet that left translated; the quoted source gets the
 * pod's address back. `innerAt` is the quoted header's offset in the frame. 0 with P_NAT and P_CSUM_DIFF, NAT_NOT_NEEDED,
 * or a drop. */
export function natIcmpErrorIn(pkt: i32, innerAt: i32): i32 {
  st32(pkt + P_CSUM_DIFF, 0);
  if (!within(pkt, innerAt, IP_HEADER)) return DROP_INVALID;
  const inner: i32 = ld32(pkt + P_FRAME) + innerAt;
  const proto: i32 = ld8(inner + IP_PROTO), saddr: i32 = ld32(inner + IP_DST), daddr: i32 = ld32(inner + IP_SRC);
  const innerL4: i32 = innerAt + ipv4HeaderLen(inner);
  const isEcho: boolean = proto === PROTO_ICMP;
  const missing: i32 = quotedPortsMissing(pkt, innerL4, proto, PROTO_ICMP, ICMP_ECHO);
  if (missing === QUOTE_OF_OTHER_TYPE) return quotedType(pkt, innerL4) === ICMP_ECHO_REPLY ? NAT_NOT_NEEDED : DROP_UNKNOWN_ICMP4_CODE;
  if (missing !== 0) return missing === QUOTE_WITHOUT_PORTS ? NAT_NOT_NEEDED : missing;
  const ports: i32 = quotedPorts(pkt, innerL4, isEcho);
  const state: i32 = find(ld32(pkt + P_SHARD) + S_NAT, keyWord(pkt, proto, TUPLE_IN), daddr, saddr, ports);
  if (state === 0) return NAT_NOT_NEEDED;
  st32(pkt + P_NAT, state);
  const cut: boolean = innerChecksumCut(pkt, innerAt, inner, proto);
  if (proto === PROTO_UDP && !within(pkt, innerL4 + UDP_CSUM, 2)) return DROP_INVALID;
  const newAddr: i32 = ld32(state + X_ADDR), newPort: i32 = ld32(state + X_PORT), oldPort: i32 = ports & 0xffff;
  if (isEcho) {
    // 1.19 takes the quoted ICMP for one with a pseudo-header; right is that everything in it cancels.
    if (!repairs(pkt) && daddr !== newAddr) {
      st32(pkt + P_CSUM_DIFF, csumDiff32(newAddr, daddr));
      note(pkt, NOTE_DEFECT_ECHO_ERROR_CSUM);
    }
  } else st32(pkt + P_CSUM_DIFF, outerDiff(pkt, innerL4, proto, cut, daddr, newAddr, oldPort, newPort));
  const error: i32 = rewriteHeaders(pkt, proto, innerAt, true, innerL4, daddr, newAddr, IP_SRC, oldPort, newPort, isEcho ? ICMP_ID : L4_SPORT, 0);
  return cut && error === DROP_CSUM_L4 ? 0 : error;
}
