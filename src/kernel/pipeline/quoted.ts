// The packet that an ICMP error quotes: which flow the error is about.
import { ld16, ld32, ld8 } from "../mem.ts";
import { P_FRAME } from "../layout.ts";
import { P_INNER_WALK, W_PROTO } from "../layout6.ts";
import { IP_HEADER, IP_PROTO, ipv4HeaderLen } from "../wire/ipv4.ts";
import { IP6_HEADER, ipv6Walk } from "../wire/ipv6.ts";
import { ICMP_HEADER, ICMP_ID, ICMP_TYPE, within } from "../wire/l4.ts";
import { isPortProtocol } from "../datapath/ports.ts";
import { holdsL4, isIcmp, isIpv6, l4Of, protoOf, quotesPacket } from "./family.ts";

/** Frame offset of the IP packet that an ICMP error quotes with its first four upper-layer bytes, or 0. */
export function quotedAt(pkt: i32, ip: i32): i32 {
  const six: boolean = isIpv6(pkt);
  if (!isIcmp(six, protoOf(pkt, ip)) || !holdsL4(pkt, ip)) return 0;
  const l4: i32 = l4Of(pkt, ip), inner: i32 = l4 + ICMP_HEADER;
  if (!within(pkt, inner, six ? IP6_HEADER : IP_HEADER) || !quotesPacket(six, ld8(ld32(pkt + P_FRAME) + l4 + ICMP_TYPE))) return 0;
  const at: i32 = quotedL4(pkt, inner);
  return at !== 0 && within(pkt, at, 4) ? inner : 0;
}

/** Frame offset of the upper-layer header of the packet quoted at `inner`, 0 where its headers cannot be walked. Leaves an
 * IPv6 packet's W_… in P_INNER_WALK. */
export function quotedL4(pkt: i32, inner: i32): i32 {
  if (!isIpv6(pkt)) return inner + ipv4HeaderLen(ld32(pkt + P_FRAME) + inner);
  const length: i32 = ipv6Walk(pkt, inner, pkt + P_INNER_WALK);
  return length < 0 ? 0 : inner + length;
}

/** Its protocol, after quotedL4. */
export function quotedProto(pkt: i32, inner: i32): i32 {
  return isIpv6(pkt) ? ld32(pkt + P_INNER_WALK + W_PROTO) : ld8(ld32(pkt + P_FRAME) + inner + IP_PROTO);
}

/** Its ports as they stand there, the first one low; the identifier of an echo; 0 where there are none. */
export function quotedPorts(pkt: i32, l4: i32, proto: i32): i32 {
  if (isPortProtocol(pkt, proto)) return ld32(ld32(pkt + P_FRAME) + l4);
  return isIcmp(isIpv6(pkt), proto) && within(pkt, l4, ICMP_HEADER) ? ld16(ld32(pkt + P_FRAME) + l4 + ICMP_ID) : 0;
}
