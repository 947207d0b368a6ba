// What each node's maps hold about itself: devices, its own addresses and the pods on it.
import { formatIpv4, maskIpv4 } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import { placeOf } from "../cluster/origin.ts";
import type { AssumptionLog } from "./assumptions.ts";
import type { ClusterEndpoint } from "./cluster-endpoints.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import { MAC_OF_POD, MAC_OF_POD_PEER, macOfAddress } from "./derived-addresses.ts";
import { IDENTITY_HOST } from "./identities.ts";
import { type GatewayHints, nodeDevices, type NodeDevices } from "./node-devices.ts";
import type { DatapathConfig, LocalEndpoint, NodeTable, Prefix } from "./tables.ts";

/** Pods' devices are numbered from here, well above a node's own. */
const FIRST_POD_IFINDEX = 1000;
const NO_MAC: readonly number[] = [0, 0, 0, 0, 0, 0];
const DERIVED_POD_CIDR_BITS = 24;

export interface BuiltNode {
  readonly table: NodeTable;
  readonly routerAddress: number;
}

export function buildNode(
  node: ClusterNode,
  endpoints: readonly ClusterEndpoint[],
  hints: GatewayHints | undefined,
  config: DatapathConfig,
  assumptions: AssumptionLog,
): BuiltNode {
  const network = nodeDevices(node, hints, assumptions);
  const podCidrs = podCidrsOf(node, endpoints, assumptions);
  const routerAddress = routerOf(node, podCidrs[0], endpoints, assumptions);
  const table: NodeTable = {
    name: node.name,
    address: node.address,
    podCidrs,
    ...network,
    endpoints: [...hostEndpoints(node, network, routerAddress), ...podEndpoints(endpoints, network)],
    snatExclusion: snatExclusion(config, podCidrs),
  };
  return { table, routerAddress };
}

/** Fact sheet, section 3, step 4: with ip-masq-agent only an explicit native-routing CIDR counts. */
function snatExclusion(config: DatapathConfig, podCidrs: readonly Prefix[]): Prefix | null {
  if (config.nativeRoutingCidr !== null) return config.nativeRoutingCidr;
  return config.ipMasqAgent ? null : (podCidrs[0] ?? null);
}

function podCidrsOf(node: ClusterNode, endpoints: readonly ClusterEndpoint[], assumptions: AssumptionLog): readonly Prefix[] {
  if (node.podCidrs.length > 0) return node.podCidrs.map(({ address, bits }) => ({ address, bits }));
  const networks = new Set<number>();
  for (const { addresses } of endpoints) {
    for (const address of addresses) networks.add(maskIpv4({ address, bits: DERIVED_POD_CIDR_BITS }).address);
  }
  if (networks.size > 0) assumptions.note("pod-cidr-derived");
  return [...networks].sort((a, b) => a - b).map((address) => ({ address, bits: DERIVED_POD_CIDR_BITS }));
}

function routerOf(node: ClusterNode, podCidr: Prefix | undefined, endpoints: readonly ClusterEndpoint[], assumptions: AssumptionLog): number {
  if (node.routerAddress !== 0 || podCidr === undefined || podCidr.bits >= 31) return node.routerAddress;
  const derived = podCidr.address + 1;
  if (endpoints.some((endpoint) => endpoint.addresses.includes(derived))) return 0;
  assumptions.note("router-address-derived");
  return derived;
}

function hostEndpoints(node: ClusterNode, { devices }: NodeDevices, routerAddress: number): readonly LocalEndpoint[] {
  const addresses = new Set([node.address]);
  for (const device of devices) for (const { address } of device.addresses) addresses.add(address);
  if (routerAddress !== 0) addresses.add(routerAddress);
  return [...addresses].map((address) => ({
    address,
    identity: IDENTITY_HOST,
    endpointId: 0,
    ifindex: 0,
    host: true,
    mac: NO_MAC,
    nodeMac: NO_MAC,
    label: node.name,
  }));
}

function podEndpoints(endpoints: readonly ClusterEndpoint[], { devices }: NodeDevices): readonly LocalEndpoint[] {
  const takenIds = new Set(endpoints.map((endpoint) => endpoint.endpointId));
  const takenIfindexes = new Set(devices.map((device) => device.ifindex));
  const tables: LocalEndpoint[] = [];
  let nextId = 1;
  let nextIfindex = FIRST_POD_IFINDEX;
  for (const { addresses, endpointId, identity, title } of endpoints) {
    while (takenIds.has(nextId)) nextId++;
    while (takenIfindexes.has(nextIfindex)) nextIfindex++;
    const [first] = addresses;
    if (first === undefined) continue;
    const id = endpointId === 0 ? nextId++ : endpointId;
    const ifindex = nextIfindex++;
    for (const address of addresses) {
      tables.push({
        address,
        identity,
        endpointId: id,
        ifindex,
        host: false,
        mac: macOfAddress(MAC_OF_POD, first),
        nodeMac: macOfAddress(MAC_OF_POD_PEER, first),
        label: title,
      });
    }
  }
  return tables;
}

/** One address on two nodes, or on a node and a pod: the wire cannot tell them apart. */
export function addressClashes(nodes: readonly ClusterNode[], built: readonly BuiltNode[]): readonly Finding[] {
  const owners = new Map<number, { readonly label: string; readonly node: number }>();
  const findings: Finding[] = [];
  for (const [index, { table }] of built.entries()) {
    for (const { address, host, label } of table.endpoints) {
      const owner = owners.get(address);
      const node = nodes[index];
      if (owner === undefined) owners.set(address, { label, node: index });
      else if (node !== undefined && (owner.node !== index || !host)) findings.push(clash(node, address, owner.label, label));
    }
  }
  return findings;
}

function clash(node: ClusterNode, address: number, first: string, second: string): Finding {
  return {
    rule: "duplicate-address",
    severity: "warning",
    object: `Node ${node.name}`,
    at: placeOf((node.network ?? node).origin),
    message: `${formatIpv4(address)} is on both ${first} and ${second}`,
    effect: "on one network the two answer ARP for it in turn, and replies reach either",
    fix: "give the address to one of them",
  };
}
