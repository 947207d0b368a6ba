// Ports of a packet, through the fragment tracker (bpf/lib/ipv4.h), and conntrack's idea of them (ct_extract_ports4).
import { ld16, ld32, ld8, st32 } from "../mem.ts";
import {
  G_PORTS, N_FLAGS, N_INDEX, NF_FRAGMENTS, NF_SCTP, NOTE_FRAGMENT, P_FRAME, P_NODE, P_PORTS, P_RELATED, P_SHARD, S_FRAG, TUPLE_RELATED,
} from "../layout.ts";
import { N_POLICY_FLAGS, NPF_EXTENDED_PROTOCOLS } from "../layout-policy.ts";
import { find, insert, isFull, oldest, remove } from "../table/dynamic.ts";
import {
  DROP_CT_INVALID_HDR, DROP_CT_UNKNOWN_PROTO, DROP_FRAG_NOSUPPORT, DROP_FRAG_NOT_FOUND, DROP_INVALID,
} from "../verdict.ts";
import {
  hasL4Header, IP_DST, IP_ID, IP_PROTO, IP_SRC, isFragment, PROTO_ICMP, PROTO_SCTP, PROTO_TCP, PROTO_UDP,
} from "../wire/ipv4.ts";
import {
  ICMP_ECHO, ICMP_ECHO_REPLY, ICMP_ID, ICMP_PARAMETER, ICMP_TIME_EXCEEDED, ICMP_TYPE, ICMP_UNREACHABLE, within,
} from "../wire/l4.ts";
import { note } from "./note.ts";

/** First key word of every table: which node's map, which protocol, which direction flags. */
export function keyWord(pkt: i32, proto: i32, flags: i32): i32 {
  return (ld32(ld32(pkt + P_NODE) + N_INDEX) << 16) | (proto << 8) | flags;
}

/** Conntrack keeps ports reversed, NAT as in the packet (ipv4_ct_tuple_swap_ports). */
export function swapPorts(ports: i32): i32 { return (ports << 16) | (ports >>> 16); }

function hasPorts(pkt: i32, proto: i32): boolean {
  return proto === PROTO_TCP || proto === PROTO_UDP || (proto === PROTO_SCTP && (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_SCTP) !== 0);
}

/** Does service and NAT code treat this protocol as one with ports? */
export function isPortProtocol(pkt: i32, proto: i32): boolean { return hasPorts(pkt, proto); }

/** Leaves the first four bytes of the L4 header in P_PORTS (source port in the low half, which is conntrack's dport).
 * A first fragment is remembered, a later one looked up. 0, or 135, 157, 175. */
export function loadPorts(pkt: i32, ip: i32, l4: i32): i32 {
  const tracking: boolean = (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_FRAGMENTS) !== 0;
  if (!isFragment(ip)) {
    if (!within(pkt, l4, 4)) return DROP_CT_INVALID_HDR;
    st32(pkt + P_PORTS, ld32(ld32(pkt + P_FRAME) + l4));
    return 0;
  }
  note(pkt, NOTE_FRAGMENT);
  if (!tracking) {
    if (!hasL4Header(ip)) return DROP_FRAG_NOSUPPORT;
    if (!within(pkt, l4, 4)) return DROP_CT_INVALID_HDR;
    st32(pkt + P_PORTS, ld32(ld32(pkt + P_FRAME) + l4));
    return 0;
  }
  const table: i32 = ld32(pkt + P_SHARD) + S_FRAG;
  const k0: i32 = keyWord(pkt, ld8(ip + IP_PROTO), 0), daddr: i32 = ld32(ip + IP_DST), saddr: i32 = ld32(ip + IP_SRC), id: i32 = ld16(ip + IP_ID);
  let entry: i32 = find(table, k0, daddr, saddr, id);
  if (!hasL4Header(ip)) {
    if (entry === 0) return DROP_FRAG_NOT_FOUND;
    st32(pkt + P_PORTS, ld32(entry + G_PORTS));
    return 0;
  }
  if (!within(pkt, l4, 4)) return DROP_CT_INVALID_HDR;
  const ports: i32 = ld32(ld32(pkt + P_FRAME) + l4);
  if (entry === 0) {
    if (isFull(table)) remove(table, oldest(table));
    entry = insert(table, k0, daddr, saddr, id);
  }
  st32(entry + G_PORTS, ports);
  st32(pkt + P_PORTS, ports);
  return 0;
}

/** What ctExtractPorts said, but that a pod's own program tracks every protocol, without ports, where it is told to. */
export function withExtendedProtocols(pkt: i32, extracted: i32): i32 {
  if (extracted !== DROP_CT_UNKNOWN_PROTO || (ld32(ld32(pkt + P_NODE) + N_POLICY_FLAGS) & NPF_EXTENDED_PROTOCOLS) === 0) return extracted;
  st32(pkt + P_PORTS, 0);
  return 0;
}

/** ct_extract_ports4: ports or echo identifier into P_PORTS, the related flag of ICMP errors into P_RELATED.
 * 0, or 134, 135, 137, 157, 175. */
export function ctExtractPorts(pkt: i32, ip: i32, l4: i32): i32 {
  const proto: i32 = ld8(ip + IP_PROTO);
  st32(pkt + P_RELATED, 0);
  if (hasPorts(pkt, proto)) return loadPorts(pkt, ip, l4);
  if (proto !== PROTO_ICMP) return DROP_CT_UNKNOWN_PROTO;
  if (isFragment(ip)) return DROP_INVALID;
  if (!within(pkt, l4, 2)) return DROP_CT_INVALID_HDR;
  const icmp: i32 = ld32(pkt + P_FRAME) + l4;
  const type: i32 = ld8(icmp + ICMP_TYPE);
  let ports: i32 = 0;
  if (type === ICMP_ECHO || type === ICMP_ECHO_REPLY) {
    if (!within(pkt, l4 + ICMP_ID, 2)) return DROP_CT_INVALID_HDR;
    ports = type === ICMP_ECHO ? ld16(icmp + ICMP_ID) : ld16(icmp + ICMP_ID) << 16;
  } else if (type === ICMP_UNREACHABLE || type === ICMP_TIME_EXCEEDED || type === ICMP_PARAMETER) {
    st32(pkt + P_RELATED, TUPLE_RELATED);
  }
  st32(pkt + P_PORTS, ports);
  return 0;
}

