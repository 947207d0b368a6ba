// The IPv6 side of what writeCluster lays down: tables that all nodes share, and each node's own.
import { EPF_HOST, NF_DUAL_STACK, NF_FRAGMENTS6, NF_IPV6, NF_MASQUERADE6 } from "../../kernel/layout.ts";
import { A6_SIZE } from "../../kernel/pipeline/layout-batch.ts";
import type { DatapathConfig, DatapathTables, NodeTable, PolicyEntry6 } from "../../control/tables.ts";
import type { Arena } from "./arena.ts";
import { writeIpcache6 } from "./ipcache-image6.ts";
import { type RouteImage6, writeNode6 } from "./node-image6.ts";
import { writePolicyTable6 } from "./policy-image6.ts";

/** Addresses of the tables that all nodes read. */
export interface SharedTables6 {
  readonly policyTable: number;
  readonly ipcacheTable: number;
}

/** NF_… bits that IPv6 adds to a node's flags; 0 where the installation has none. */
export function configFlags6(config: DatapathConfig): number {
  if (!config.ipv6) return 0;
  return NF_IPV6 | (config.ipv4 ? NF_DUAL_STACK : 0) | (config.fragmentTracking6 ? NF_FRAGMENTS6 : 0) | (config.ipv6Masquerade ? NF_MASQUERADE6 : 0);
}

/** Bytes that are surely enough for the IPv6 side of the read-only tables. */
export function clusterImageBytes6(tables: DatapathTables): number {
  const count = (of: (node: NodeTable) => number): number => tables.nodes.reduce((sum, node) => sum + of(node), 0);
  const endpoints = count((node) => node.endpoints6.length), routes = count((node) => node.routes6.length + node.rules6.length);
  return tables.nodes.length * 512 + endpoints * 4 * (64 + A6_SIZE) + tables.ipcache6.length * 96 + tables.policyEntries6.length * 192 + routes * 128;
}

/** `useOf` names the counters of an entry that has a gateway. */
export function writeShared6(arena: Arena, tables: DatapathTables, useOf: (entry: PolicyEntry6) => number): SharedTables6 {
  return {
    policyTable: writePolicyTable6(arena, tables.policyEntries6.map((entry) => ({ ...entry, use: useOf(entry) }))),
    ipcacheTable: writeIpcache6(arena, tables.ipcache6.map((entry) => ({
      ...entry,
      tunnelEndpoint: entry.ownerNode < 0 || entry.isNode || entry.ownerOnly ? 0 : (tables.nodes[entry.ownerNode]?.address ?? 0),
    }))),
  };
}

/** Writes the IPv6 side of the node whose structure is at `at`. `policyMapOf`: address of an identity's network-policy map, 0 for none. */
export function writeNodeTables6(
  arena: Arena, at: number, node: NodeTable, config: DatapathConfig, shared: SharedTables6, policyMapOf: (identity: number) => number,
): void {
  const ifindexOf = new Map(node.devices.map((device) => [device.name, device.ifindex]));
  const numbers = [0, ...new Set(node.rules6.map((rule) => rule.table).filter((table) => table !== 0))];
  const routesOf = (table: number): RouteImage6[] =>
    node.routes6.filter((route) => route.table === table).map((route) => ({ to: route.to, via: route.via, ifindex: ifindexOf.get(route.device) ?? 0 }));
  // A pod's two entries agree in its endpoint id.
  const ipv4Of = new Map(node.endpoints.filter(({ host }) => !host).map(({ endpointId, address }) => [endpointId, address]));
  writeNode6(arena, at, {
    ...shared,
    address: node.address6, router: node.routerAddress6, loopback: node.serviceLoopback6,
    endpoints: node.endpoints6.map((endpoint) => ({
      address: endpoint.host ? 0 : (ipv4Of.get(endpoint.endpointId) ?? 0), address6: endpoint.address, flags: endpoint.host ? EPF_HOST : 0,
      ifindex: endpoint.ifindex, id: endpoint.endpointId, identity: endpoint.identity, mac: endpoint.mac, nodeMac: endpoint.nodeMac,
      policyMap: endpoint.host ? 0 : policyMapOf(endpoint.identity),
    })),
    masqueradeIps: node.devices.map(({ masqueradeIp6 }) => masqueradeIp6),
    routes: numbers.map(routesOf),
    rules: node.rules6.map((rule) => ({ from: rule.from, table: Math.max(0, numbers.indexOf(rule.table)) })),
    exclusion: node.snatExclusion6,
    nonMasquerade: config.ipMasqAgent ? config.nonMasqueradeCidrs6 : null,
  });
}
