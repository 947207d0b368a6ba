// Look-ups of IPv6 addresses in a node's read-only maps. `address` is where the 16 bytes lie.
import { ld32, ld8, st32 } from "../mem.ts";
import {
  E_GATEWAY, E_GATEWAY_NODE, EP_FLAGS, EPF_HOST, FIB_MAIN, FIB_RULE_COUNT, FIB_RULES, GATEWAY_EXCLUDED, N_INDEX, NOTE_EXCLUDED, P_FIB_IFINDEX,
  P_NODE, P_POLICY,
} from "../layout.ts";
import {
  E_EGRESS6, E_IFINDEX, FR6_ADDR, FR6_MASK, FR6_SIZE, FR6_TABLE, N_ENDPOINTS6, N_FIB6, N_IPCACHE6, N_POLICY6, P_FIB_NEXTHOP6, P_SNAT_ADDR6,
  P_SNAT_IFINDEX, RT6_IFINDEX, RT6_VIA,
} from "../layout6.ts";
import { policyFind6, prefixFind6, staticFind6 } from "../table/static6.ts";
import { clearAddress6, copyAddress6, inNetwork6, isZero6 } from "../wire/address6.ts";
import { FIB_LOCAL, FIB_OK, ipcacheFill } from "./lookups.ts";
import { note } from "./note.ts";

/** Endpoint record of a local address, 0 for none (__lookup_ip6_endpoint). */
export function endpointFind6(pkt: i32, address: i32): i32 { return staticFind6(ld32(ld32(pkt + P_NODE) + N_ENDPOINTS6), address); }

/** lookup_ip6_remote_endpoint: fills P_INFO_… as this node sees the entry; false for a miss. */
export function ipcacheFind6(pkt: i32, address: i32): boolean {
  return ipcacheFill(pkt, prefixFind6(ld32(ld32(pkt + P_NODE) + N_IPCACHE6), address));
}

/** Egress policy entry for (source, destination) into P_POLICY; 0 for a miss. Excluded traffic is noted for the report. */
export function egressPolicyFind6(pkt: i32, source: i32, destination: i32): i32 {
  const record: i32 = policyFind6(ld32(ld32(pkt + P_NODE) + N_POLICY6), source, destination);
  st32(pkt + P_POLICY, record);
  if (record !== 0 && ld32(record + E_GATEWAY) === GATEWAY_EXCLUDED) note(pkt, NOTE_EXCLUDED);
  return record;
}

/** The record's egress IP and device as this node's map has them, into P_SNAT_…: only the gateway's own map holds them. */
export function loadEgress6(pkt: i32, record: i32): void {
  const node: i32 = ld32(record + E_GATEWAY_NODE);
  if (node < 0 || node === ld32(ld32(pkt + P_NODE) + N_INDEX)) {
    copyAddress6(pkt + P_SNAT_ADDR6, record + E_EGRESS6);
    st32(pkt + P_SNAT_IFINDEX, ld32(record + E_IFINDEX));
  } else {
    clearAddress6(pkt + P_SNAT_ADDR6);
    st32(pkt + P_SNAT_IFINDEX, 0);
  }
}

/** rt6_need_strict (include/net/ip6_route.h): multicast, link-local and loopback addresses are never forwarded. */
function neverForwarded(address: i32): boolean {
  const first: i32 = ld8(address);
  if (first === 0xff || (first === 0xfe && (ld8(address + 1) & 0xc0) === 0x80)) return true;
  return (ld32(address) | ld32(address + 4) | ld32(address + 8)) === 0 && ld32(address + 12) === 0x01000000;
}

/** bpf_fib_lookup for IPv6: rules by source, then the main table. FIB_OK with device and next hop in P_FIB_IFINDEX and
 * P_FIB_NEXTHOP6. FIB_LOCAL (not forwarded) stands for the node's own addresses, for scopes that are never forwarded and,
 * unlike with IPv4, for the lack of a route. */
export function fibFind6(pkt: i32, source: i32, destination: i32): i32 {
  if (neverForwarded(destination) || neverForwarded(source)) return FIB_LOCAL;
  const local: i32 = endpointFind6(pkt, destination);
  if (local !== 0 && (ld32(local + EP_FLAGS) & EPF_HOST) !== 0) return FIB_LOCAL;
  const fib: i32 = ld32(ld32(pkt + P_NODE) + N_FIB6);
  if (fib === 0) return FIB_LOCAL;
  const count: i32 = ld32(fib + FIB_RULE_COUNT);
  let route: i32 = 0;
  let rule: i32 = ld32(fib + FIB_RULES);
  for (let k: i32 = 0; k < count && route === 0; k++) {
    if (inNetwork6(source, rule + FR6_ADDR, rule + FR6_MASK)) route = prefixFind6(ld32(rule + FR6_TABLE), destination);
    rule = rule + FR6_SIZE;
  }
  if (route === 0) route = prefixFind6(ld32(fib + FIB_MAIN), destination);
  if (route === 0) return FIB_LOCAL;
  st32(pkt + P_FIB_IFINDEX, ld32(route + RT6_IFINDEX));
  copyAddress6(pkt + P_FIB_NEXTHOP6, isZero6(route + RT6_VIA) ? destination : route + RT6_VIA);
  return FIB_OK;
}
