// Ports of an IPv6 packet, through the fragment tracker (bpf/lib/ipv6.h), and conntrack's idea of them
// (ct_extract_ports6). All take what ipv6Walk left in P_WALK.
import { ld16, ld32, ld8, st32 } from "../mem.ts";
import { G_PORTS, N_FLAGS, NF_FRAGMENTS6, NOTE_FRAGMENT, P_FRAME, P_NODE, P_PORTS, P_RELATED, P_SHARD, TUPLE_RELATED } from "../layout.ts";
import { P_L4, P_WALK, S_FRAG6, W_FLAGS, W_FRAG_PROTO, W_ID, W_PROTO, WF_FRAGMENT, WF_NO_L4 } from "../layout6.ts";
import { isFull, oldest, remove } from "../table/dynamic.ts";
import { find6, insert6 } from "../table/dynamic6.ts";
import { DROP_CT_INVALID_HDR, DROP_CT_UNKNOWN_PROTO, DROP_FRAG_NOSUPPORT, DROP_FRAG_NOT_FOUND, DROP_INVALID } from "../verdict.ts";
import { ICMP6_ECHO, ICMP6_ECHO_REPLY, isIcmp6Error } from "../wire/icmp6.ts";
import { ETH_LEN } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC, ipv6Walk, PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_ID, ICMP_TYPE, within } from "../wire/l4.ts";
import { isPortProtocol, keyWord } from "./ports.ts";
import { note } from "./note.ts";

/** Walks the packet's own headers: W_… into P_WALK, the upper-layer header's offset into P_L4. 0, or drop 134, 156. */
export function walkHeaders6(pkt: i32): i32 {
  const length: i32 = ipv6Walk(pkt, ETH_LEN, pkt + P_WALK);
  if (length < 0) return length;
  st32(pkt + P_L4, ETH_LEN + length);
  return 0;
}

export function proto6(pkt: i32): i32 { return ld32(pkt + P_WALK + W_PROTO); }
export function isFragment6(pkt: i32): boolean { return (ld32(pkt + P_WALK + W_FLAGS) & WF_FRAGMENT) !== 0; }
export function hasL4Header6(pkt: i32): boolean { return (ld32(pkt + P_WALK + W_FLAGS) & WF_NO_L4) === 0; }

/** Leaves the first four bytes of the L4 header in P_PORTS (source port in the low half). A first fragment is remembered,
 * a later one looked up. 0, or 135, 157, 175. */
export function loadPorts6(pkt: i32, ip: i32): i32 {
  const l4: i32 = ld32(pkt + P_L4);
  if (isFragment6(pkt)) note(pkt, NOTE_FRAGMENT);
  const tracking: boolean = (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_FRAGMENTS6) !== 0;
  if (!tracking && !hasL4Header6(pkt)) return DROP_FRAG_NOSUPPORT;
  const table: i32 = ld32(pkt + P_SHARD) + S_FRAG6;
  const k0: i32 = keyWord(pkt, ld32(pkt + P_WALK + W_FRAG_PROTO), 0), id: i32 = ld32(pkt + P_WALK + W_ID);
  if (!hasL4Header6(pkt)) {
    const known: i32 = find6(table, k0, ip + IP6_DST, ip + IP6_SRC, id);
    if (known === 0) return DROP_FRAG_NOT_FOUND;
    st32(pkt + P_PORTS, ld32(known + G_PORTS));
    return 0;
  }
  if (!within(pkt, l4, 4)) return DROP_CT_INVALID_HDR;
  const ports: i32 = ld32(ld32(pkt + P_FRAME) + l4);
  st32(pkt + P_PORTS, ports);
  if (!tracking || !isFragment6(pkt)) return 0;
  let entry: i32 = find6(table, k0, ip + IP6_DST, ip + IP6_SRC, id);
  if (entry === 0) {
    if (isFull(table)) remove(table, oldest(table));
    entry = insert6(table, k0, ip + IP6_DST, ip + IP6_SRC, id);
  }
  st32(entry + G_PORTS, ports);
  return 0;
}

/** ct_extract_ports6: ports or echo identifier into P_PORTS, the related flag of ICMPv6 errors into P_RELATED.
 * 0, or 134, 135, 137, 157, 175. */
export function ctExtractPorts6(pkt: i32, ip: i32): i32 {
  const proto: i32 = proto6(pkt), l4: i32 = ld32(pkt + P_L4);
  st32(pkt + P_RELATED, 0);
  if (isPortProtocol(pkt, proto)) return loadPorts6(pkt, ip);
  if (proto !== PROTO_ICMP6) return DROP_CT_UNKNOWN_PROTO;
  if (isFragment6(pkt)) return DROP_INVALID;
  if (!within(pkt, l4, 1)) return DROP_CT_INVALID_HDR;
  const icmp: i32 = ld32(pkt + P_FRAME) + l4;
  const type: i32 = ld8(icmp + ICMP_TYPE);
  let ports: i32 = 0;
  if (type === ICMP6_ECHO || type === ICMP6_ECHO_REPLY) {
    if (!within(pkt, l4 + ICMP_ID, 2)) return DROP_CT_INVALID_HDR;
    ports = type === ICMP6_ECHO ? ld16(icmp + ICMP_ID) : ld16(icmp + ICMP_ID) << 16;
  } else if (isIcmp6Error(type)) st32(pkt + P_RELATED, TUPLE_RELATED);
  st32(pkt + P_PORTS, ports);
  return 0;
}
