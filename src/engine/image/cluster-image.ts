import {
  EPF_HOST, NF_ACCOUNTING, NF_EGRESS_GATEWAY, NF_FRAGMENTS, NF_GENEVE, NF_HOST_ROUTING, NF_MASQUERADE, NF_REMOTE_NODE_MASQ, NF_REPAIR, NF_SCTP,
  NF_SIP_CHECK, NF_TUNNEL_MODE,
} from "../../kernel/layout.ts";
import { A_ADDRESS, A_IFINDEX, A_KIND, A_MAC, A_NODE, A_SIZE } from "../../kernel/pipeline/layout-batch.ts";
import { type DatapathConfig, type DatapathTables, GATEWAY_EXCLUDED, GATEWAY_NONE, type NodeTable, type RouteEntry } from "../../control/tables.ts";
import { type Arena, wireWord } from "./arena.ts";
import { configFlags6 } from "./cluster-image6.ts";
import { writeIpcache } from "./ipcache-image.ts";
import { putMac, type RouteImage, writeNode } from "./node-image.ts";
import { writePolicyTable } from "./policy-image.ts";
import { writeStaticHash } from "./static-hash.ts";

/** An address with which a node masquerades, in the order of the counters: those of its devices, then its own. */
export interface MasqueradeKey {
  readonly node: number;
  readonly address: number;
}

/** One way in which a policy's traffic leaves: counters are kept for each. */
export interface PolicyUseKey {
  readonly policy: number;
  readonly gatewayNode: number;
  readonly egressIp: number;
}

export interface ClusterImage {
  /** Address of the array of node structures, by node index. */
  readonly nodes: number;
  /** Address of the static hash of the cluster's addresses. */
  readonly addresses: number;
  readonly uses: readonly PolicyUseKey[];
  readonly masquerades: readonly MasqueradeKey[];
}

/** Interface numbers of the tunnel device and the MACs that no manifest tells; any will do, these say what they are. */
const TUNNEL_IFINDEX = 4;
const TUNNEL_MAC = [0x02, 0, 0, 0, 0xdd, 0x01];
const HOST_MAC = [0x02, 0, 0, 0, 0xdd, 0x02];

/** Bytes that are surely enough for the read-only tables of a cluster. */
export function clusterImageBytes(tables: DatapathTables): number {
  const endpoints = tables.nodes.reduce((sum, node) => sum + node.endpoints.length, 0);
  const routes = tables.nodes.reduce((sum, node) => sum + node.routes.length + node.rules.length, 0);
  return 4 * 1024 * 1024 + tables.nodes.length * 2048 + endpoints * 4 * 48 + endpoints * 4 * 32 + tables.ipcache.length * 64 + tables.policyEntries.length * 128 + routes * 96;
}

/** Writes everything that the control plane computed. `repair`: the intent semantics. `nodesHere`: the nodes between which
 * packets travel in the simulation; what is sent to others leaves it. `uses`: counters that keep their numbers. */
export function writeCluster(
  arena: Arena, tables: DatapathTables, repair: boolean, nodesHere?: ReadonlySet<number>, uses: PolicyUseKey[] = [],
): ClusterImage {
  const useKey = (use: PolicyUseKey): string => `${use.policy} ${use.gatewayNode} ${use.egressIp}`;
  const useOf = new Map(uses.map((use, index) => [useKey(use), index]));
  const policyTable = writePolicyTable(arena, tables.policyEntries.map((entry) => {
    const real = entry.gatewayIp !== GATEWAY_NONE && entry.gatewayIp !== GATEWAY_EXCLUDED;
    const key = useKey(entry);
    let use = useOf.get(key);
    if (real && use === undefined) {
      use = uses.length;
      uses.push({ policy: entry.policy, gatewayNode: entry.gatewayNode, egressIp: entry.egressIp });
      useOf.set(key, use);
    }
    return { ...entry, use: use ?? 0 };
  }));
  const ipcacheTable = writeIpcache(arena, tables.ipcache.map((entry) => ({
    ...entry,
    tunnelEndpoint: entry.ownerNode < 0 || entry.isNode || entry.ownerOnly ? 0 : (tables.nodes[entry.ownerNode]?.address ?? 0),
  })));
  const flags = configFlags(tables.config, repair);
  const nodes = arena.take(tables.nodes.length * 4), masquerades = masqueradeKeys(tables);
  let firstUse = 0;
  for (const [index, node] of tables.nodes.entries()) {
    arena.put32(nodes + 4 * index, writeNodeOf(arena, node, index, tables.config, flags, policyTable, ipcacheTable, firstUse));
    firstUse += node.devices.length + 1;
  }
  return { nodes, addresses: writeAddresses(arena, tables, nodesHere), uses, masquerades };
}

export function masqueradeKeys(tables: DatapathTables): MasqueradeKey[] {
  return tables.nodes.flatMap(({ address, devices }, node) => [...devices.map(({ masqueradeIp }) => masqueradeIp), address].map((key) => ({ node, address: key })));
}

function configFlags(config: DatapathConfig, repair: boolean): number {
  return (config.hostRouting === "bpf" ? NF_HOST_ROUTING : 0) | (config.routingMode === "tunnel" ? NF_TUNNEL_MODE : 0) |
    (config.fragmentTracking ? NF_FRAGMENTS : 0) | (config.sctp ? NF_SCTP : 0) | (config.conntrackAccounting ? NF_ACCOUNTING : 0) |
    (config.egressGateway ? NF_EGRESS_GATEWAY : 0) | (config.ipv4Masquerade ? NF_MASQUERADE : 0) | (config.sourceIpVerification ? NF_SIP_CHECK : 0) |
    (config.remoteNodeMasquerade ? NF_REMOTE_NODE_MASQ : 0) | (config.tunnelProtocol === "geneve" ? NF_GENEVE : 0) | (repair ? NF_REPAIR : 0) | configFlags6(config);
}

function writeNodeOf(
  arena: Arena, node: NodeTable, index: number, config: DatapathConfig, flags: number, policyTable: number, ipcacheTable: number, firstUse: number,
): number {
  const ifindexOf = new Map(node.devices.map((device) => [device.name, device.ifindex]));
  const numbers = [0, ...new Set(node.rules.map((rule) => rule.table).filter((table) => table !== 0))];
  const routesOf = (table: number): RouteImage[] =>
    node.routes.filter((route) => route.table === table).map((route: RouteEntry) => ({ to: route.to, via: route.via, ifindex: ifindexOf.get(route.device) ?? 0 }));
  return writeNode(arena, {
    index, address: node.address, flags, policyTable, ipcacheTable,
    endpoints: node.endpoints.map((endpoint) => ({
      address: endpoint.address, flags: endpoint.host ? EPF_HOST : 0, ifindex: endpoint.ifindex, id: endpoint.endpointId, identity: endpoint.identity,
      mac: endpoint.mac, nodeMac: endpoint.nodeMac,
    })),
    devices: node.devices.map(({ ifindex, mac, mtu, masqueradeIp }, k) => ({ ifindex, mac, mtu, masqueradeIp, use: firstUse + k })),
    routes: numbers.map(routesOf),
    rules: node.rules.map((rule) => ({ from: rule.from, table: Math.max(0, numbers.indexOf(rule.table)) })),
    exclusion: node.snatExclusion,
    nonMasquerade: config.ipMasqAgent ? config.nonMasqueradeCidrs : null,
    snatMin: config.snatMinPort, snatMax: config.snatMaxPort,
    lifetimes: { tcp: config.ctLifetimeTcp, syn: config.ctLifetimeTcpSyn, fin: config.ctLifetimeTcpFin, any: config.ctLifetimeNonTcp },
    worldIdentity: config.worldIdentity, tunnelIfindex: TUNNEL_IFINDEX, tunnelPort: config.tunnelPort, tunnelMac: TUNNEL_MAC, hostMac: HOST_MAC,
    vlanAllowed: 0,
  });
}

/** What an address of the cluster is to the wires between nodes; of an address on two nodes the first has it. */
export const ADDRESS_POD = 1;
export const ADDRESS_NODE = 2;
export const ADDRESS_FURTHER = 3;

export interface ClusterAddress {
  readonly address: number;
  readonly node: number;
  readonly kind: number;
  readonly ifindex: number;
  readonly mac: readonly number[];
}

export function clusterAddresses(tables: DatapathTables): ClusterAddress[] {
  const found = new Map<number, ClusterAddress>();
  const put = (entry: ClusterAddress): void => {
    if (entry.address !== 0 && !found.has(entry.address)) found.set(entry.address, entry);
  };
  for (const [node, table] of tables.nodes.entries()) {
    const first = table.devices[0];
    put({ address: table.address, node, kind: ADDRESS_NODE, ifindex: first?.ifindex ?? 0, mac: first?.mac ?? [] });
    for (const device of table.devices)
      for (const { address } of device.addresses) put({ address, node, kind: ADDRESS_FURTHER, ifindex: device.ifindex, mac: device.mac });
  }
  for (const [node, table] of tables.nodes.entries()) {
    const first = table.devices[0];
    for (const endpoint of table.endpoints)
      put({ address: endpoint.address, node, kind: endpoint.host ? ADDRESS_FURTHER : ADDRESS_POD, ifindex: first?.ifindex ?? 0, mac: first?.mac ?? [] });
  }
  return [...found.values()];
}

function writeAddresses(arena: Arena, tables: DatapathTables, nodesHere?: ReadonlySet<number>): number {
  const entries = clusterAddresses(tables).filter(({ node }) => nodesHere?.has(node) ?? true);
  return writeStaticHash(arena, A_SIZE, A_NODE, entries.map((entry) => ({
    key: wireWord(entry.address),
    write: (at) => {
      arena.put32(at + A_ADDRESS, wireWord(entry.address));
      arena.put32(at + A_NODE, entry.node + 1);
      arena.put32(at + A_KIND, entry.kind);
      arena.put32(at + A_IFINDEX, entry.ifindex);
      putMac(arena, at + A_MAC, entry.mac);
    },
  })));
}
