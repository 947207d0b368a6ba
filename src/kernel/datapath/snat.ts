// Source NAT on the way out and its reversal on the way in (bpf/lib/nat.h), IPv4.
import { ld16, ld32, ld8, st32 } from "../mem.ts";
import {
  N_SNAT_MIN, NOTE_NAT_RESTORED, P_FRAME, P_NAT, P_NODE, P_NOW, P_CSUM_DIFF, P_PORTS, P_SHARD, P_SNAT_ADDR, P_SNAT_FLAGS, P_SNAT_MAX, P_SNAT_MIN,
  S_NAT, S_RETRIES, TUPLE_IN, TUPLE_OUT, X_ADDR, X_CREATED, X_NEEDS_CT, X_PORT, K0, K1, K2, K3, NF_FRAGMENTS, N_FLAGS,
} from "../layout.ts";
import { swap16 } from "../wire/swap.ts";
import { find, insert, isFull, oldest, remove } from "../table/dynamic.ts";
import { hasL4Header, ETH_LEN, IP_DST, IP_PROTO, IP_SRC, isFragment, l4Offset, PROTO_ICMP } from "../wire/ipv4.ts";
import {
  ICMP_CODE, ICMP_ECHO, ICMP_ECHO_REPLY, ICMP_HEADER, ICMP_ID, ICMP_REDIRECT, ICMP_TIME_EXCEEDED, ICMP_TYPE, ICMP_UNREACHABLE,
  ICMP_UNREACHABLE_LAST_CODE, L4_DPORT, L4_SPORT, within,
} from "../wire/l4.ts";
import {
  CT_NEW, DROP_FRAG_NOSUPPORT, DROP_INVALID, DROP_NAT_NO_MAPPING, DROP_NAT_UNSUPP_PROTO, DROP_UNKNOWN_ICMP4_CODE, NAT_NOT_NEEDED,
} from "../verdict.ts";
import { ctCreate, ctLookupTuple, DIR_EGRESS, DIR_INGRESS } from "./conntrack.ts";
import { clampPort, drawPort, countTries, SNAT_TRIES } from "./port-draw.ts";
import { isPortProtocol, keyWord, loadPorts, swapPorts } from "./ports.ts";
import { natIcmpErrorIn, natIcmpErrorOut } from "./snat-icmp.ts";
import { rewriteHeaders } from "./snat-rewrite.ts";
import { note } from "./note.ts";
import { evict } from "../table/evict.ts";
import { endWaysOf, sketchChange } from "./sketch.ts";

export const ST_LOCAL_ENDPOINT: i32 = 1;
export const ST_EGRESS_GATEWAY: i32 = 2;
export const ST_NEEDS_CT: i32 = 4;

function natTable(pkt: i32): i32 { return ld32(pkt + P_SHARD) + S_NAT; }

/** Key of the entry that reverses a mapping: the outside's answer to (address, port). */
function reverseFind(pkt: i32, proto: i32, remote: i32, ports: i32, address: i32, port: i32): i32 {
  return find(natTable(pkt), keyWord(pkt, proto, TUPLE_IN), address, remote, port | (ports << 16));
}

/** A mapping's other half. */
export function natPartner(table: i32, entry: i32): i32 {
  const k0: i32 = ld32(entry + K0), ports: i32 = ld32(entry + K3), port: i32 = ld32(entry + X_PORT);
  return (k0 & TUPLE_IN) !== 0
    ? find(table, k0 ^ TUPLE_IN, ld32(entry + K2), ld32(entry + X_ADDR), (port << 16) | (ports >>> 16))
    : find(table, k0 ^ TUPLE_IN, ld32(entry + X_ADDR), ld32(entry + K1), port | (ports << 16));
}

/** A full map gives up its oldest mapping, both halves together (recorded in lru4). */
function makeRoom(table: i32): void {
  const victim: i32 = oldest(table);
  evict(table, victim, natPartner(table, victim));
}

function natPut(pkt: i32, k0: i32, daddr: i32, saddr: i32, ports: i32, address: i32, port: i32, needsCt: i32): i32 {
  const known: i32 = find(natTable(pkt), k0, daddr, saddr, ports);
  if (known === 0) return natNew(pkt, k0, daddr, saddr, ports, address, port, needsCt);
  sketchChange(pkt);
  return fillMapping(pkt, known, address, port, needsCt);
}

/** The same for a key that the table does not hold. */
function natNew(pkt: i32, k0: i32, daddr: i32, saddr: i32, ports: i32, address: i32, port: i32, needsCt: i32): i32 {
  const table: i32 = natTable(pkt);
  sketchChange(pkt);
  if (isFull(table)) {
    endWaysOf(pkt);
    makeRoom(table);
  }
  return fillMapping(pkt, insert(table, k0, daddr, saddr, ports), address, port, needsCt);
}

function fillMapping(pkt: i32, entry: i32, address: i32, port: i32, needsCt: i32): i32 {
  st32(entry + X_ADDR, address);
  st32(entry + X_PORT, port);
  st32(entry + X_CREATED, ld32(pkt + P_NOW));
  st32(entry + X_NEEDS_CT, needsCt);
  return entry;
}

/** snat_v4_new_mapping of a packet that has none: keep the port if it is in range and free, else draw one, else walk from there; 32 tries.
 * The mapping's forward entry in P_NAT. 0, or drop 167. */
function newMapping(pkt: i32, proto: i32, saddr: i32, daddr: i32, ports: i32, needsCt: i32): i32 {
  const min: i32 = ld32(pkt + P_SNAT_MIN), max: i32 = ld32(pkt + P_SNAT_MAX), address: i32 = ld32(pkt + P_SNAT_ADDR);
  const forward: i32 = keyWord(pkt, proto, TUPLE_OUT), table: i32 = natTable(pkt), reverse: i32 = keyWord(pkt, proto, TUPLE_IN);
  const sport: i32 = swap16(ports >>> 16);
  let port: i32 = sport >= min && sport <= max ? sport : clampPort(min, max, drawPort(pkt, forward, daddr, saddr, ports, 0));
  let tries: i32 = 0;
  let taken: i32 = 0;
  while (tries < SNAT_TRIES) {
    taken = find(table, reverse, address, daddr, swap16(port) | (ports << 16));
    if (taken === 0) break;
    port = clampPort(min, max, tries === 0 ? drawPort(pkt, forward, daddr, saddr, ports, 1) : (port + 1) & 0xffff);
    tries = tries + 1;
  }
  const error: i32 = countTries(pkt, ld32(pkt + P_SHARD) + S_RETRIES, tries);
  if (error < 0) return error;
  const raw: i32 = swap16(port);
  natNew(pkt, reverse, address, daddr, raw | (ports << 16), saddr, ports >>> 16, needsCt);
  st32(pkt + P_NAT, natNew(pkt, forward, daddr, saddr, ports, address, raw, needsCt));
  return 0;
}

/** snat_v4_nat_handle_mapping: conntrack where the target wants it, then the mapping, restored or made anew where the
 * egress IP or the need for conntrack changed. P_NAT holds the forward entry. 0, or a drop. */
function handleMapping(pkt: i32, ip: i32, l4: i32, ports: i32): i32 {
  const proto: i32 = ld8(ip + IP_PROTO), saddr: i32 = ld32(ip + IP_SRC), daddr: i32 = ld32(ip + IP_DST);
  const needsCt: i32 = (ld32(pkt + P_SNAT_FLAGS) & ST_NEEDS_CT) !== 0 ? 1 : 0;
  const table: i32 = natTable(pkt);
  const state: i32 = find(table, keyWord(pkt, proto, TUPLE_OUT), daddr, saddr, ports);
  if (needsCt !== 0) {
    const status: i32 = ctLookupTuple(pkt, ip, l4, TUPLE_OUT, saddr, daddr, ports, DIR_EGRESS, false);
    if (status < 0) return status;
    if (status === CT_NEW) {
      const error: i32 = ctCreate(pkt, proto, TUPLE_OUT, saddr, daddr, ports, DIR_EGRESS, 0, 0, false);
      if (error < 0) return error;
    }
  }
  if (state !== 0) {
    const address: i32 = ld32(state + X_ADDR), port: i32 = ld32(state + X_PORT);
    const back: i32 = reverseFind(pkt, proto, daddr, ports, address, port);
    if (address === ld32(pkt + P_SNAT_ADDR) && needsCt === ld32(state + X_NEEDS_CT)) {
      st32(pkt + P_NAT, state);
      if (back === 0) {
        natPut(pkt, keyWord(pkt, proto, TUPLE_IN), address, daddr, port | (ports << 16), saddr, ports >>> 16, needsCt);
        note(pkt, NOTE_NAT_RESTORED);
        // In a map of a few entries the forward half may be what just made room; the caller reads the mapping from it.
        if (find(table, keyWord(pkt, proto, TUPLE_OUT), daddr, saddr, ports) !== state)
          st32(pkt + P_NAT, natPut(pkt, keyWord(pkt, proto, TUPLE_OUT), daddr, saddr, ports, address, port, needsCt));
      }
      return 0;
    }
    endWaysOf(pkt);
    remove(table, state);
    if (back !== 0) remove(table, back);
  }
  return newMapping(pkt, proto, saddr, daddr, ports, needsCt);
}

/** snat_v4_nat: translates the source of the packet at `ip` to the target in P_SNAT_….
 * 0 translated; NAT_NOT_NEEDED leaves it as it is; or a drop. */
export function snatForward(pkt: i32, ip: i32): i32 {
  const proto: i32 = ld8(ip + IP_PROTO), l4: i32 = l4Offset(ip);
  const node: i32 = ld32(pkt + P_NODE);
  let ports: i32 = 0;
  let portAt: i32 = L4_SPORT;
  if (isPortProtocol(pkt, proto)) {
    if ((ld32(node + N_FLAGS) & NF_FRAGMENTS) === 0 && isFragment(ip)) return DROP_FRAG_NOSUPPORT;
    const error: i32 = loadPorts(pkt, ip, l4);
    if (error < 0) return error;
    ports = swapPorts(ld32(pkt + P_PORTS));
    const flags: i32 = ld32(pkt + P_SNAT_FLAGS);
    if ((flags & (ST_EGRESS_GATEWAY | ST_LOCAL_ENDPOINT)) === 0 && swap16(ports >>> 16) < ld32(node + N_SNAT_MIN)) return NAT_NOT_NEEDED;
  } else if (proto === PROTO_ICMP) {
    if (isFragment(ip) || !within(pkt, l4, ICMP_HEADER)) return DROP_INVALID;
    const icmp: i32 = ld32(pkt + P_FRAME) + l4;
    const type: i32 = ld8(icmp + ICMP_TYPE), code: i32 = ld8(icmp + ICMP_CODE);
    if (type === ICMP_ECHO) {
      ports = ld16(icmp + ICMP_ID) << 16;
      portAt = ICMP_ID;
      st32(pkt + P_SNAT_MIN, 0);
      st32(pkt + P_SNAT_MAX, 0xffff);
    } else if (type === ICMP_ECHO_REPLY || type === ICMP_REDIRECT) return NAT_NOT_NEEDED;
    else if (type === ICMP_UNREACHABLE || type === ICMP_TIME_EXCEEDED) {
      if (code > (type === ICMP_UNREACHABLE ? ICMP_UNREACHABLE_LAST_CODE : 1)) return DROP_UNKNOWN_ICMP4_CODE;
      const error: i32 = natIcmpErrorOut(pkt, l4);
      if (error < 0) return error;
      return rewriteHeaders(pkt, proto, ETH_LEN, true, l4, ld32(ip + IP_SRC), ld32(ld32(pkt + P_NAT) + X_ADDR), IP_SRC, 0, 0, 0, ld32(pkt + P_CSUM_DIFF));
    } else return DROP_NAT_UNSUPP_PROTO;
  } else return NAT_NOT_NEEDED;
  const error: i32 = handleMapping(pkt, ip, l4, ports);
  if (error < 0) return error;
  const state: i32 = ld32(pkt + P_NAT);
  return rewriteHeaders(
    pkt, proto, ETH_LEN, hasL4Header(ip), l4, ld32(ip + IP_SRC), ld32(state + X_ADDR), IP_SRC, ports >>> 16, ld32(state + X_PORT), portAt, 0,
  );
}

/** snat_v4_rev_nat: finds the mapping an incoming packet answers to and puts the pod's address back.
 * 0 translated; NAT_NOT_NEEDED or drop 167 (both: goes on untranslated); or a drop. */
export function snatReverse(pkt: i32, ip: i32): i32 {
  const proto: i32 = ld8(ip + IP_PROTO), l4: i32 = l4Offset(ip);
  const saddr: i32 = ld32(ip + IP_SRC), daddr: i32 = ld32(ip + IP_DST);
  let ports: i32 = 0;
  let portAt: i32 = L4_DPORT;
  if (isPortProtocol(pkt, proto)) {
    const error: i32 = loadPorts(pkt, ip, l4);
    if (error < 0) return error;
    ports = swapPorts(ld32(pkt + P_PORTS));
    const dport: i32 = swap16(ports & 0xffff);
    if (dport < ld32(pkt + P_SNAT_MIN) || dport > ld32(pkt + P_SNAT_MAX)) return NAT_NOT_NEEDED;
  } else if (proto === PROTO_ICMP) {
    if (isFragment(ip) || !within(pkt, l4, ICMP_HEADER)) return DROP_INVALID;
    const icmp: i32 = ld32(pkt + P_FRAME) + l4;
    const type: i32 = ld8(icmp + ICMP_TYPE), code: i32 = ld8(icmp + ICMP_CODE);
    if (type === ICMP_ECHO_REPLY) {
      ports = ld16(icmp + ICMP_ID);
      portAt = ICMP_ID;
    } else if (type === ICMP_UNREACHABLE || type === ICMP_TIME_EXCEEDED) {
      if (code > (type === ICMP_UNREACHABLE ? ICMP_UNREACHABLE_LAST_CODE : 1)) return NAT_NOT_NEEDED;
      const error: i32 = natIcmpErrorIn(pkt, l4 + ICMP_HEADER);
      if (error < 0) return error;
      return rewriteHeaders(pkt, proto, ETH_LEN, true, l4, daddr, ld32(ld32(pkt + P_NAT) + X_ADDR), IP_DST, 0, 0, 0, ld32(pkt + P_CSUM_DIFF));
    } else return NAT_NOT_NEEDED;
  } else return NAT_NOT_NEEDED;
  const state: i32 = find(natTable(pkt), keyWord(pkt, proto, TUPLE_IN), daddr, saddr, ports);
  if (state === 0) return DROP_NAT_NO_MAPPING;
  const pod: i32 = ld32(state + X_ADDR), podPort: i32 = ld32(state + X_PORT), needsCt: i32 = ld32(state + X_NEEDS_CT);
  const original: i32 = (podPort << 16) | (ports >>> 16);
  if (find(natTable(pkt), keyWord(pkt, proto, TUPLE_OUT), saddr, pod, original) === 0) {
    natPut(pkt, keyWord(pkt, proto, TUPLE_OUT), saddr, pod, original, daddr, ports & 0xffff, needsCt);
    note(pkt, NOTE_NAT_RESTORED);
  }
  st32(pkt + P_NAT, state);
  if (needsCt !== 0) {
    const status: i32 = ctLookupTuple(pkt, ip, l4, TUPLE_OUT, pod, saddr, original, DIR_INGRESS, true);
    if (status < 0) return status;
  }
  return rewriteHeaders(pkt, proto, ETH_LEN, hasL4Header(ip), l4, daddr, pod, IP_DST, ports & 0xffff, podPort, portAt, 0);
}

