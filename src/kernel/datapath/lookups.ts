// Look-ups in a node's read-only maps: ipcache, endpoints, egress policy, routes.
import { ld32, st32 } from "../mem.ts";
import {
  D_IFINDEX, D_SIZE, E_EGRESS, E_GATEWAY, E_GATEWAY_NODE, EP_FLAGS, EPF_HOST, FIB_MAIN, FIB_RULE_COUNT, FIB_RULES, FR_ADDR, FR_MASK, FR_SIZE,
  FR_TABLE, GATEWAY_EXCLUDED, GATEWAY_NONE, IC_COVER, IC_FLAGS, IC_IDENTITY, IC_OWNER, IC_TUNNEL, IPC_HAS_TUNNEL, IPC_NODE, IPC_OWNER_ONLY,
  IPC_SKIP_TUNNEL, N_DEVICE_COUNT, N_DEVICES, N_ENDPOINTS, N_FIB, N_FLAGS, N_INDEX, N_IPCACHE, N_POLICY, NF_DUAL_STACK, NOTE_EXCLUDED,
  P_FIB_IFINDEX, P_FIB_NEXTHOP, P_INFO_FLAGS, P_INFO_IDENTITY, P_INFO_TUNNEL, P_NODE, P_POLICY, RT_IFINDEX, RT_VIA,
} from "../layout.ts";
import { P_ASKED_IPCACHE, P_ASKED_POLICY, P_ASKED_ROUTE } from "../layout-asked.ts";
import { policyFind, prefixFind, staticFind } from "../table/static.ts";
import { ID_HOST, ID_KUBE_APISERVER, ID_REMOTE_NODE, ID_WORLD, ID_WORLD_IPV4, ID_WORLD_IPV6 } from "../verdict.ts";
import { note } from "./note.ts";

/** Endpoint record of a local address, 0 for none (__lookup_ip4_endpoint). */
export function endpointFind(pkt: i32, address: i32): i32 { return staticFind(ld32(ld32(pkt + P_NODE) + N_ENDPOINTS), address); }

/** lookup_ip4_remote_endpoint: fills P_INFO_… as this node sees the entry; false for a miss. One image serves all nodes:
 * the owner of an address sees no tunnel to it, its own node addresses as host, and some entries are the owner's only. */
export function ipcacheFind(pkt: i32, address: i32): boolean {
  const table: i32 = ld32(ld32(pkt + P_NODE) + N_IPCACHE), asked: i32 = pkt + P_ASKED_IPCACHE;
  if (ld32(asked) === table && ld32(asked + 4) === address) return ipcacheFill(pkt, ld32(asked + 8));
  const record: i32 = prefixFind(table, address);
  st32(asked, table);
  st32(asked + 4, address);
  st32(asked + 8, record);
  return ipcacheFill(pkt, record);
}

/** P_INFO_… from the record of an address, 0 for none; false when this node's map holds nothing for it. */
export function ipcacheFill(pkt: i32, found: i32): boolean {
  const self: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX);
  let record: i32 = found;
  while (record !== 0 && (ld32(record + IC_FLAGS) & IPC_OWNER_ONLY) !== 0 && ld32(record + IC_OWNER) !== self) record = ld32(record + IC_COVER);
  if (record === 0) {
    st32(pkt + P_INFO_IDENTITY, 0);
    st32(pkt + P_INFO_TUNNEL, 0);
    st32(pkt + P_INFO_FLAGS, 0);
    return false;
  }
  const flags: i32 = ld32(record + IC_FLAGS);
  if (ld32(record + IC_OWNER) === self) {
    st32(pkt + P_INFO_IDENTITY, (flags & IPC_NODE) !== 0 ? ID_HOST : ld32(record + IC_IDENTITY));
    st32(pkt + P_INFO_TUNNEL, 0);
    st32(pkt + P_INFO_FLAGS, flags & IPC_SKIP_TUNNEL);
  } else {
    st32(pkt + P_INFO_IDENTITY, ld32(record + IC_IDENTITY));
    st32(pkt + P_INFO_TUNNEL, ld32(record + IC_TUNNEL));
    st32(pkt + P_INFO_FLAGS, flags & (IPC_SKIP_TUNNEL | IPC_HAS_TUNNEL));
  }
  return true;
}

/** identity_is_cluster (bpf/lib/identity.h): anything but world and CIDR identities. */
export function identityInCluster(pkt: i32, identity: i32): boolean {
  if (identity === ID_WORLD) return false;
  if ((identity === ID_WORLD_IPV4 || identity === ID_WORLD_IPV6) && (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_DUAL_STACK) !== 0) return false;
  return (identity & 0xff000000) !== 0x01000000 || identity === 0x01000000;
}

/** identity_is_remote_node. */
export function identityIsRemoteNode(identity: i32): boolean {
  return identity === ID_REMOTE_NODE || identity === ID_KUBE_APISERVER || (identity & 0xff000000) === 0x02000000;
}

/** Egress policy entry for (source, destination) into P_POLICY; 0 for a miss. Excluded traffic is noted for the report. */
export function egressPolicyFind(pkt: i32, source: i32, destination: i32): i32 {
  const table: i32 = ld32(ld32(pkt + P_NODE) + N_POLICY), asked: i32 = pkt + P_ASKED_POLICY;
  const record: i32 = isAsked(asked, table, source, destination) ? ld32(asked + 12) : remember(asked, table, source, destination, policyFind(table, source, destination));
  st32(pkt + P_POLICY, record);
  if (record !== 0 && ld32(record + E_GATEWAY) === GATEWAY_EXCLUDED) note(pkt, NOTE_EXCLUDED);
  return record;
}

/** Does the record name a real gateway? */
export function namesGateway(record: i32): boolean {
  return record !== 0 && ld32(record + E_GATEWAY) !== GATEWAY_NONE && ld32(record + E_GATEWAY) !== GATEWAY_EXCLUDED;
}

/** The record's egress IP as this node's map has it: only the gateway's own map holds it (manager.go). */
export function egressIpOf(pkt: i32, record: i32): i32 {
  const node: i32 = ld32(record + E_GATEWAY_NODE);
  return node < 0 || node === ld32(ld32(pkt + P_NODE) + N_INDEX) ? ld32(record + E_EGRESS) : 0;
}

function isAsked(asked: i32, table: i32, source: i32, destination: i32): boolean {
  return ld32(asked) === table && ld32(asked + 4) === source && ld32(asked + 8) === destination;
}

function remember(asked: i32, table: i32, source: i32, destination: i32, answer: i32): i32 {
  st32(asked, table);
  st32(asked + 4, source);
  st32(asked + 8, destination);
  st32(asked + 12, answer);
  return answer;
}

/** Lets the packet's first question to each table be one. */
export function forgetAsked(pkt: i32): void {
  st32(pkt + P_ASKED_IPCACHE, 0);
  st32(pkt + P_ASKED_POLICY, 0);
  st32(pkt + P_ASKED_ROUTE, 0);
}

export const FIB_OK: i32 = 0;
export const FIB_LOCAL: i32 = 4;
export const FIB_UNREACHABLE: i32 = 1;

/** bpf_fib_lookup: rules by source, then the main table. FIB_OK with device and next hop in P_FIB_…, FIB_LOCAL for the
 * node's own addresses (not forwarded), FIB_UNREACHABLE without a route. */
export function fibFind(pkt: i32, source: i32, destination: i32): i32 {
  const local: i32 = endpointFind(pkt, destination);
  if (local !== 0 && (ld32(local + EP_FLAGS) & EPF_HOST) !== 0) return FIB_LOCAL;
  const fib: i32 = ld32(ld32(pkt + P_NODE) + N_FIB), asked: i32 = pkt + P_ASKED_ROUTE;
  const route: i32 = isAsked(asked, fib, source, destination) ? ld32(asked + 12) : remember(asked, fib, source, destination, routeFind(fib, source, destination));
  if (route === 0) return FIB_UNREACHABLE;
  const via: i32 = ld32(route + RT_VIA);
  st32(pkt + P_FIB_IFINDEX, ld32(route + RT_IFINDEX));
  st32(pkt + P_FIB_NEXTHOP, via !== 0 ? via : destination);
  return FIB_OK;
}

function routeFind(fib: i32, source: i32, destination: i32): i32 {
  const count: i32 = ld32(fib + FIB_RULE_COUNT);
  let rule: i32 = ld32(fib + FIB_RULES), route: i32 = 0;
  for (let k: i32 = 0; k < count && route === 0; k++) {
    if ((source & ld32(rule + FR_MASK)) === ld32(rule + FR_ADDR)) route = prefixFind(ld32(rule + FR_TABLE), destination);
    rule = rule + FR_SIZE;
  }
  return route !== 0 ? route : prefixFind(ld32(fib + FIB_MAIN), destination);
}

/** The node's device record with this index, 0 for none. */
export function deviceFind(pkt: i32, ifindex: i32): i32 {
  const node: i32 = ld32(pkt + P_NODE);
  const count: i32 = ld32(node + N_DEVICE_COUNT);
  let device: i32 = ld32(node + N_DEVICES);
  for (let k: i32 = 0; k < count; k++) {
    if (ld32(device + D_IFINDEX) === ifindex) return device;
    device = device + D_SIZE;
  }
  return 0;
}
