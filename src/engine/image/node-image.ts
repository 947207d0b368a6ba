import {
  D_IFINDEX, D_MAC, D_MASQUERADE, D_MTU, D_SIZE, D_USE, EP_ADDRESS, EP_FLAGS, EP_ID, EP_IDENTITY, EP_IFINDEX, EP_MAC, EP_NODE_MAC, EP_SIZE, EPF_USED, FIB_MAIN,
  FIB_RULE_COUNT, FIB_RULES, FIB_SIZE, FR_ADDR, FR_MASK, FR_SIZE, FR_TABLE, N_ADDRESS, N_DEVICE_COUNT, N_DEVICES, N_ENDPOINTS, N_EXCLUSION_ADDR,
  N_EXCLUSION_MASK, N_FIB, N_FLAGS, N_HOST_MAC, N_INDEX, N_IPCACHE, N_IPMASQ, N_LIFE_ANY, N_LIFE_FIN, N_LIFE_SYN, N_LIFE_TCP, N_POLICY, N_SIZE,
  N_SNAT_MAX, N_SNAT_MIN, N_TUNNEL_IFINDEX, N_TUNNEL_MAC, N_TUNNEL_PORT, N_VLAN_ALLOWED, N_WORLD, NF_EXCLUSION, NF_IPMASQ, RT_IFINDEX, RT_SIZE, RT_VIA,
} from "../../kernel/layout.ts";
import { EP_POLICY, N_AUTH, N_AUTH_COUNT, N_NODE_IDS, N_POLICY_FLAGS, NPF_FRAG_NEEDED, NPF_ICMP_RULES } from "../../kernel/layout-policy.ts";
import type { Prefix } from "../../control/tables.ts";
import { type Arena, wireMask, wirePort, wireWord } from "./arena.ts";
import { writePrefixTable } from "./prefix-table.ts";
import { writeStaticHash } from "./static-hash.ts";

export interface EndpointImage {
  readonly address: number;
  /** EPF_… bits without EPF_USED. */
  readonly flags: number;
  readonly ifindex: number;
  readonly id: number;
  readonly identity: number;
  readonly mac: readonly number[];
  readonly nodeMac: readonly number[];
  /** Address of its policy map in the same memory; absent or 0: nothing is enforced. */
  readonly policyMap?: number;
}

/** What a node's programs were built with for network policy. */
export interface NodePolicyImage {
  /** NPF_… bits. */
  readonly flags: number;
  /** Address of the table of node ids, 0 for none. */
  readonly nodeIds: number;
  /** Address and number of AU_… records. */
  readonly auth: number;
  readonly authCount: number;
}

/** ICMP types count as ports, and "fragmentation needed" always passes: the agent's defaults. */
export const DEFAULT_NODE_POLICY: NodePolicyImage = { flags: NPF_ICMP_RULES | NPF_FRAG_NEEDED, nodeIds: 0, auth: 0, authCount: 0 };

export interface DeviceImage {
  readonly ifindex: number;
  readonly mac: readonly number[];
  readonly mtu: number;
  readonly masqueradeIp: number;
  /** Where its traffic is counted; absent where nobody counts. */
  readonly use?: number;
}

export interface RouteImage {
  readonly to: Prefix;
  readonly via: number;
  readonly ifindex: number;
}

export interface NodeImage {
  readonly index: number;
  readonly address: number;
  /** NF_… bits; exclusion and ip-masq bits are set here from the fields below. */
  readonly flags: number;
  /** Addresses of tables in the same memory, 0 for empty. */
  readonly policyTable: number;
  readonly ipcacheTable: number;
  readonly endpoints: readonly EndpointImage[];
  /** First device is the direct-routing one. */
  readonly devices: readonly DeviceImage[];
  /** Route tables: [0] is the main one. */
  readonly routes: readonly (readonly RouteImage[])[];
  /** Source rules in order; table is an index into routes. */
  readonly rules: readonly { readonly from: Prefix; readonly table: number }[];
  readonly exclusion: Prefix | null;
  /** null: no ip-masq-agent. */
  readonly nonMasquerade: readonly Prefix[] | null;
  readonly snatMin: number;
  readonly snatMax: number;
  readonly lifetimes: { readonly tcp: number; readonly syn: number; readonly fin: number; readonly any: number };
  readonly worldIdentity: number;
  readonly tunnelIfindex: number;
  readonly tunnelPort: number;
  readonly tunnelMac: readonly number[];
  readonly hostMac: readonly number[];
  readonly vlanAllowed: number;
  /** Absent: DEFAULT_NODE_POLICY. */
  readonly networkPolicy?: NodePolicyImage;
}

export function putMac(arena: Arena, at: number, mac: readonly number[]): void {
  for (let k = 0; k < 6; k++) arena.bytes[at + k] = mac[k] ?? 0;
}

/** Writes one node's configuration and read-only tables; returns the address of its N_… structure. */
export function writeNode(arena: Arena, node: NodeImage): number {
  const at = arena.take(N_SIZE, 64);
  let flags = node.flags;
  if (node.exclusion !== null) {
    flags |= NF_EXCLUSION;
    const mask = wireMask(node.exclusion.bits);
    arena.put32(at + N_EXCLUSION_MASK, mask);
    arena.put32(at + N_EXCLUSION_ADDR, wireWord(node.exclusion.address) & mask);
  }
  if (node.nonMasquerade !== null) {
    flags |= NF_IPMASQ;
    arena.put32(at + N_IPMASQ, writePrefixTable(arena, node.nonMasquerade.map((prefix) => ({ prefix, value: 1 }))));
  }
  arena.put32(at + N_INDEX, node.index);
  arena.put32(at + N_ADDRESS, wireWord(node.address));
  arena.put32(at + N_FLAGS, flags);
  arena.put32(at + N_POLICY, node.policyTable);
  arena.put32(at + N_IPCACHE, node.ipcacheTable);
  arena.put32(at + N_ENDPOINTS, writeEndpoints(arena, node.endpoints));
  arena.put32(at + N_FIB, writeFib(arena, node));
  arena.put32(at + N_DEVICES, writeDevices(arena, node.devices));
  arena.put32(at + N_DEVICE_COUNT, node.devices.length);
  arena.put32(at + N_SNAT_MIN, node.snatMin);
  arena.put32(at + N_SNAT_MAX, node.snatMax);
  arena.put32(at + N_LIFE_TCP, node.lifetimes.tcp);
  arena.put32(at + N_LIFE_SYN, node.lifetimes.syn);
  arena.put32(at + N_LIFE_FIN, node.lifetimes.fin);
  arena.put32(at + N_LIFE_ANY, node.lifetimes.any);
  arena.put32(at + N_WORLD, node.worldIdentity);
  arena.put32(at + N_TUNNEL_IFINDEX, node.tunnelIfindex);
  arena.put32(at + N_TUNNEL_PORT, wirePort(node.tunnelPort));
  arena.put32(at + N_VLAN_ALLOWED, node.vlanAllowed);
  const policy = node.networkPolicy ?? DEFAULT_NODE_POLICY;
  arena.put32(at + N_POLICY_FLAGS, policy.flags);
  arena.put32(at + N_NODE_IDS, policy.nodeIds);
  arena.put32(at + N_AUTH, policy.auth);
  arena.put32(at + N_AUTH_COUNT, policy.authCount);
  putMac(arena, at + N_TUNNEL_MAC, node.tunnelMac);
  putMac(arena, at + N_HOST_MAC, node.hostMac);
  return at;
}

function writeEndpoints(arena: Arena, endpoints: readonly EndpointImage[]): number {
  return writeStaticHash(arena, EP_SIZE, EP_FLAGS, endpoints.map((endpoint) => ({
    key: wireWord(endpoint.address), write: (at) => writeEndpoint(arena, at, endpoint),
  })));
}

/** Writes an endpoint record at `at` (EP_SIZE bytes). */
export function writeEndpoint(arena: Arena, at: number, endpoint: EndpointImage): void {
  arena.put32(at + EP_ADDRESS, wireWord(endpoint.address));
  arena.put32(at + EP_FLAGS, endpoint.flags | EPF_USED);
  arena.put32(at + EP_IFINDEX, endpoint.ifindex);
  arena.put32(at + EP_ID, endpoint.id);
  arena.put32(at + EP_IDENTITY, endpoint.identity);
  putMac(arena, at + EP_MAC, endpoint.mac);
  putMac(arena, at + EP_NODE_MAC, endpoint.nodeMac);
  arena.put32(at + EP_POLICY, endpoint.policyMap ?? 0);
}

function writeDevices(arena: Arena, devices: readonly DeviceImage[]): number {
  const at = arena.take(devices.length * D_SIZE);
  for (const [k, device] of devices.entries()) {
    const record = at + k * D_SIZE;
    arena.put32(record + D_IFINDEX, device.ifindex);
    arena.put32(record + D_MASQUERADE, wireWord(device.masqueradeIp));
    putMac(arena, record + D_MAC, device.mac);
    arena.put32(record + D_MTU, device.mtu);
    arena.put32(record + D_USE, device.use ?? 0);
  }
  return at;
}

function writeRoutes(arena: Arena, routes: readonly RouteImage[]): number {
  return writePrefixTable(arena, routes.map((route) => {
    const record = arena.take(RT_SIZE);
    arena.put32(record + RT_IFINDEX, route.ifindex);
    arena.put32(record + RT_VIA, wireWord(route.via));
    return { prefix: route.to, value: record };
  }));
}

function writeFib(arena: Arena, node: NodeImage): number {
  const tables = node.routes.map((routes) => writeRoutes(arena, routes));
  return writeRuleTable(arena, tables, FR_SIZE, node.rules, (record, rule) => {
    const mask = wireMask(rule.from.bits);
    arena.put32(record + FR_ADDR, wireWord(rule.from.address) & mask);
    arena.put32(record + FR_MASK, mask);
    arena.put32(record + FR_TABLE, tables[rule.table] ?? 0);
  });
}

/** Writes the FIB_… structure over its route tables' addresses ([0] is the main one) and the source rules, `size` bytes each. */
export function writeRuleTable<R>(arena: Arena, tables: readonly number[], size: number, rules: readonly R[], write: (at: number, rule: R) => void): number {
  const fib = arena.take(FIB_SIZE), first = arena.take(Math.max(1, rules.length) * size);
  for (const [k, rule] of rules.entries()) write(first + k * size, rule);
  arena.put32(fib + FIB_MAIN, tables[0] ?? 0);
  arena.put32(fib + FIB_RULES, first);
  arena.put32(fib + FIB_RULE_COUNT, rules.length);
  return fib;
}
