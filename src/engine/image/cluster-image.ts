import {
  EPF_HOST, NF_ACCOUNTING, NF_EGRESS_GATEWAY, NF_FRAGMENTS, NF_GENEVE, NF_HOST_ROUTING, NF_MASQUERADE, NF_REMOTE_NODE_MASQ, NF_REPAIR, NF_SCTP,
  NF_SIP_CHECK, NF_TUNNEL_MODE,
} from "../../kernel/layout.ts";
import {
  type DatapathConfig, type DatapathTables, GATEWAY_EXCLUDED, GATEWAY_NONE, type NodeTable, type PolicyEntryOf, type RouteEntry,
} from "../../control/tables.ts";
import type { Arena } from "./arena.ts";
import { writeAddresses, writeAddresses6 } from "./cluster-addresses.ts";
import { clusterImageBytes6, configFlags6, type SharedTables6, writeNodeTables6, writeShared6 } from "./cluster-image6.ts";
import { clusterServicesBytes, writeClusterServices } from "./cluster-services.ts";
import { type ClusterPolicyImage, clusterPolicyBytes, writeClusterPolicy } from "./endpoint-policy-image.ts";
import { writeIpcache } from "./ipcache-image.ts";
import { type RouteImage, writeNode } from "./node-image.ts";
import { writePolicyTable } from "./policy-image.ts";
import { rememberingLast } from "./policy-sources.ts";

/** An address with which a node masquerades, in the order of the counters: those of its devices, then its own. */
export interface MasqueradeKey {
  readonly node: number;
  readonly address: number | bigint;
}

/** One way in which a policy's traffic leaves: counters are kept for each. */
export interface PolicyUseKey {
  readonly policy: number;
  readonly gatewayNode: number;
  readonly egressIp: number | bigint;
}

export interface ClusterImage {
  /** Address of the array of node structures, by node index. */
  readonly nodes: number;
  /** Addresses of the static hashes of the cluster's addresses, by family. */
  readonly addresses: number;
  readonly addresses6: number;
  readonly uses: readonly PolicyUseKey[];
  readonly masquerades: readonly MasqueradeKey[];
  /** Empty where the installation has no IPv6. */
  readonly masquerades6: readonly MasqueradeKey[];
}

/** Interface numbers of the tunnel device and the MACs that no manifest tells; any will do, these say what they are. */
const TUNNEL_IFINDEX = 4;
const TUNNEL_MAC = [0x02, 0, 0, 0, 0xdd, 0x01];
const HOST_MAC = [0x02, 0, 0, 0, 0xdd, 0x02];

/** Bytes that are surely enough for the read-only tables of a cluster. */
export function clusterImageBytes(tables: DatapathTables): number {
  const endpoints = tables.nodes.reduce((sum, node) => sum + node.endpoints.length, 0);
  const routes = tables.nodes.reduce((sum, node) => sum + node.routes.length + node.rules.length, 0);
  return 4 * 1024 * 1024 + tables.nodes.length * 2048 + endpoints * 4 * 48 + endpoints * 4 * 32 + tables.ipcache.length * 64 + tables.policyEntries.length * 128 + routes * 96 +
    clusterImageBytes6(tables) + clusterPolicyBytes(tables.networkPolicy) + clusterServicesBytes(tables);
}

/** Writes everything that the control plane computed. `repair`: the intent semantics; `seed`: of the backend draws. `nodesHere`: the
 * nodes between which packets travel in the simulation; what is sent to others leaves it. `known`: counters that keep their numbers. */
export function writeCluster(
  arena: Arena, tables: DatapathTables, repair: boolean, seed: number, nodesHere?: ReadonlySet<number>, known: readonly PolicyUseKey[] = [],
): ClusterImage {
  const uses = new PolicyUses(known);
  const policyTable = writePolicyTable(arena, tables.policyEntries.map((entry) => ({ ...entry, use: uses.of(entry) })));
  const ipcacheTable = writeIpcache(arena, tables.ipcache.map((entry) => ({
    ...entry,
    tunnelEndpoint: entry.ownerNode < 0 || entry.isNode || entry.ownerOnly ? 0 : (tables.nodes[entry.ownerNode]?.address ?? 0),
  })));
  const shared6 = tables.config.ipv6 ? writeShared6(arena, tables, (entry) => uses.of(entry)) : null;
  const flags = configFlags(tables.config, repair), networkPolicy = writeClusterPolicy(arena, tables);
  const nodes = arena.take(tables.nodes.length * 4), masquerades = masqueradeKeys(tables);
  let firstUse = 0;
  for (const [index, node] of tables.nodes.entries()) {
    arena.put32(nodes + 4 * index, writeNodeOf(arena, node, index, tables.config, flags, policyTable, ipcacheTable, shared6, firstUse, networkPolicy));
    firstUse += node.devices.length + 1;
  }
  writeClusterServices(arena, tables, nodes, seed);
  return {
    nodes, addresses: writeAddresses(arena, tables, nodesHere), addresses6: writeAddresses6(arena, tables, nodesHere), uses: uses.keys, masquerades,
    masquerades6: masqueradeKeys6(tables),
  };
}

/** Numbers the ways in which policies' traffic leaves, in the order they are met. */
class PolicyUses {
  readonly keys: PolicyUseKey[] = [];
  readonly #numbers = new Map<string, number>();

  constructor(known: readonly PolicyUseKey[]) {
    for (const use of known) this.#number(use);
  }

  /** Number of an entry's counters; 0 where it has no gateway and none are kept. */
  readonly of = rememberingLast(isSameUse, ({ policy, gatewayIp, gatewayNode, egressIp }: PolicyEntryOf<number | bigint>): number =>
    gatewayIp === GATEWAY_NONE || gatewayIp === GATEWAY_EXCLUDED ? 0 : this.#number({ policy, gatewayNode, egressIp }));

  #number(use: PolicyUseKey): number {
    const key = `${use.policy} ${use.gatewayNode} ${typeof use.egressIp} ${use.egressIp}`, known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.keys.length);
    this.keys.push(use);
    return this.keys.length - 1;
  }
}

function isSameUse(a: PolicyEntryOf<number | bigint>, b: PolicyEntryOf<number | bigint>): boolean {
  return a.policy === b.policy && a.gatewayIp === b.gatewayIp && a.gatewayNode === b.gatewayNode && a.egressIp === b.egressIp;
}

export function masqueradeKeys(tables: DatapathTables): MasqueradeKey[] {
  return tables.nodes.flatMap(({ address, devices }, node) => [...devices.map(({ masqueradeIp }) => masqueradeIp), address].map((key) => ({ node, address: key })));
}

/** As many, in the same order. */
export function masqueradeKeys6(tables: DatapathTables): MasqueradeKey[] {
  if (!tables.config.ipv6) return [];
  return tables.nodes.flatMap(({ address6, devices }, node) => [...devices.map(({ masqueradeIp6 }) => masqueradeIp6), address6].map((key) => ({ node, address: key })));
}

function configFlags(config: DatapathConfig, repair: boolean): number {
  return (config.hostRouting === "bpf" ? NF_HOST_ROUTING : 0) | (config.routingMode === "tunnel" ? NF_TUNNEL_MODE : 0) |
    (config.fragmentTracking ? NF_FRAGMENTS : 0) | (config.sctp ? NF_SCTP : 0) | (config.conntrackAccounting ? NF_ACCOUNTING : 0) |
    (config.egressGateway ? NF_EGRESS_GATEWAY : 0) | (config.ipv4Masquerade ? NF_MASQUERADE : 0) | (config.sourceIpVerification ? NF_SIP_CHECK : 0) |
    (config.remoteNodeMasquerade ? NF_REMOTE_NODE_MASQ : 0) | (config.tunnelProtocol === "geneve" ? NF_GENEVE : 0) | (repair ? NF_REPAIR : 0) | configFlags6(config);
}

function writeNodeOf(
  arena: Arena, node: NodeTable, index: number, config: DatapathConfig, flags: number, policyTable: number, ipcacheTable: number,
  shared6: SharedTables6 | null, firstUse: number, networkPolicy: ClusterPolicyImage,
): number {
  const ifindexOf = new Map(node.devices.map((device) => [device.name, device.ifindex]));
  const numbers = [0, ...new Set(node.rules.map((rule) => rule.table).filter((table) => table !== 0))];
  const routesOf = (table: number): RouteImage[] =>
    node.routes.filter((route) => route.table === table).map((route: RouteEntry) => ({ to: route.to, via: route.via, ifindex: ifindexOf.get(route.device) ?? 0 }));
  const at = writeNode(arena, {
    index, address: node.address, flags, policyTable, ipcacheTable,
    endpoints: node.endpoints.map((endpoint) => ({
      address: endpoint.address, flags: endpoint.host ? EPF_HOST : 0, ifindex: endpoint.ifindex, id: endpoint.endpointId, identity: endpoint.identity,
      mac: endpoint.mac, nodeMac: endpoint.nodeMac, policyMap: endpoint.host ? 0 : networkPolicy.mapOf(endpoint.identity),
    })),
    networkPolicy: networkPolicy.node,
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
  if (shared6 !== null) writeNodeTables6(arena, at, node, config, shared6, (identity) => networkPolicy.mapOf(identity));
  return at;
}
