// The answer to a packet that policy denied, where policy-deny-response asks for one: ICMP "communication administratively
// prohibited" (RFC 1812 section 5.2.7.1) from the address that the pod wanted to reach (recorded).
import { copy, fill, ld32, st16, st16be, st32, st8 } from "../mem.ts";
import { EP_IFINDEX, EP_NODE_MAC, NOTE_ANSWERED, P_ENDPOINT, P_FRAME, P_LEN, P_NODE, P_WIRE_LEN } from "../layout.ts";
import { P_SELF_IFINDEX } from "../layout6.ts";
import { N_POLICY_FLAGS, NPF_DENY_RESPONSE } from "../layout-policy.ts";
import { DROP_POLICY, DROP_POLICY_DENY, DROP_WRITE_ERROR } from "../verdict.ts";
import { csumBytes } from "../wire/checksum.ts";
import { ETH_LEN, IP_CSUM, IP_DST, IP_HEADER, IP_PROTO, IP_SRC, IP_TOTAL_LEN, IP_TTL, PROTO_ICMP } from "../wire/ipv4.ts";
import { ICMP_CODE, ICMP_CSUM, ICMP_HEADER, ICMP_TYPE, ICMP_UNREACHABLE } from "../wire/l4.ts";
import { growFrame } from "./answer6.ts";
import { storeMacs } from "./local-delivery.ts";
import { note } from "./note.ts";
import { redirectSelf } from "./redirect6.ts";

/** Most bytes that the answer quotes. */
const MOST_QUOTED: i32 = 64;
const ANSWER_TTL: i32 = 64;
const CODE_PROHIBITED: i32 = 13;
const ETH_SRC: i32 = 6;

export function answersDenied(pkt: i32, drop: i32): boolean {
  return (drop === DROP_POLICY || drop === DROP_POLICY_DENY) && (ld32(ld32(pkt + P_NODE) + N_POLICY_FLAGS) & NPF_DENY_RESPONSE) !== 0;
}

/** The frame becomes the answer: VERDICT_REDIRECT back to the pod, or drop 141 without room. What is quoted is as long as the
 * denied frame with its Ethernet header, and padded with zeroes. */
export function denyResponse(pkt: i32, ip: i32): i32 {
  const endpoint: i32 = ld32(pkt + P_ENDPOINT), length: i32 = ld32(pkt + P_LEN), source: i32 = ld32(ip + IP_DST), destination: i32 = ld32(ip + IP_SRC);
  const quoted: i32 = ld32(pkt + P_WIRE_LEN) < MOST_QUOTED ? ld32(pkt + P_WIRE_LEN) : MOST_QUOTED;
  const total: i32 = IP_HEADER + ICMP_HEADER + quoted;
  if (length < ETH_LEN + total && !growFrame(pkt, ETH_LEN + total - length)) return DROP_WRITE_ERROR;
  const frame: i32 = ld32(pkt + P_FRAME), at: i32 = frame + ETH_LEN, icmp: i32 = at + IP_HEADER, known: i32 = length - ETH_LEN;
  copy(icmp + ICMP_HEADER, at, known < quoted ? known : quoted);
  if (known < quoted) fill(icmp + ICMP_HEADER + known, 0, quoted - known);
  fill(at, 0, IP_HEADER + ICMP_HEADER);
  st8(at, 0x45);
  st16be(at + IP_TOTAL_LEN, total);
  st8(at + IP_TTL, ANSWER_TTL);
  st8(at + IP_PROTO, PROTO_ICMP);
  st32(at + IP_SRC, source);
  st32(at + IP_DST, destination);
  st16(at + IP_CSUM, ~csumBytes(at, IP_HEADER, 0) & 0xffff);
  st8(icmp + ICMP_TYPE, ICMP_UNREACHABLE);
  st8(icmp + ICMP_CODE, CODE_PROHIBITED);
  st16(icmp + ICMP_CSUM, ~csumBytes(icmp, ICMP_HEADER + quoted, 0) & 0xffff);
  storeMacs(frame, endpoint + EP_NODE_MAC, frame + ETH_SRC);
  st32(pkt + P_LEN, ETH_LEN + total);
  st32(pkt + P_WIRE_LEN, ETH_LEN + total);
  st32(pkt + P_SELF_IFINDEX, ld32(endpoint + EP_IFINDEX));
  note(pkt, NOTE_ANSWERED);
  return redirectSelf(pkt);
}
