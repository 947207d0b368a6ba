// Answers of backends on their way into the pod: they get the service's address and port back (bpf/lib/lb.h: lb4_rev_nat,
// lb6_rev_nat), by the index that the request left in its conntrack entry.
import { ld16, ld32, ld8 } from "../mem.ts";
import { C_FLAGS, C_REV_NAT, CF_LOOPBACK, P_CT_ENTRY, P_NODE, P_PORTS, P_SHARD, S_CT, TUPLE_OUT } from "../layout.ts";
import { N_LOOPBACK6, P_L4, S_CT6 } from "../layout6.ts";
import { N_LOOPBACK, N_SERVICES, N_SERVICES6, RN_ADDRESS, RN_PORT, SM_REV_NAT } from "../layout-services.ts";
import { find } from "../table/dynamic.ts";
import { find6 } from "../table/dynamic6.ts";
import { staticFind } from "../table/static.ts";
import { sameAddress6 } from "../wire/address6.ts";
import { ETH_LEN, hasL4Header, IP_DST, IP_PROTO, IP_SRC } from "../wire/ipv4.ts";
import { IP6_DST, IP6_SRC } from "../wire/ipv6.ts";
import { L4_SPORT } from "../wire/l4.ts";
import { isPortProtocol, keyWord, swapPorts } from "./ports.ts";
import { hasL4Header6, proto6 } from "./ports6.ts";
import { rewriteHeaders } from "./snat-rewrite.ts";
import { rewriteHeaders6 } from "./snat-rewrite6.ts";

/** Reverse NAT record that the last conntrack look-up's entry names in the map of a family; 0 for none. */
function reverseRecord(pkt: i32, maps: i32): i32 {
  const index: i32 = ld16(ld32(pkt + P_CT_ENTRY) + C_REV_NAT);
  return index === 0 || maps === 0 ? 0 : staticFind(ld32(maps + SM_REV_NAT), index);
}

/** Is the connection of the last conntrack look-up one of a pod to itself? */
export function isLoopback(pkt: i32): boolean { return (ld16(ld32(pkt + P_CT_ENTRY) + C_FLAGS) & CF_LOOPBACK) !== 0; }

/** A record without a port keeps the packet's; ICMP errors have none. */
function servicePort(pkt: i32, record: i32, proto: i32, port: i32): i32 {
  return ld32(record + RN_PORT) !== 0 && isPortProtocol(pkt, proto) ? ld32(record + RN_PORT) : port;
}

/** Translates an answer (CT_REPLY, CT_RELATED) back. 0, or drop 141, 154. */
export function reverseService(pkt: i32, ip: i32, l4: i32): i32 {
  const record: i32 = reverseRecord(pkt, ld32(ld32(pkt + P_NODE) + N_SERVICES));
  if (record === 0) return 0;
  const proto: i32 = ld8(ip + IP_PROTO), source: i32 = ld32(ip + IP_SRC), withL4: boolean = hasL4Header(ip), port: i32 = ld32(pkt + P_PORTS) & 0xffff;
  if (isLoopback(pkt)) {
    const failed: i32 = rewriteHeaders(pkt, proto, ETH_LEN, withL4, l4, ld32(ip + IP_DST), source, IP_DST, 0, 0, 0, 0);
    if (failed < 0) return failed;
  }
  return rewriteHeaders(pkt, proto, ETH_LEN, withL4, l4, source, ld32(record + RN_ADDRESS), IP_SRC, port, servicePort(pkt, record, proto, port), L4_SPORT, 0);
}

/** The same for IPv6. */
export function reverseService6(pkt: i32, ip: i32): i32 {
  const record: i32 = reverseRecord(pkt, ld32(ld32(pkt + P_NODE) + N_SERVICES6));
  if (record === 0) return 0;
  const proto: i32 = proto6(pkt), l4: i32 = ld32(pkt + P_L4), withL4: boolean = hasL4Header6(pkt), port: i32 = ld32(pkt + P_PORTS) & 0xffff;
  if (isLoopback(pkt)) {
    const failed: i32 = rewriteHeaders6(pkt, proto, ETH_LEN, withL4, l4, ip + IP6_SRC, IP6_DST, 0, 0, 0);
    if (failed < 0) return failed;
  }
  return rewriteHeaders6(pkt, proto, ETH_LEN, withL4, l4, record + RN_ADDRESS, IP6_SRC, port, servicePort(pkt, record, proto, port), L4_SPORT);
}

/** Is the new connection that arrives at a pod the pod's own, sent to itself by a service (ct_has_loopback_egress_entry4)? */
export function arrivesFromItself(pkt: i32, ip: i32): boolean {
  const node: i32 = ld32(pkt + P_NODE);
  if (ld32(node + N_SERVICES) === 0 || ld32(ip + IP_SRC) !== ld32(node + N_LOOPBACK)) return false;
  const entry: i32 = find(
    ld32(pkt + P_SHARD) + S_CT, keyWord(pkt, ld8(ip + IP_PROTO), TUPLE_OUT), ld32(ip + IP_SRC), ld32(ip + IP_DST), swapPorts(ld32(pkt + P_PORTS)),
  );
  return entry !== 0 && (ld16(entry + C_FLAGS) & CF_LOOPBACK) !== 0;
}

/** The same for IPv6. */
export function arrivesFromItself6(pkt: i32, ip: i32): boolean {
  const node: i32 = ld32(pkt + P_NODE);
  if (ld32(node + N_SERVICES6) === 0 || !sameAddress6(ip + IP6_SRC, node + N_LOOPBACK6)) return false;
  const entry: i32 = find6(ld32(pkt + P_SHARD) + S_CT6, keyWord(pkt, proto6(pkt), TUPLE_OUT), ip + IP6_SRC, ip + IP6_DST, swapPorts(ld32(pkt + P_PORTS)));
  return entry !== 0 && (ld16(entry + C_FLAGS) & CF_LOOPBACK) !== 0;
}
