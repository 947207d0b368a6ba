// ICMPv6 that the programs send themselves (bpf/lib/icmp6.h): Time Exceeded where a hop limit runs out, neighbour
// advertisements. The frame becomes the answer and goes back to where it came from.
import { copy, fill, ld16be, ld32, ld8, st16be, st32, st8 } from "../mem.ts";
import {
  D_MAC, EP_FLAGS, EPF_HOST, N_FLAGS, N_TUNNEL_IFINDEX, N_TUNNEL_MAC, NF_SCTP, NOTE_ANSWERED, NOTE_DEFECT6_TIME_EXCEEDED_LOST, P_FRAME,
  P_IFINDEX, P_LEN, P_NODE, P_TUNNEL_REMOTE, P_WIRE_LEN,
} from "../layout.ts";
import { N_LOOPBACK6, N_ROUTER6, P_KEPT6, P_SELF_IFINDEX, P_SELF_MAC, P_SPARE, SPARE_BYTES } from "../layout6.ts";
import {
  DROP_INVALID, DROP_TTL_EXCEEDED, DROP_UNKNOWN_L4, DROP_UNKNOWN_TARGET, DROP_WRITE_ERROR, ID_HOST, VERDICT_OK,
} from "../verdict.ts";
import { copyAddress6, sameAddress6 } from "../wire/address6.ts";
import { csumBytes, csumDiffBytes, csumFold } from "../wire/checksum.ts";
import {
  ICMP6_ADVERTISEMENT, ICMP6_SOLICITATION, ICMP6_TIME_EXCEEDED, ND_FLAG_OVERRIDE, ND_FLAG_ROUTER, ND_FLAG_SOLICITED, ND_FLAGS, ND_OPTION, ND_OPTION_LEN,
  ND_OPTION_TARGET_MAC, ND_TARGET,
} from "../wire/icmp6.ts";
import { ETH_LEN, PROTO_SCTP, PROTO_TCP, PROTO_UDP } from "../wire/ipv4.ts";
import { IP6_DST, IP6_HEADER, IP6_HOP_LIMIT, IP6_NEXT_HEADER, IP6_PAYLOAD_LEN, IP6_SRC, ipv6DecHopLimit, PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_CODE, ICMP_CSUM, ICMP_HEADER, ICMP_TYPE, l4CsumApply, within } from "../wire/l4.ts";
import { swap16 } from "../wire/swap.ts";
import { storeMacs } from "./local-delivery.ts";
import { deviceFind } from "./lookups.ts";
import { endpointFind6 } from "./lookups6.ts";
import { redirectTunnel } from "./redirect.ts";
import { redirectSelf } from "./redirect6.ts";
import { note, repairs } from "./note.ts";

const L4: i32 = ETH_LEN + IP6_HEADER;
/** What a Time Exceeded quotes of the upper layer. */
const QUOTED_TCP: i32 = 20;
const QUOTED: i32 = 8;
const ETH_SRC: i32 = 6;
/** net.ipv6.conf.all.hop_limit. */
const ANSWER_HOP_LIMIT: i32 = 64;

/** MAC and device for answers at a node's hooks: the tunnel device's, or those of the device the packet is on. */
export function answerFromNode(pkt: i32): void {
  const node: i32 = ld32(pkt + P_NODE), ifindex: i32 = ld32(pkt + P_IFINDEX);
  const device: i32 = ifindex === ld32(node + N_TUNNEL_IFINDEX) ? 0 : deviceFind(pkt, ifindex);
  st32(pkt + P_SELF_MAC, device === 0 ? node + N_TUNNEL_MAC : device + D_MAC);
  st32(pkt + P_SELF_IFINDEX, ifindex);
}

/** Makes the frame `by` bytes longer on the wire, zeroes behind what is known; it moves to the spare room for that.
 * False when there is none large enough. */
export function growFrame(pkt: i32, by: i32): boolean {
  const spare: i32 = ld32(pkt + P_SPARE), length: i32 = ld32(pkt + P_LEN);
  if (spare === 0 || length + by > SPARE_BYTES) return false;
  copy(spare, ld32(pkt + P_FRAME), length);
  fill(spare + length, 0, by);
  st32(pkt + P_FRAME, spare);
  st32(pkt + P_LEN, length + by);
  st32(pkt + P_WIRE_LEN, ld32(pkt + P_WIRE_LEN) + by);
  return true;
}

/** bpf_skb_change_tail by `by` bytes; false when the frame would not hold `least` bytes any more, or cannot grow. */
function changeTail(pkt: i32, by: i32, least: i32): boolean {
  if (ld32(pkt + P_WIRE_LEN) + by < least) return false;
  if (by > 0) return growFrame(pkt, by);
  const wire: i32 = ld32(pkt + P_WIRE_LEN) + by;
  st32(pkt + P_WIRE_LEN, wire);
  if (ld32(pkt + P_LEN) > wire) st32(pkt + P_LEN, wire);
  return true;
}

/** icmp6_send_reply: the frame goes back to its sender, from the address kept in P_KEPT6. */
function sendReply(pkt: i32): i32 {
  const frame: i32 = ld32(pkt + P_FRAME);
  const ip: i32 = frame + ETH_LEN, csum: i32 = frame + L4 + ICMP_CSUM;
  // First the new source in the place of the old, then the old source in the place of the destination.
  l4CsumApply(csum, csumDiffBytes(ip + IP6_SRC, pkt + P_KEPT6, 16), PROTO_ICMP6);
  l4CsumApply(csum, csumDiffBytes(ip + IP6_DST, ip + IP6_SRC, 16), PROTO_ICMP6);
  copyAddress6(ip + IP6_DST, ip + IP6_SRC);
  copyAddress6(ip + IP6_SRC, pkt + P_KEPT6);
  storeMacs(frame, ld32(pkt + P_SELF_MAC), frame + ETH_SRC);
  note(pkt, NOTE_ANSWERED);
  return redirectSelf(pkt);
}

/** ipv6_l3: one hop less. VERDICT_OK; or the packet becomes a Time Exceeded to its sender, which is VERDICT_REDIRECT, or drop
 * 134, 141, 142. */
export function nextHop6(pkt: i32, ip: i32): i32 {
  return ipv6DecHopLimit(ip) === DROP_TTL_EXCEEDED ? timeExceeded(pkt, ip) : VERDICT_OK;
}

/** Bytes of the upper layer that a Time Exceeded quotes, 0 for protocols it is not sent about. */
function quotedBytes(pkt: i32, proto: i32): i32 {
  if (proto === PROTO_TCP) return QUOTED_TCP;
  if (proto === PROTO_UDP || proto === PROTO_ICMP6) return QUOTED;
  return proto === PROTO_SCTP && (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_SCTP) !== 0 ? QUOTED : 0;
}

function timeExceeded(pkt: i32, at: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE), proto: i32 = ld8(at + IP6_NEXT_HEADER);
  st8(at + IP6_NEXT_HEADER, PROTO_ICMP6);
  const quoted: i32 = quotedBytes(pkt, proto);
  if (quoted === 0) return DROP_UNKNOWN_L4;
  if (!within(pkt, L4, quoted)) return DROP_INVALID;
  const payload: i32 = ICMP_HEADER + IP6_HEADER + quoted;
  // A length field that lies makes the new frame longer or shorter than it should be; a snapped one ends where it must.
  const by: i32 = payload - ld16be(at + IP6_PAYLOAD_LEN);
  if (ld32(pkt + P_LEN) < ld32(pkt + P_WIRE_LEN)) {
    if (!growFrame(pkt, payload)) return DROP_WRITE_ERROR;
    st32(pkt + P_LEN, L4 + payload);
    st32(pkt + P_WIRE_LEN, L4 + payload);
  } else if (!changeTail(pkt, by, L4 + payload)) return DROP_WRITE_ERROR;

  const frame: i32 = ld32(pkt + P_FRAME);
  const ip: i32 = frame + ETH_LEN, icmp: i32 = frame + L4;
  copy(icmp + ICMP_HEADER + IP6_HEADER, icmp, quoted);
  copy(icmp + ICMP_HEADER, ip, IP6_HEADER);
  st8(icmp + ICMP_HEADER + IP6_NEXT_HEADER, proto);
  fill(icmp, 0, ICMP_HEADER);
  st8(icmp + ICMP_TYPE, ICMP6_TIME_EXCEEDED);
  st16be(ip + IP6_PAYLOAD_LEN, payload);
  // RFC 4443 section 2.3: message, addresses, length and protocol.
  const sum: i32 = csumBytes(icmp, payload, csumBytes(ip + IP6_SRC, 32, swap16(payload) + (PROTO_ICMP6 << 8)));
  l4CsumApply(icmp + ICMP_CSUM, csumFold(sum), PROTO_ICMP6);
  copyAddress6(pkt + P_KEPT6, node + N_ROUTER6);
  const verdict: i32 = sendReply(pkt);
  if (ld32(pkt + P_SELF_IFINDEX) !== ld32(node + N_TUNNEL_IFINDEX)) return verdict;
  if (repairs(pkt)) {
    // With the packet's own hop limit it would end at the next hop.
    st8(ld32(pkt + P_FRAME) + ETH_LEN + IP6_HOP_LIMIT, ANSWER_HOP_LIMIT);
    return redirectTunnel(pkt, ld32(pkt + P_TUNNEL_REMOTE), ID_HOST);
  }
  note(pkt, NOTE_DEFECT6_TIME_EXCEEDED_LOST);
  return verdict;
}

/** Is the upper layer, right behind the IPv6 header, a neighbour solicitation or advertisement? (is_icmp6_ndp) */
export function isNeighbourDiscovery(pkt: i32, ip: i32): boolean {
  if (ld8(ip + IP6_NEXT_HEADER) !== PROTO_ICMP6 || !within(pkt, L4, 1)) return false;
  const type: i32 = ld8(ip + IP6_HEADER + ICMP_TYPE);
  return type === ICMP6_SOLICITATION || type === ICMP6_ADVERTISEMENT;
}

/** icmp6_handle_ns: answers a solicitation for the router address or a local pod, lets the stack answer for the node.
 * VERDICT_REDIRECT, VERDICT_OK, drop 134; for an unknown target drop 150 from a pod, VERDICT_OK elsewhere. */
export function answerSolicitation(pkt: i32, fromPod: boolean): i32 {
  const target: i32 = ld32(pkt + P_FRAME) + L4 + ND_TARGET, node: i32 = ld32(pkt + P_NODE);
  if (!within(pkt, L4 + ND_TARGET, 16)) return DROP_INVALID;
  if (sameAddress6(target, node + N_ROUTER6)) return advertise(pkt, ld32(pkt + P_SELF_MAC), ND_FLAG_SOLICITED | ND_FLAG_ROUTER);
  // The pod's own MAC answers for the service loopback, on which hairpin traffic comes back.
  if (fromPod && sameAddress6(target, node + N_LOOPBACK6))
    return advertise(pkt, ld32(pkt + P_FRAME) + ETH_SRC, ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE);
  const local: i32 = endpointFind6(pkt, target);
  if (local === 0) return fromPod ? DROP_UNKNOWN_TARGET : VERDICT_OK;
  if ((ld32(local + EP_FLAGS) & EPF_HOST) !== 0) return VERDICT_OK;
  return advertise(pkt, ld32(pkt + P_SELF_MAC), ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE);
}

/** icmp6_send_ndisc_adv: the solicitation becomes an advertisement of its target at `mac`. */
function advertise(pkt: i32, mac: i32, flags: i32): i32 {
  const a: i32 = ld8(mac), b: i32 = ld8(mac + 1), c: i32 = ld8(mac + 2), d: i32 = ld8(mac + 3), e: i32 = ld8(mac + 4), f: i32 = ld8(mac + 5);
  let sum: i32 = 0;
  if (!within(pkt, L4 + ND_OPTION, ND_OPTION_LEN)) {
    if (!growFrame(pkt, ND_OPTION_LEN)) return DROP_INVALID;
    const grown: i32 = ld32(pkt + P_FRAME) + ETH_LEN;
    st16be(grown + IP6_PAYLOAD_LEN, (ld16be(grown + IP6_PAYLOAD_LEN) + ND_OPTION_LEN) & 0xffff);
    if (!within(pkt, L4 + ND_OPTION, ND_OPTION_LEN)) return DROP_INVALID;
    fill(grown + IP6_HEADER + ND_OPTION, 0, ND_OPTION_LEN);
    sum = swap16(ND_OPTION_LEN);
  }
  const icmp: i32 = ld32(pkt + P_FRAME) + L4, option: i32 = icmp + ND_OPTION;
  const before: i32 = csumFold(csumBytes(icmp, ICMP_HEADER, csumBytes(option, ND_OPTION_LEN, 0)));
  st8(icmp + ICMP_TYPE, ICMP6_ADVERTISEMENT);
  st8(icmp + ICMP_CODE, 0);
  st32(icmp + ND_FLAGS, 0);
  st8(icmp + ND_FLAGS, flags);
  st8(option, ND_OPTION_TARGET_MAC);
  st8(option + 1, ND_OPTION_LEN >>> 3);
  st8(option + 2, a);
  st8(option + 3, b);
  st8(option + 4, c);
  st8(option + 5, d);
  st8(option + 6, e);
  st8(option + 7, f);
  const after: i32 = csumFold(csumBytes(icmp, ICMP_HEADER, csumBytes(option, ND_OPTION_LEN, 0)));
  l4CsumApply(icmp + ICMP_CSUM, csumFold(sum + (~before & 0xffff) + after), PROTO_ICMP6);
  copyAddress6(pkt + P_KEPT6, icmp + ND_TARGET);
  return sendReply(pkt);
}
