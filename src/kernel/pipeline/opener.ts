// Who opened a flow whose beginning the capture may not hold, and the state that the unseen beginning would have left.
import { fill, ld32, ld8, st16be, st32, st8 } from "../mem.ts";
import { N_INDEX, P_FLAGS, P_FLOW, P_FRAME, P_LEN, P_NODE, P_SIZE, P_WIRE_LEN, PF_SYNTHETIC } from "../layout.ts";
import { F_FLAGS, FF_OPENED, FF_OPENER_ASSUMED, FF_OPENER_OUTSIDE } from "../layout-flow.ts";
import { csumBytes } from "../wire/checksum.ts";
import {
  ETH_LEN, hasL4Header, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, ipv4HeaderLen, isFragment, l4Offset, PROTO_ICMP, PROTO_TCP, PROTO_UDP,
} from "../wire/ipv4.ts";
import { ICMP_ECHO, ICMP_ECHO_REPLY, ICMP_HEADER, ICMP_TYPE, TCP_ACK, TCP_FLAGS, TCP_SYN, tcpFlags, within } from "../wire/l4.ts";
import { B_FRAME, B_LEN, B_SEQ_LO, B_SIZE, NC_OPENERS_ASSUMED, X_MADE, X_OPTIONS, XO_ASSUME_OUTSIDE, XO_LIVE } from "./layout-batch.ts";
import { AT_FROM_CONTAINER, AT_FROM_NETDEV, enterNode, enterPod, walk } from "./walk.ts";
import { countNote } from "./tally.ts";
import { copy } from "../mem.ts";

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
  const proto: i32 = ld8(ip + IP_PROTO), l4: i32 = l4Offset(ip);
  if (proto === PROTO_TCP) return hasL4Header(ip) && within(pkt, l4 + TCP_FLAGS, 2) ? bySyn(tcpFlags(pkt, l4), fromPod) : OPENER_UNKNOWN;
  if (proto === PROTO_ICMP) return (ld8(ld32(pkt + P_FRAME) + l4 + ICMP_TYPE) === ICMP_ECHO) === fromPod ? OPENER_POD : OPENER_OUTSIDE;
  return fromPod ? OPENER_POD : OPENER_UNKNOWN;
}

/** A SYN of the same flow among the next packets of the capture settles it. Bounded by capture numbers, not by what this
 * worker happens to have, so that the answer does not depend on the number of workers. */
function byLookAhead(pkt: i32, ip: i32, fromPod: boolean, next: i32, end: i32, seq: i32): i32 {
  if (ld8(ip + IP_PROTO) !== PROTO_TCP || !hasL4Header(ip) || !within(pkt, l4Offset(ip), 4)) return OPENER_UNKNOWN;
  const source: i32 = ld32(ip + IP_SRC), destination: i32 = ld32(ip + IP_DST), ports: i32 = ld32(ld32(pkt + P_FRAME) + l4Offset(ip));
  for (let d: i32 = next; d < end && ((ld32(d + B_SEQ_LO) - seq) | 0) <= LOOK_AHEAD; d += B_SIZE) {
    const other: i32 = ld32(d + B_FRAME) + ETH_LEN, length: i32 = ld32(d + B_LEN) - ETH_LEN;
    if (length < IP_HEADER || ld8(other + IP_PROTO) !== PROTO_TCP || !hasL4Header(other)) continue;
    const l4: i32 = ipv4HeaderLen(other);
    if (length < l4 + TCP_FLAGS + 2) continue;
    const sameWay: boolean = ld32(other + IP_SRC) === source && ld32(other + IP_DST) === destination && ld32(other + l4) === ports;
    const back: boolean = ld32(other + IP_SRC) === destination && ld32(other + IP_DST) === source && ld32(other + l4) === ((ports << 16) | (ports >>> 16));
    if (!sameWay && !back) continue;
    const opener: i32 = bySyn(ld8(other + l4 + TCP_FLAGS + 1), sameWay === fromPod);
    if (opener !== OPENER_UNKNOWN) return opener;
  }
  return OPENER_UNKNOWN;
}

/** ICMP other than echo opens nothing: an error belongs to the flow it quotes, whose own packets settle it. */
function canOpen(pkt: i32, ip: i32): boolean {
  if (ld8(ip + IP_PROTO) !== PROTO_ICMP) return true;
  const l4: i32 = l4Offset(ip);
  if (isFragment(ip) || !within(pkt, l4, ICMP_HEADER)) return false;
  const type: i32 = ld8(ld32(pkt + P_FRAME) + l4 + ICMP_TYPE);
  return type === ICMP_ECHO || type === ICMP_ECHO_REPLY;
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
  if ((opener === OPENER_POD) !== fromPod) sendInvisible(cx, pkt, ip, fromPod, podPorts, opener === OPENER_POD);
}

/** Size of an invisible frame: Ethernet, IPv4 and the longest L4 header. */
const MADE_LEN: i32 = 54;
/** X_MADE holds a next hop's MAC, then the saved packet structure, then the frame. */
const MADE_SAVED: i32 = 64;
const MADE_FRAME: i32 = 512;

function sendInvisible(cx: i32, pkt: i32, ip: i32, fromPod: boolean, podPorts: i32, podSends: boolean): void {
  const proto: i32 = ld8(ip + IP_PROTO);
  if (proto !== PROTO_TCP && proto !== PROTO_UDP && proto !== PROTO_ICMP) return;
  const pod: i32 = ld32(ip + (fromPod ? IP_SRC : IP_DST)), remote: i32 = ld32(ip + (fromPod ? IP_DST : IP_SRC));
  const made: i32 = ld32(cx + X_MADE), frame: i32 = made + MADE_FRAME, node: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX);
  copy(made + MADE_SAVED, pkt, P_SIZE);
  writeFrame(frame, proto, podSends ? pod : remote, podSends ? remote : pod, podSends || proto === PROTO_ICMP ? podPorts : (podPorts << 16) | (podPorts >>> 16));
  st32(pkt + P_FRAME, frame);
  st32(pkt + P_LEN, MADE_LEN);
  st32(pkt + P_WIRE_LEN, MADE_LEN);
  st32(pkt + P_FLAGS, PF_SYNTHETIC);
  st32(pkt + P_FLOW, 0);
  enterNode(cx, pkt, node);
  if (!podSends) walk(cx, pkt, AT_FROM_NETDEV);
  else if (enterPod(pkt, pod)) walk(cx, pkt, AT_FROM_CONTAINER);
  copy(pkt, made + MADE_SAVED, P_SIZE);
}

/** An empty segment in the middle of a connection: TCP ACK, UDP, or an echo request. */
function writeFrame(frame: i32, proto: i32, source: i32, destination: i32, ports: i32): void {
  fill(frame, 0, MADE_LEN);
  st16be(frame + 12, 0x0800);
  const ip: i32 = frame + ETH_LEN;
  st16be(ip, 0x4500);
  st16be(ip + 2, MADE_LEN - ETH_LEN);
  st8(ip + 8, 64);
  st8(ip + 9, proto);
  st32(ip + IP_SRC, source);
  st32(ip + IP_DST, destination);
  const sum: i32 = ~csumBytes(ip, IP_HEADER, 0) & 0xffff;
  st8(ip + 10, sum & 0xff);
  st8(ip + 11, sum >>> 8);
  const l4: i32 = ip + IP_HEADER;
  if (proto === PROTO_ICMP) {
    st8(l4, ICMP_ECHO);
    st8(l4 + 4, ports & 0xff);
    st8(l4 + 5, (ports >>> 8) & 0xff);
  } else st32(l4, ports);
  if (proto === PROTO_TCP) st16be(l4 + TCP_FLAGS, 0x5000 | TCP_ACK);
}

