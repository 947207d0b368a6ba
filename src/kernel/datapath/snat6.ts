// Source NAT of IPv6 on the way out and its reversal on the way in (bpf/lib/nat.h). All take what ipv6Walk left in P_WALK.
import { ld16, ld32, ld8, st32 } from "../mem.ts";
import {
  K0, K3, N_FLAGS, N_SNAT_MIN, NF_FRAGMENTS6, NOTE_DEFECT6_ERROR_NOT_TRANSLATED, NOTE_DEFECT6_LEFTOVER_PORT, NOTE_NAT_RESTORED, P_CSUM_DIFF,
  P_FRAME, P_NAT, P_NODE, P_NOW, P_PORTS, P_SHARD, P_SNAT_FLAGS, P_SNAT_MAX, P_SNAT_MIN, TUPLE_IN, TUPLE_OUT,
} from "../layout.ts";
import {
  P_KEPT6, P_L4, P_LEFTOVER_PORT, P_SNAT_ADDR6, S_NAT6, S_RETRIES6, TAIL_DADDR, TAIL_SADDR, X6_ADDR, X6_CREATED, X6_NEEDS_CT, X6_PORT, X6_TAIL,
} from "../layout6.ts";
import { isFull, oldest, remove } from "../table/dynamic.ts";
import { find6, hashAddress6, insert6 } from "../table/dynamic6.ts";
import { copyAddress6, sameAddress6 } from "../wire/address6.ts";
import {
  ICMP6_ADVERTISEMENT, ICMP6_ECHO, ICMP6_ECHO_REPLY, ICMP6_REDIRECT, ICMP6_SOLICITATION, ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEEDED_LAST_CODE,
  ICMP6_TOO_BIG, ICMP6_UNREACHABLE, ICMP6_UNREACHABLE_LAST_CODE, isIcmp6Error,
} from "../wire/icmp6.ts";
import { ETH_LEN } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC, PROTO_ICMP6 } from "../wire/ipv6.ts";
import { ICMP_CODE, ICMP_HEADER, ICMP_ID, ICMP_TYPE, L4_DPORT, L4_SPORT, within } from "../wire/l4.ts";
import { swap16 } from "../wire/swap.ts";
import {
  CT_NEW, DROP_FRAG_NOSUPPORT, DROP_INVALID, DROP_INVALID_EXTHDR, DROP_NAT_NO_MAPPING, DROP_NAT_UNSUPP_PROTO, DROP_UNKNOWN_ICMP6_CODE, NAT_NOT_NEEDED,
} from "../verdict.ts";
import { DIR_EGRESS, DIR_INGRESS } from "./conntrack.ts";
import { ctCreate6, ctLookupTuple6 } from "./conntrack6.ts";
import { clampPort, drawPort, countTries, SNAT_TRIES } from "./port-draw.ts";
import { isPortProtocol, keyWord, swapPorts } from "./ports.ts";
import { hasL4Header6, isFragment6, loadPorts6, proto6 } from "./ports6.ts";
import { ST_EGRESS_GATEWAY, ST_LOCAL_ENDPOINT, ST_NEEDS_CT } from "./snat.ts";
import { applyQuoteDiff, natIcmp6ErrorIn, natIcmp6ErrorOut, quotesTranslated6 } from "./snat-icmp6.ts";
import { rewriteHeaders6 } from "./snat-rewrite6.ts";
import { note, repairs } from "./note.ts";
import { evict } from "../table/evict.ts";

function natTable(pkt: i32): i32 { return ld32(pkt + P_SHARD) + S_NAT6; }

/** A mapping's other half. */
export function natPartner6(table: i32, entry: i32): i32 {
  const k0: i32 = ld32(entry + K0), ports: i32 = ld32(entry + K3), port: i32 = ld32(entry + X6_PORT), tail: i32 = entry + X6_TAIL;
  return (k0 & TUPLE_IN) !== 0
    ? find6(table, k0 ^ TUPLE_IN, tail + TAIL_SADDR, entry + X6_ADDR, (port << 16) | (ports >>> 16))
    : find6(table, k0 ^ TUPLE_IN, entry + X6_ADDR, tail + TAIL_DADDR, port | (ports << 16));
}

/** A full map gives up its oldest mapping, both halves together. */
function makeRoom(table: i32): void {
  const victim: i32 = oldest(table);
  evict(table, victim, natPartner6(table, victim));
}

/** Addresses lie outside the table, since making room may evict any entry. */
function natPut(pkt: i32, k0: i32, daddr: i32, saddr: i32, ports: i32, address: i32, port: i32, needsCt: i32): i32 {
  const table: i32 = natTable(pkt);
  let entry: i32 = find6(table, k0, daddr, saddr, ports);
  if (entry === 0) {
    if (isFull(table)) makeRoom(table);
    entry = insert6(table, k0, daddr, saddr, ports);
  }
  copyAddress6(entry + X6_ADDR, address);
  st32(entry + X6_PORT, port);
  st32(entry + X6_CREATED, ld32(pkt + P_NOW));
  st32(entry + X6_NEEDS_CT, needsCt);
  return entry;
}

/** snat_v6_new_mapping: keep the port if it is in range and free, else draw one, else walk from there; 32 tries. The
 * mapping's forward entry in P_NAT. 0, or drop 167. */
function newMapping(pkt: i32, ip: i32, ports: i32, needsCt: i32): i32 {
  const proto: i32 = proto6(pkt), saddr: i32 = ip + IP6_SRC, daddr: i32 = ip + IP6_DST, address: i32 = pkt + P_SNAT_ADDR6;
  const min: i32 = ld32(pkt + P_SNAT_MIN), max: i32 = ld32(pkt + P_SNAT_MAX);
  const forward: i32 = keyWord(pkt, proto, TUPLE_OUT), table: i32 = natTable(pkt), reverse: i32 = keyWord(pkt, proto, TUPLE_IN);
  const sport: i32 = swap16(ports >>> 16), from: i32 = hashAddress6(saddr), to: i32 = hashAddress6(daddr);
  let port: i32 = sport >= min && sport <= max ? sport : clampPort(min, max, drawPort(pkt, forward, to, from, ports, 0));
  let tries: i32 = 0;
  while (tries < SNAT_TRIES) {
    if (find6(table, reverse, address, daddr, swap16(port) | (ports << 16)) === 0) break;
    port = clampPort(min, max, tries === 0 ? drawPort(pkt, forward, to, from, ports, 1) : (port + 1) & 0xffff);
    tries = tries + 1;
  }
  const error: i32 = countTries(pkt, ld32(pkt + P_SHARD) + S_RETRIES6, tries);
  if (error < 0) return error;
  const raw: i32 = swap16(port);
  natPut(pkt, reverse, address, daddr, raw | (ports << 16), saddr, ports >>> 16, needsCt);
  st32(pkt + P_NAT, natPut(pkt, forward, daddr, saddr, ports, address, raw, needsCt));
  return 0;
}

/** snat_v6_nat_handle_mapping: conntrack where the target wants it, then the mapping, restored or made anew where the egress
 * IP or the need for conntrack changed. P_NAT holds the forward entry. 0, or a drop. */
function handleMapping(pkt: i32, ip: i32, ports: i32): i32 {
  const proto: i32 = proto6(pkt), saddr: i32 = ip + IP6_SRC, daddr: i32 = ip + IP6_DST, address: i32 = pkt + P_SNAT_ADDR6;
  const needsCt: i32 = (ld32(pkt + P_SNAT_FLAGS) & ST_NEEDS_CT) !== 0 ? 1 : 0;
  const table: i32 = natTable(pkt), forward: i32 = keyWord(pkt, proto, TUPLE_OUT), reverse: i32 = keyWord(pkt, proto, TUPLE_IN);
  const state: i32 = find6(table, forward, daddr, saddr, ports);
  if (needsCt !== 0) {
    const status: i32 = ctLookupTuple6(pkt, TUPLE_OUT, saddr, daddr, ports, DIR_EGRESS, false);
    if (status < 0) return status;
    if (status === CT_NEW) {
      const error: i32 = ctCreate6(pkt, TUPLE_OUT, saddr, daddr, ports, DIR_EGRESS, 0, 0, false);
      if (error < 0) return error;
    }
  }
  if (state !== 0) {
    const port: i32 = ld32(state + X6_PORT);
    const back: i32 = find6(table, reverse, state + X6_ADDR, daddr, port | (ports << 16));
    if (sameAddress6(state + X6_ADDR, address) && needsCt === ld32(state + X6_NEEDS_CT)) {
      st32(pkt + P_NAT, state);
      if (back === 0) {
        natPut(pkt, reverse, address, daddr, port | (ports << 16), saddr, ports >>> 16, needsCt);
        note(pkt, NOTE_NAT_RESTORED);
        // In a map of a few entries the forward half may be what just made room; the caller reads the mapping from it.
        if (find6(table, forward, daddr, saddr, ports) !== state) st32(pkt + P_NAT, natPut(pkt, forward, daddr, saddr, ports, address, port, needsCt));
      }
      return 0;
    }
    remove(table, state);
    if (back !== 0) remove(table, back);
  }
  return newMapping(pkt, ip, ports, needsCt);
}

/** An ICMPv6 error on its way out, about the flow whose mapping is found by the quote. */
function snatError(pkt: i32, l4: i32): i32 {
  const error: i32 = natIcmp6ErrorOut(pkt, l4 + ICMP_HEADER);
  if (error < 0) return error;
  applyQuoteDiff(pkt, l4, ld32(pkt + P_CSUM_DIFF));
  // From a pod that is not local, 1.19 takes the source port of the scratch tuple, which nobody has set, for the old
  // port, and writes 0 over the first two bytes of the ICMPv6 header in its place.
  let leftover: i32 = 0;
  if ((ld32(pkt + P_SNAT_FLAGS) & ST_LOCAL_ENDPOINT) === 0 && !repairs(pkt)) leftover = ld32(pkt + P_LEFTOVER_PORT);
  if (leftover !== 0) note(pkt, NOTE_DEFECT6_LEFTOVER_PORT);
  return rewriteHeaders6(pkt, PROTO_ICMP6, ETH_LEN, true, l4, ld32(pkt + P_NAT) + X6_ADDR, IP6_SRC, leftover, 0, 0);
}

/** snat_v6_nat: translates the source of the packet at `ip` to the target in P_SNAT_….
 * 0 translated; NAT_NOT_NEEDED leaves it as it is; or a drop. */
export function snatForward6(pkt: i32, ip: i32): i32 {
  const proto: i32 = proto6(pkt), l4: i32 = ld32(pkt + P_L4), node: i32 = ld32(pkt + P_NODE);
  let ports: i32 = 0;
  let portAt: i32 = L4_SPORT;
  if (isPortProtocol(pkt, proto)) {
    if ((ld32(node + N_FLAGS) & NF_FRAGMENTS6) === 0 && isFragment6(pkt)) return DROP_FRAG_NOSUPPORT;
    const error: i32 = loadPorts6(pkt, ip);
    if (error < 0) return error;
    ports = swapPorts(ld32(pkt + P_PORTS));
    const flags: i32 = ld32(pkt + P_SNAT_FLAGS);
    if ((flags & (ST_EGRESS_GATEWAY | ST_LOCAL_ENDPOINT)) === 0 && swap16(ports >>> 16) < ld32(node + N_SNAT_MIN)) return NAT_NOT_NEEDED;
  } else if (proto === PROTO_ICMP6) {
    if (isFragment6(pkt) || !within(pkt, l4, ICMP_HEADER)) return DROP_INVALID;
    const icmp: i32 = ld32(pkt + P_FRAME) + l4;
    const type: i32 = ld8(icmp + ICMP_TYPE), code: i32 = ld8(icmp + ICMP_CODE);
    if (type === ICMP6_ECHO_REPLY || type === ICMP6_REDIRECT || type === ICMP6_SOLICITATION || type === ICMP6_ADVERTISEMENT) return NAT_NOT_NEEDED;
    if (type === ICMP6_UNREACHABLE) return code > ICMP6_UNREACHABLE_LAST_CODE ? DROP_UNKNOWN_ICMP6_CODE : snatError(pkt, l4);
    if (type === ICMP6_TIME_EXCEEDED) return code > ICMP6_TIME_EXCEEDED_LAST_CODE ? DROP_UNKNOWN_ICMP6_CODE : snatError(pkt, l4);
    if (type === ICMP6_TOO_BIG) return snatError(pkt, l4);
    if (type !== ICMP6_ECHO) return DROP_NAT_UNSUPP_PROTO;
    ports = ld16(icmp + ICMP_ID) << 16;
    portAt = ICMP_ID;
    st32(pkt + P_SNAT_MIN, 0);
    st32(pkt + P_SNAT_MAX, 0xffff);
  } else return NAT_NOT_NEEDED;
  const error: i32 = handleMapping(pkt, ip, ports);
  if (error < 0) return error;
  const state: i32 = ld32(pkt + P_NAT);
  return rewriteHeaders6(pkt, proto, ETH_LEN, hasL4Header6(pkt), l4, state + X6_ADDR, IP6_SRC, ports >>> 16, ld32(state + X6_PORT), portAt);
}

/** snat_v6_rev_nat: finds the mapping an incoming packet answers to and puts the pod's address back.
 * 0 translated; NAT_NOT_NEEDED or drop 167 (both: goes on untranslated); or a drop. */
export function snatReverse6(pkt: i32, ip: i32): i32 {
  const proto: i32 = proto6(pkt), l4: i32 = ld32(pkt + P_L4), table: i32 = natTable(pkt);
  let ports: i32 = 0;
  let portAt: i32 = L4_DPORT;
  if (isPortProtocol(pkt, proto)) {
    const error: i32 = loadPorts6(pkt, ip);
    if (error < 0) return error;
    ports = swapPorts(ld32(pkt + P_PORTS));
    const dport: i32 = swap16(ports & 0xffff);
    if (dport < ld32(pkt + P_SNAT_MIN) || dport > ld32(pkt + P_SNAT_MAX)) return NAT_NOT_NEEDED;
  } else if (proto === PROTO_ICMP6) {
    if (isFragment6(pkt) || !within(pkt, l4, ICMP_HEADER)) return DROP_INVALID;
    const icmp: i32 = ld32(pkt + P_FRAME) + l4;
    const type: i32 = ld8(icmp + ICMP_TYPE);
    if (isIcmp6Error(type)) {
      if (type !== ICMP6_TOO_BIG && !repairs(pkt)) {
        if (quotesTranslated6(pkt, l4 + ICMP_HEADER)) note(pkt, NOTE_DEFECT6_ERROR_NOT_TRANSLATED);
        return NAT_NOT_NEEDED;
      }
      const error: i32 = natIcmp6ErrorIn(pkt, l4 + ICMP_HEADER);
      // What 1.19 does not look at is no reason to drop when looked at after all.
      if (type !== ICMP6_TOO_BIG && (error === DROP_INVALID || error === DROP_INVALID_EXTHDR)) return NAT_NOT_NEEDED;
      if (error < 0) return error;
      applyQuoteDiff(pkt, l4, ld32(pkt + P_CSUM_DIFF));
      return rewriteHeaders6(pkt, proto, ETH_LEN, true, l4, ld32(pkt + P_NAT) + X6_ADDR, IP6_DST, 0, 0, 0);
    }
    if (type !== ICMP6_ECHO_REPLY) return NAT_NOT_NEEDED;
    ports = ld16(icmp + ICMP_ID);
    portAt = ICMP_ID;
  } else return NAT_NOT_NEEDED;
  const state: i32 = find6(table, keyWord(pkt, proto, TUPLE_IN), ip + IP6_DST, ip + IP6_SRC, ports);
  if (state === 0) return DROP_NAT_NO_MAPPING;
  const pod: i32 = pkt + P_KEPT6;
  copyAddress6(pod, state + X6_ADDR);
  const podPort: i32 = ld32(state + X6_PORT), needsCt: i32 = ld32(state + X6_NEEDS_CT);
  const original: i32 = (podPort << 16) | (ports >>> 16);
  if (find6(table, keyWord(pkt, proto, TUPLE_OUT), ip + IP6_SRC, pod, original) === 0) {
    natPut(pkt, keyWord(pkt, proto, TUPLE_OUT), ip + IP6_SRC, pod, original, ip + IP6_DST, ports & 0xffff, needsCt);
    note(pkt, NOTE_NAT_RESTORED);
  }
  st32(pkt + P_NAT, state);
  if (needsCt !== 0) {
    const status: i32 = ctLookupTuple6(pkt, TUPLE_OUT, pod, ip + IP6_SRC, original, DIR_INGRESS, true);
    if (status < 0) return status;
  }
  return rewriteHeaders6(pkt, proto, ETH_LEN, hasL4Header6(pkt), l4, pod, IP6_DST, ports & 0xffff, podPort, portAt);
}
