// Connection tracking (bpf/lib/conntrack.h): state by existence, no windows, look-ups that ignore lifetimes.
import { fill, ld16, ld32, ld8, ldf64, ltu, st16, st32, st8, stf64 } from "../mem.ts";
import {
  C_BYTES, C_FLAGS, C_IDENTITY, C_LIFETIME, C_PACKETS, C_REV_NAT, C_RX_REPORT, C_SEEN, C_STRIDE, C_TX_REPORT, CF_PROXY_REDIRECT, CF_RX_CLOSING, CF_SEEN_NON_SYN,
  CF_TX_CLOSING, N_FLAGS, N_LIFE_ANY, N_LIFE_FIN, N_LIFE_SYN, N_LIFE_TCP, NF_ACCOUNTING, P_CT_ENTRY, P_NODE, P_NOW, P_PORTS, P_RELATED, P_SHARD,
  P_WIRE_LEN, S_CT, TUPLE_IN, TUPLE_OUT, TUPLE_RELATED,
} from "../layout.ts";
import { find, insert, isFull, oldest } from "../table/dynamic.ts";
import { CT_ESTABLISHED, CT_NEW, CT_RELATED, CT_REPLY, DROP_CT_CREATE_FAILED, DROP_CT_INVALID_HDR } from "../verdict.ts";
import { hasL4Header, IP_DST, IP_PROTO, IP_SRC, PROTO_ICMP, PROTO_TCP } from "../wire/ipv4.ts";
import { TCP_ACK, TCP_FIN, TCP_FLAGS, TCP_RST, TCP_SYN, tcpFlags, within } from "../wire/l4.ts";
import { ctExtractPorts, keyWord, swapPorts, withExtendedProtocols } from "./ports.ts";
import { evict } from "../table/evict.ts";
import { endWaysOf, sketchChange, sketchEntry } from "./sketch.ts";

export const DIR_EGRESS: i32 = 0;
export const DIR_INGRESS: i32 = 1;
/** Requests to a service, before they are translated; the entry never sees an answer. */
export const DIR_SERVICE: i32 = 2;
const REPORT_INTERVAL_S: i32 = 5;
/** Flags that an entry remembers: the agent's monitor-aggregation-flags, by default syn, fin and rst. */
const REPORT_FLAGS: i32 = TCP_SYN | TCP_FIN | TCP_RST;
/** First word of an entry's payload; everything from here on is rewritten when an entry is made anew. */
export const PAYLOAD: i32 = C_LIFETIME;

/** __ct_update_timeout: lifetime always; flags and report time when a new flag shows or 5 s have gone by. */
function touch(entry: i32, now: i32, lifetime: i32, dir: i32, tcpFlags: i32): void {
  const flags: i32 = tcpFlags & REPORT_FLAGS;
  st32(entry + C_LIFETIME, now + lifetime);
  const bitsAt: i32 = dir === DIR_INGRESS ? entry + C_SEEN + 1 : entry + C_SEEN, reportAt: i32 = dir === DIR_INGRESS ? entry + C_RX_REPORT : entry + C_TX_REPORT;
  const known: i32 = ld8(bitsAt);
  if ((known | flags) !== known || ltu(ld32(reportAt) + REPORT_INTERVAL_S, now)) {
    st8(bitsAt, known | flags);
    st32(reportAt, now);
  }
}

/** ct_update_timeout: a TCP entry lives the SYN time until a segment without SYN was seen. */
function updateTimeout(pkt: i32, entry: i32, isTcp: boolean, dir: i32, flags: i32): void {
  const node: i32 = ld32(pkt + P_NODE);
  let lifetime: i32 = ld32(node + N_LIFE_ANY);
  if (isTcp) {
    let bits: i32 = ld16(entry + C_FLAGS);
    if ((flags & TCP_SYN) === 0 && (bits & CF_SEEN_NON_SYN) === 0) {
      bits = bits | CF_SEEN_NON_SYN;
      st16(entry + C_FLAGS, bits);
    }
    lifetime = ld32(node + ((bits & CF_SEEN_NON_SYN) !== 0 ? N_LIFE_TCP : N_LIFE_SYN));
  }
  touch(entry, ld32(pkt + P_NOW), lifetime, dir, flags);
}

/** One direction of a look-up (__ct_lookup): CT_NEW or CT_ESTABLISHED; the entry in P_CT_ENTRY. */
function lookupOne(pkt: i32, k0: i32, daddr: i32, saddr: i32, ports: i32, dir: i32, isTcp: boolean, flags: i32): i32 {
  const entry: i32 = find(ld32(pkt + P_SHARD) + S_CT, k0, daddr, saddr, ports);
  st32(pkt + P_CT_ENTRY, entry);
  return entry === 0 ? CT_NEW : seen(pkt, entry, dir, isTcp, flags);
}

/** Adds the packet to an entry's counters, which a new entry has at 0, where the node keeps them. */
export function countPacket(pkt: i32, entry: i32): void {
  if ((ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_ACCOUNTING) === 0) return;
  stf64(entry + C_PACKETS, ldf64(entry + C_PACKETS) + 1.0);
  stf64(entry + C_BYTES, ldf64(entry + C_BYTES) + ld32(pkt + P_WIRE_LEN));
}

/** What a packet that matched an entry does to it: lifetime, counters, closing. CT_ESTABLISHED, or CT_NEW when it opens a
 * closed connection anew. */
export function seen(pkt: i32, entry: i32, dir: i32, isTcp: boolean, flags: i32): i32 {
  sketchEntry(pkt, entry, dir);
  let bits: i32 = ld16(entry + C_FLAGS);
  if ((bits & (CF_RX_CLOSING | CF_TX_CLOSING)) !== (CF_RX_CLOSING | CF_TX_CLOSING)) updateTimeout(pkt, entry, isTcp, dir, flags);
  countPacket(pkt, entry);
  if ((flags & (TCP_FIN | TCP_RST)) !== 0) {
    bits = ld16(entry + C_FLAGS);
    // ct_entry_seen_both_syns compares the remembered byte with a 32-bit constant whose bit lies outside it: it is never
    // true, and every reset closes both ways (recorded, also after a complete handshake).
    if ((flags & TCP_RST) !== 0 || dir === DIR_SERVICE) bits = bits | CF_RX_CLOSING | CF_TX_CLOSING;
    else bits = bits | (dir === DIR_INGRESS ? CF_RX_CLOSING : CF_TX_CLOSING);
    st16(entry + C_FLAGS, bits);
    if ((bits & (CF_RX_CLOSING | CF_TX_CLOSING)) === (CF_RX_CLOSING | CF_TX_CLOSING))
      touch(entry, ld32(pkt + P_NOW), ld32(ld32(pkt + P_NODE) + N_LIFE_FIN), dir, flags);
  } else if ((flags & TCP_SYN) !== 0 && (flags & TCP_ACK) === 0) {
    bits = ld16(entry + C_FLAGS);
    if ((bits & (CF_RX_CLOSING | CF_TX_CLOSING)) !== 0) {
      st16(entry + C_FLAGS, bits & ~(CF_RX_CLOSING | CF_TX_CLOSING | CF_SEEN_NON_SYN));
      st16(entry + C_SEEN, 0);
      updateTimeout(pkt, entry, isTcp, dir, flags);
      return CT_NEW;
    }
  }
  return CT_ESTABLISHED;
}

/** TCP flags for a look-up: the header's low byte, 0 without an L4 header here; -1 when the header is cut (drop 135). */
export function flagsFor(pkt: i32, ip: i32, l4: i32): i32 {
  if (ld8(ip + IP_PROTO) !== PROTO_TCP || !hasL4Header(ip)) return 0;
  return within(pkt, l4 + TCP_FLAGS, 2) ? tcpFlags(pkt, l4) : -1;
}

/** ct_lookup4 with SCOPE_BIDIR on the packet's own headers: reverse direction first, then forward.
 * CT_… or a drop; P_PORTS keeps the ports, P_RELATED the related flag, for ctCreate. */
export function ctLookupBoth(pkt: i32, ip: i32, l4: i32, dir: i32): i32 {
  const error: i32 = withExtendedProtocols(pkt, ctExtractPorts(pkt, ip, l4));
  if (error < 0) return error;
  const flags: i32 = flagsFor(pkt, ip, l4);
  if (flags < 0) return DROP_CT_INVALID_HDR;
  const proto: i32 = ld8(ip + IP_PROTO), isTcp: boolean = proto === PROTO_TCP, related: i32 = ld32(pkt + P_RELATED);
  const ports: i32 = ld32(pkt + P_PORTS);
  const reverse: i32 = dir === DIR_EGRESS ? TUPLE_IN : TUPLE_OUT;
  const forward: i32 = dir === DIR_EGRESS ? TUPLE_OUT : TUPLE_IN;
  if (lookupOne(pkt, keyWord(pkt, proto, reverse | related), ld32(ip + IP_DST), ld32(ip + IP_SRC), ports, dir, isTcp, flags) !== CT_NEW)
    return related !== 0 ? CT_RELATED : CT_REPLY;
  return lookupOne(pkt, keyWord(pkt, proto, forward | related), ld32(ip + IP_SRC), ld32(ip + IP_DST), swapPorts(ports), dir, isTcp, flags);
}

/** ct_lazy_lookup4 on a ready tuple in one direction. CT_NEW, CT_ESTABLISHED (CT_REPLY with `reverse`), or drop 135. */
export function ctLookupTuple(
  pkt: i32, ip: i32, l4: i32, tupleFlags: i32, daddr: i32, saddr: i32, ports: i32, dir: i32, reverse: boolean,
): i32 {
  const flags: i32 = flagsFor(pkt, ip, l4);
  if (flags < 0) return DROP_CT_INVALID_HDR;
  const proto: i32 = ld8(ip + IP_PROTO);
  const status: i32 = lookupOne(pkt, keyWord(pkt, proto, tupleFlags), daddr, saddr, ports, dir, proto === PROTO_TCP, flags);
  return status !== CT_NEW && reverse ? CT_REPLY : status;
}

/** ct_is_reply4: is there an ingress entry for the packet whose ports ctExtractPorts has just left? */
export function ctIsReply(pkt: i32, ip: i32): boolean {
  return find(ld32(pkt + P_SHARD) + S_CT, keyWord(pkt, ld8(ip + IP_PROTO), TUPLE_IN), ld32(ip + IP_DST), ld32(ip + IP_SRC), ld32(pkt + P_PORTS)) !== 0;
}

/** An entry for this key with an empty payload, made or made anew; a full table gives up its oldest. */
export function entryFor(pkt: i32, table: i32, k0: i32, daddr: i32, saddr: i32, ports: i32): i32 {
  const old: i32 = find(table, k0, daddr, saddr, ports);
  if (old !== 0) {
    fill(old + PAYLOAD, 0, C_STRIDE - PAYLOAD);
    return old;
  }
  if (isFull(table)) {
    endWaysOf(pkt);
    evict(table, oldest(table), 0);
  }
  return insert(table, k0, daddr, saddr, ports);
}

/** ct_create4 with a ready tuple (tupleFlags, daddr, saddr, ports as stored). `state`: CF_… bits in the low half, the reverse
 * NAT index in the high one. `withRelated` also makes the port-less twin that ICMP errors are related by. 0, or drop 155. */
export function ctCreate(
  pkt: i32, proto: i32, tupleFlags: i32, daddr: i32, saddr: i32, ports: i32, dir: i32, identity: i32, state: i32, withRelated: boolean,
): i32 {
  const table: i32 = ld32(pkt + P_SHARD) + S_CT;
  const isTcp: boolean = proto === PROTO_TCP;
  sketchChange(pkt);
  if (withRelated) {
    const twin: i32 = entryFor(pkt, table, keyWord(pkt, PROTO_ICMP, tupleFlags | TUPLE_RELATED), daddr, saddr, 0);
    if (twin === 0) return DROP_CT_CREATE_FAILED;
    fillEntry(pkt, twin, isTcp, dir, identity, state);
  }
  const entry: i32 = entryFor(pkt, table, keyWord(pkt, proto, tupleFlags), daddr, saddr, ports);
  if (entry === 0) return DROP_CT_CREATE_FAILED;
  fillEntry(pkt, entry, isTcp, dir, identity, state);
  countPacket(pkt, entry);
  return 0;
}

/** Marks the entry that ctCreate has just made, and its twin, as a connection that the proxy has. */
export function ctMarkProxied(pkt: i32, proto: i32, tupleFlags: i32, daddr: i32, saddr: i32, ports: i32): void {
  const table: i32 = ld32(pkt + P_SHARD) + S_CT;
  markProxied(find(table, keyWord(pkt, PROTO_ICMP, tupleFlags | TUPLE_RELATED), daddr, saddr, 0));
  markProxied(find(table, keyWord(pkt, proto, tupleFlags), daddr, saddr, ports));
}

export function markProxied(entry: i32): void {
  if (entry !== 0) st16(entry + C_FLAGS, ld16(entry + C_FLAGS) | CF_PROXY_REDIRECT);
}

/** A new TCP entry starts as if a SYN had been seen, whatever the packet was (ct_create4). */
export function fillEntry(pkt: i32, entry: i32, isTcp: boolean, dir: i32, identity: i32, state: i32): void {
  st32(entry + C_IDENTITY, identity);
  st16(entry + C_FLAGS, state & 0xffff);
  st16(entry + C_REV_NAT, state >>> 16);
  updateTimeout(pkt, entry, isTcp, dir, isTcp ? TCP_SYN : 0);
}
