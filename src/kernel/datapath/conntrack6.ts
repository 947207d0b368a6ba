// Connection tracking of IPv6 (bpf/lib/conntrack.h): keys of 16-byte addresses; what an entry goes through is
// conntrack.ts's. All take what ipv6Walk left in P_WALK.
import { fill, ld32, st32 } from "../mem.ts";
import { P_CT_ENTRY, P_PORTS, P_RELATED, P_SHARD, TUPLE_IN, TUPLE_OUT, TUPLE_RELATED } from "../layout.ts";
import { C6_TAIL, P_L4, S_CT6 } from "../layout6.ts";
import { isFull, oldest } from "../table/dynamic.ts";
import { find6, insert6 } from "../table/dynamic6.ts";
import { CT_NEW, CT_RELATED, CT_REPLY, DROP_CT_CREATE_FAILED, DROP_CT_INVALID_HDR } from "../verdict.ts";
import { PROTO_TCP } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC, PROTO_ICMP6 } from "../wire/ipv6.ts";
import { TCP_FLAGS, tcpFlags, within } from "../wire/l4.ts";
import { DIR_EGRESS, fillEntry, markProxied, PAYLOAD, seen, countPacket } from "./conntrack.ts";
import { keyWord, swapPorts, withExtendedProtocols } from "./ports.ts";
import { ctExtractPorts6, hasL4Header6, proto6 } from "./ports6.ts";
import { evict } from "../table/evict.ts";

/** TCP flags for a look-up: the header's low byte, 0 without an L4 header here; -1 when the header is cut (drop 135). */
export function flagsFor6(pkt: i32): i32 {
  if (proto6(pkt) !== PROTO_TCP || !hasL4Header6(pkt)) return 0;
  const l4: i32 = ld32(pkt + P_L4);
  return within(pkt, l4 + TCP_FLAGS, 2) ? tcpFlags(pkt, l4) : -1;
}

/** One direction of a look-up: CT_NEW or CT_ESTABLISHED; the entry in P_CT_ENTRY. */
function lookupOne6(pkt: i32, k0: i32, daddr: i32, saddr: i32, ports: i32, dir: i32, isTcp: boolean, flags: i32): i32 {
  const entry: i32 = find6(ld32(pkt + P_SHARD) + S_CT6, k0, daddr, saddr, ports);
  st32(pkt + P_CT_ENTRY, entry);
  return entry === 0 ? CT_NEW : seen(pkt, entry, dir, isTcp, flags);
}

/** ct_lookup6 with SCOPE_BIDIR on the packet's own headers: reverse direction first, then forward. CT_… or a drop; P_PORTS
 * keeps the ports, P_RELATED the related flag, for ctCreate6. */
export function ctLookupBoth6(pkt: i32, ip: i32, dir: i32): i32 {
  const error: i32 = withExtendedProtocols(pkt, ctExtractPorts6(pkt, ip));
  if (error < 0) return error;
  const flags: i32 = flagsFor6(pkt);
  if (flags < 0) return DROP_CT_INVALID_HDR;
  const proto: i32 = proto6(pkt), isTcp: boolean = proto === PROTO_TCP, related: i32 = ld32(pkt + P_RELATED), ports: i32 = ld32(pkt + P_PORTS);
  const reverse: i32 = dir === DIR_EGRESS ? TUPLE_IN : TUPLE_OUT;
  const forward: i32 = dir === DIR_EGRESS ? TUPLE_OUT : TUPLE_IN;
  if (lookupOne6(pkt, keyWord(pkt, proto, reverse | related), ip + IP6_DST, ip + IP6_SRC, ports, dir, isTcp, flags) !== CT_NEW)
    return related !== 0 ? CT_RELATED : CT_REPLY;
  return lookupOne6(pkt, keyWord(pkt, proto, forward | related), ip + IP6_SRC, ip + IP6_DST, swapPorts(ports), dir, isTcp, flags);
}

/** ct_lazy_lookup6 on a ready tuple in one direction. CT_NEW, CT_ESTABLISHED (CT_REPLY with `reverse`), or drop 135. */
export function ctLookupTuple6(pkt: i32, tupleFlags: i32, daddr: i32, saddr: i32, ports: i32, dir: i32, reverse: boolean): i32 {
  const flags: i32 = flagsFor6(pkt);
  if (flags < 0) return DROP_CT_INVALID_HDR;
  const proto: i32 = proto6(pkt);
  const status: i32 = lookupOne6(pkt, keyWord(pkt, proto, tupleFlags), daddr, saddr, ports, dir, proto === PROTO_TCP, flags);
  return status !== CT_NEW && reverse ? CT_REPLY : status;
}

/** ct_is_reply6: is there an ingress entry for the packet whose ports ctExtractPorts6 has just left? */
export function ctIsReply6(pkt: i32, ip: i32): boolean {
  return find6(ld32(pkt + P_SHARD) + S_CT6, keyWord(pkt, proto6(pkt), TUPLE_IN), ip + IP6_DST, ip + IP6_SRC, ld32(pkt + P_PORTS)) !== 0;
}

/** Marks the entry that ctCreate6 has just made, and its twin, as a connection that the proxy has. */
export function ctMarkProxied6(pkt: i32, tupleFlags: i32, daddr: i32, saddr: i32, ports: i32): void {
  const table: i32 = ld32(pkt + P_SHARD) + S_CT6;
  markProxied(find6(table, keyWord(pkt, PROTO_ICMP6, tupleFlags | TUPLE_RELATED), daddr, saddr, 0));
  markProxied(find6(table, keyWord(pkt, proto6(pkt), tupleFlags), daddr, saddr, ports));
}

/** An entry for this key with an empty payload, made or made anew; a full table gives up its oldest. */
export function entryFor6(table: i32, k0: i32, daddr: i32, saddr: i32, ports: i32): i32 {
  const old: i32 = find6(table, k0, daddr, saddr, ports);
  if (old !== 0) {
    fill(old + PAYLOAD, 0, C6_TAIL - PAYLOAD);
    return old;
  }
  if (isFull(table)) evict(table, oldest(table), 0);
  return insert6(table, k0, daddr, saddr, ports);
}

/** ct_create6 with a ready tuple; addresses lie outside the tables. `withRelated` also makes the port-less twin that ICMPv6
 * errors are related by. 0, or drop 155. */
export function ctCreate6(
  pkt: i32, tupleFlags: i32, daddr: i32, saddr: i32, ports: i32, dir: i32, identity: i32, state: i32, withRelated: boolean,
): i32 {
  const table: i32 = ld32(pkt + P_SHARD) + S_CT6, proto: i32 = proto6(pkt);
  const isTcp: boolean = proto === PROTO_TCP;
  if (withRelated) {
    const twin: i32 = entryFor6(table, keyWord(pkt, PROTO_ICMP6, tupleFlags | TUPLE_RELATED), daddr, saddr, 0);
    if (twin === 0) return DROP_CT_CREATE_FAILED;
    fillEntry(pkt, twin, isTcp, dir, identity, state);
  }
  const entry: i32 = entryFor6(table, keyWord(pkt, proto, tupleFlags), daddr, saddr, ports);
  if (entry === 0) return DROP_CT_CREATE_FAILED;
  fillEntry(pkt, entry, isTcp, dir, identity, state);
  countPacket(pkt, entry);
  return 0;
}
