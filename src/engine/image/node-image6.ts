// The IPv6 side of a node's configuration, written into the structure that writeNode made.
import { D_MASQUERADE6, D_SIZE, EP_FLAGS, N_DEVICES, N_FLAGS, NF_EXCLUSION6, NF_IPMASQ6 } from "../../kernel/layout.ts";
import {
  EP6_SIZE, EP_ADDRESS6, FR6_ADDR, FR6_MASK, FR6_SIZE, FR6_TABLE, N_ADDRESS6, N_ENDPOINTS6, N_EXCLUSION6_ADDR, N_EXCLUSION6_MASK, N_FIB6, N_IPCACHE6,
  N_IPMASQ6, N_LOOPBACK6, N_POLICY6, N_ROUTER6, RT6_IFINDEX, RT6_SIZE, RT6_VIA,
} from "../../kernel/layout6.ts";
import type { Prefix6 } from "../../control/tables.ts";
import { mask6, putAddress6 } from "./address6.ts";
import type { Arena } from "./arena.ts";
import { type EndpointImage, writeEndpoint, writeRuleTable } from "./node-image.ts";
import { writePrefixTable6 } from "./prefix-table6.ts";
import { writeStaticHash6 } from "./static-hash6.ts";

/** `address` is the pod's IPv4 address, 0 for none. */
export interface EndpointImage6 extends EndpointImage {
  readonly address6: bigint;
}

export interface RouteImage6 {
  readonly to: Prefix6;
  /** 0n: on the link. */
  readonly via: bigint;
  readonly ifindex: number;
}

export interface NodeImage6 {
  /** Direct-routing address, the address of cilium_host, the service loopback; 0n for none. */
  readonly address: bigint;
  readonly router: bigint;
  readonly loopback: bigint;
  /** Addresses of tables in the same memory, 0 for empty. */
  readonly policyTable: number;
  readonly ipcacheTable: number;
  readonly endpoints: readonly EndpointImage6[];
  /** By device, in the order of the node's devices; 0n for none. */
  readonly masqueradeIps: readonly bigint[];
  /** Route tables: [0] is the main one. */
  readonly routes: readonly (readonly RouteImage6[])[];
  /** Source rules in order; table is an index into routes. */
  readonly rules: readonly { readonly from: Prefix6; readonly table: number }[];
  readonly exclusion: Prefix6 | null;
  /** null: no ip-masq-agent. */
  readonly nonMasquerade: readonly Prefix6[] | null;
}

/** Writes the IPv6 side of the node at `at`; its flags must hold NF_IPV6 for the kernel to look at it. */
export function writeNode6(arena: Arena, at: number, node: NodeImage6): void {
  let flags = arena.get32(at + N_FLAGS);
  if (node.exclusion !== null) {
    flags |= NF_EXCLUSION6;
    const mask = mask6(node.exclusion.bits);
    putAddress6(arena, at + N_EXCLUSION6_MASK, mask);
    putAddress6(arena, at + N_EXCLUSION6_ADDR, node.exclusion.address & mask);
  }
  if (node.nonMasquerade !== null) {
    flags |= NF_IPMASQ6;
    arena.put32(at + N_IPMASQ6, writePrefixTable6(arena, node.nonMasquerade.map((prefix) => ({ prefix, value: 1 }))));
  }
  arena.put32(at + N_FLAGS, flags);
  putAddress6(arena, at + N_ADDRESS6, node.address);
  putAddress6(arena, at + N_ROUTER6, node.router);
  putAddress6(arena, at + N_LOOPBACK6, node.loopback);
  arena.put32(at + N_POLICY6, node.policyTable);
  arena.put32(at + N_IPCACHE6, node.ipcacheTable);
  arena.put32(at + N_ENDPOINTS6, writeStaticHash6(arena, EP6_SIZE, EP_FLAGS, node.endpoints.map((endpoint) => ({
    key: endpoint.address6, write: (slot) => writeEndpoint6(arena, slot, endpoint),
  }))));
  arena.put32(at + N_FIB6, writeFib6(arena, node));
  const devices = arena.get32(at + N_DEVICES);
  for (const [k, address] of node.masqueradeIps.entries()) putAddress6(arena, devices + k * D_SIZE + D_MASQUERADE6, address);
}

/** Writes an endpoint record with both addresses at `at` (EP6_SIZE bytes). */
export function writeEndpoint6(arena: Arena, at: number, endpoint: EndpointImage6): void {
  writeEndpoint(arena, at, endpoint);
  putAddress6(arena, at + EP_ADDRESS6, endpoint.address6);
}

function writeRoutes6(arena: Arena, routes: readonly RouteImage6[]): number {
  return writePrefixTable6(arena, routes.map((route) => {
    const record = arena.take(RT6_SIZE);
    arena.put32(record + RT6_IFINDEX, route.ifindex);
    putAddress6(arena, record + RT6_VIA, route.via);
    return { prefix: route.to, value: record };
  }));
}

function writeFib6(arena: Arena, node: NodeImage6): number {
  const tables = node.routes.map((routes) => writeRoutes6(arena, routes));
  return writeRuleTable(arena, tables, FR6_SIZE, node.rules, (record, rule) => {
    const mask = mask6(rule.from.bits);
    putAddress6(arena, record + FR6_ADDR, rule.from.address & mask);
    putAddress6(arena, record + FR6_MASK, mask);
    arena.put32(record + FR6_TABLE, tables[rule.table] ?? 0);
  });
}
