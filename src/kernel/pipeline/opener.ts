// Who opened a flow whose beginning the capture may not hold, and the state that the unseen beginning would have left.
import { copy, fill, ld16be, ld32, ld8, st16, st16be, st32, st8 } from "../mem.ts";
import { N_INDEX, P_FLAGS, P_FLOW, P_FRAME, P_LEN, P_NODE, P_ROOM, P_WIRE_LEN, PF_IPV6, PF_SYNTHETIC } from "../layout.ts";
import { P_SKETCH } from "../layout-way.ts";
import { F_FLAGS, FF_OPENED, FF_OPENER_ASSUMED, FF_OPENER_OUTSIDE } from "../layout-flow.ts";
import { copyAddress6 } from "../wire/address6.ts";
import { csumBytes } from "../wire/checksum.ts";
import { ICMP6_ECHO } from "../wire/icmp6.ts";
import {
  ETH_LEN, ETH_TYPE, ETHERTYPE_IPV4, ETHERTYPE_IPV6, hasL4Header, IP_CSUM, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, IP_TOTAL_LEN, IP_TTL, ipv4HeaderLen,
  PROTO_TCP, PROTO_UDP,
} from "../wire/ipv4.ts";
import { IP6_DST, IP6_HEADER, IP6_HOP_LIMIT, IP6_NEXT_HEADER, IP6_PAYLOAD_LEN, IP6_SRC } from "../wire/ipv6.ts";
import { ICMP_ECHO, ICMP_HEADER, ICMP_ID, ICMP_TYPE, TCP_ACK, TCP_FLAGS, TCP_SYN, tcpFlags, within } from "../wire/l4.ts";
import {
  destinationOf, fragmented, holdsL4, isEcho, isEchoRequest, isIcmp, isIpv6, l4Of, protoOf, sameAddress, sourceOf,
} from "./family.ts";
import { B_FRAME, B_LEN, B_SEQ_LO, B_SIZE, NC_OPENERS_ASSUMED, X_MADE, X_OPTIONS, XO_ASSUME_OUTSIDE, XO_LIVE } from "./layout-batch.ts";
import { enterNode, enterPod } from "./nodes.ts";
import { AT_FROM_CONTAINER, AT_FROM_NETDEV, walk } from "./walk.ts";
import { countNote } from "./tally.ts";

const OPENER_UNKNOWN: i32 = 0;
const OPENER_POD: i32 = 1;
const OPENER_OUTSIDE: i32 = 2;
/** How many packets of the capture are looked at after a segment that shows no opener. */
const LOOK_AHEAD: i32 = 256;

function bySyn(flags: i32, fromPod: boolean): i32 {
  if ((flags & TCP_SYN) === 0) return OPENER_UNKNOWN;
  const senderOpened: boolean = (flags & TCP_ACK) === 0;
  return senderOpened === fromPod ? OPENER_POD : OPENER_OUTSIDE;
}

/** What the packet itself says. UDP and echo requests are opened by whoever is seen first to send one; from outside that
 * may be an answer whose question is not in the capture. */
function byPacket(pkt: i32, ip: i32, fromPod: boolean): i32 {
  const six: boolean = isIpv6(pkt), proto: i32 = protoOf(pkt, ip), l4: i32 = l4Of(pkt, ip);
  if (proto === PROTO_TCP) return holdsL4(pkt, ip) && within(pkt, l4 + TCP_FLAGS, 2) ? bySyn(tcpFlags(pkt, l4), fromPod) : OPENER_UNKNOWN;
  if (isIcmp(six, proto)) return isEchoRequest(six, ld8(ld32(pkt + P_FRAME) + l4 + ICMP_TYPE)) === fromPod ? OPENER_POD : OPENER_OUTSIDE;
  return fromPod ? OPENER_POD : OPENER_UNKNOWN;
}

/** Offset from its IP header of the TCP header that the frame of a descriptor holds, 0 where it holds none of the family's; in
 * IPv6 none behind extension headers, which openings do not have. */
function tcpAt(d: i32, six: boolean): i32 {
  const frame: i32 = ld32(d + B_FRAME), ip: i32 = frame + ETH_LEN, length: i32 = ld32(d + B_LEN) - ETH_LEN;
  if (length < IP_HEADER || ld16be(frame + ETH_TYPE) !== (six ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4)) return 0;
  if (six) return length >= IP6_HEADER + TCP_FLAGS + 2 && ld8(ip + IP6_NEXT_HEADER) === PROTO_TCP ? IP6_HEADER : 0;
  const l4: i32 = ipv4HeaderLen(ip);
  return ld8(ip + IP_PROTO) === PROTO_TCP && hasL4Header(ip) && length >= l4 + TCP_FLAGS + 2 ? l4 : 0;
}

/** A SYN of the same flow among the next packets of the capture settles it. Bounded by capture numbers, not by what this
 * worker happens to have, so that the answer does not depend on the number of workers. */
function byLookAhead(pkt: i32, ip: i32, fromPod: boolean, next: i32, end: i32, seq: i32): i32 {
  if (protoOf(pkt, ip) !== PROTO_TCP || !holdsL4(pkt, ip) || !within(pkt, l4Of(pkt, ip), 4)) return OPENER_UNKNOWN;
  const six: boolean = isIpv6(pkt), ports: i32 = ld32(ld32(pkt + P_FRAME) + l4Of(pkt, ip));
  const source: i32 = sourceOf(six, ip), destination: i32 = destinationOf(six, ip);
  for (let d: i32 = next; d < end && ((ld32(d + B_SEQ_LO) - seq) | 0) <= LOOK_AHEAD; d += B_SIZE) {
    const other: i32 = ld32(d + B_FRAME) + ETH_LEN, l4: i32 = tcpAt(d, six);
    if (l4 === 0) continue;
    const from: i32 = sourceOf(six, other), to: i32 = destinationOf(six, other), theirs: i32 = ld32(other + l4);
    const sameWay: boolean = theirs === ports && sameAddress(six, from, source) && sameAddress(six, to, destination);
    const back: boolean = theirs === ((ports << 16) | (ports >>> 16)) && sameAddress(six, from, destination) && sameAddress(six, to, source);
    if (!sameWay && !back) continue;
    const opener: i32 = bySyn(ld8(other + l4 + TCP_FLAGS + 1), sameWay === fromPod);
    if (opener !== OPENER_UNKNOWN) return opener;
  }
  return OPENER_UNKNOWN;
}

/** ICMP other than echo opens nothing: an error belongs to the flow it quotes, whose own packets settle it. */
function canOpen(pkt: i32, ip: i32): boolean {
  const six: boolean = isIpv6(pkt), l4: i32 = l4Of(pkt, ip);
  if (!isIcmp(six, protoOf(pkt, ip))) return true;
  return !fragmented(pkt, ip) && within(pkt, l4, ICMP_HEADER) && isEcho(six, ld8(ld32(pkt + P_FRAME) + l4 + ICMP_TYPE));
}

/** Settles the opener of a flow at its first packet, and where the other side than the sender opened it, leaves the state
 * that the unseen opening would have: an invisible packet goes the opener's way first. `podPorts` are the flow's ports as
 * the pod sends them; the packet structure comes back as it was. */
export function settleOpener(cx: i32, pkt: i32, ip: i32, fromPod: boolean, podPorts: i32, next: i32, end: i32, seq: i32): void {
  const flow: i32 = ld32(pkt + P_FLOW);
  if (flow === 0 || (ld32(flow + F_FLAGS) & FF_OPENED) !== 0 || (ld32(cx + X_OPTIONS) & XO_LIVE) !== 0 || !canOpen(pkt, ip)) return;
  let flags: i32 = ld32(flow + F_FLAGS) | FF_OPENED;
  let opener: i32 = byPacket(pkt, ip, fromPod);
  if (opener === OPENER_UNKNOWN) opener = byLookAhead(pkt, ip, fromPod, next, end, seq);
  if (opener === OPENER_UNKNOWN) {
    opener = (ld32(cx + X_OPTIONS) & XO_ASSUME_OUTSIDE) !== 0 ? OPENER_OUTSIDE : OPENER_POD;
    flags = flags | FF_OPENER_ASSUMED;
    countNote(cx, NC_OPENERS_ASSUMED);
  }
  if (opener === OPENER_OUTSIDE) flags = flags | FF_OPENER_OUTSIDE;
  st32(flow + F_FLAGS, flags);
  if ((opener === OPENER_POD) !== fromPod) sendInvisible(cx, pkt, ip, podPorts, !fromPod);
}

/** Size of an invisible frame: Ethernet, IPv4 or IPv6 and the longest L4 header. */
const MADE_LEN: i32 = 54;
const MADE_LEN6: i32 = 74;
/** X_MADE holds a next hop's MAC, then the saved packet structure, then the frame. */
const MADE_SAVED: i32 = 64;
const MADE_FRAME: i32 = 512;

/** Sends a packet of the same flow the other way. */
function sendInvisible(cx: i32, pkt: i32, ip: i32, podPorts: i32, podSends: boolean): void {
  const six: boolean = isIpv6(pkt), proto: i32 = protoOf(pkt, ip), icmp: boolean = isIcmp(six, proto);
  if (proto !== PROTO_TCP && proto !== PROTO_UDP && !icmp) return;
  const made: i32 = ld32(cx + X_MADE), frame: i32 = made + MADE_FRAME, node: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX);
  const ports: i32 = podSends || icmp ? podPorts : (podPorts << 16) | (podPorts >>> 16), length: i32 = six ? MADE_LEN6 : MADE_LEN;
  copy(made + MADE_SAVED, pkt, P_ROOM);
  fill(frame, 0, length);
  if (six) writeIpv6(frame, proto, ip + IP6_DST, ip + IP6_SRC);
  else writeIpv4(frame, proto, ld32(ip + IP_DST), ld32(ip + IP_SRC));
  writeL4(frame + ETH_LEN + (six ? IP6_HEADER : IP_HEADER), six, proto, ports);
  st32(pkt + P_FRAME, frame);
  st32(pkt + P_LEN, length);
  st32(pkt + P_WIRE_LEN, length);
  st32(pkt + P_FLAGS, PF_SYNTHETIC | (ld32(pkt + P_FLAGS) & PF_IPV6));
  st32(pkt + P_FLOW, 0);
  st32(pkt + P_SKETCH, 0);
  enterNode(cx, pkt, node);
  if (!podSends) walk(cx, pkt, AT_FROM_NETDEV);
  else if (enterPod(pkt, sourceOf(six, frame + ETH_LEN))) walk(cx, pkt, AT_FROM_CONTAINER);
  copy(pkt, made + MADE_SAVED, P_ROOM);
}

function writeIpv4(frame: i32, proto: i32, source: i32, destination: i32): void {
  const ip: i32 = frame + ETH_LEN;
  st16be(frame + ETH_TYPE, ETHERTYPE_IPV4);
  st16be(ip, 0x4500);
  st16be(ip + IP_TOTAL_LEN, MADE_LEN - ETH_LEN);
  st8(ip + IP_TTL, 64);
  st8(ip + IP_PROTO, proto);
  st32(ip + IP_SRC, source);
  st32(ip + IP_DST, destination);
  st16(ip + IP_CSUM, ~csumBytes(ip, IP_HEADER, 0) & 0xffff);
}

/** Addresses are where their 16 bytes lie. */
function writeIpv6(frame: i32, proto: i32, source: i32, destination: i32): void {
  const ip: i32 = frame + ETH_LEN;
  st16be(frame + ETH_TYPE, ETHERTYPE_IPV6);
  st8(ip, 0x60);
  st16be(ip + IP6_PAYLOAD_LEN, MADE_LEN6 - ETH_LEN - IP6_HEADER);
  st8(ip + IP6_NEXT_HEADER, proto);
  st8(ip + IP6_HOP_LIMIT, 64);
  copyAddress6(ip + IP6_SRC, source);
  copyAddress6(ip + IP6_DST, destination);
}

/** An empty segment in the middle of a connection: TCP ACK, UDP, or an echo request. */
function writeL4(l4: i32, six: boolean, proto: i32, ports: i32): void {
  if (isIcmp(six, proto)) {
    st8(l4 + ICMP_TYPE, six ? ICMP6_ECHO : ICMP_ECHO);
    st16(l4 + ICMP_ID, ports & 0xffff);
  } else st32(l4, ports);
  if (proto === PROTO_TCP) st16be(l4 + TCP_FLAGS, 0x5000 | TCP_ACK);
}
