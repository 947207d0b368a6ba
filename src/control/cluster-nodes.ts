// The cluster's nodes as the agents know them: CiliumNode first, Node or NodeNetwork where there is none.
import { type Ipv4Prefix, type IpPrefix, maskIpv4 } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import type { Cluster, NodeAddress, NodeNetwork, NodeObject } from "../cluster/model.ts";
import { type Origin, placeOf } from "../cluster/origin.ts";
import type { Labels } from "../cluster/selector.ts";
import type { AssumptionLog } from "./assumptions.ts";

export interface ClusterNode {
  /** Position in the tables, by name in byte order. */
  readonly index: number;
  readonly name: string;
  readonly labels: Labels;
  /** What the agents call the node's IP; tunnels end here. */
  readonly address: number;
  /** Further addresses that every agent knows as this node's (ExternalIP and others). */
  readonly furtherAddresses: readonly number[];
  /** CiliumInternalIP, 0 where not reported. */
  readonly routerAddress: number;
  /** As given; empty where nothing says. */
  readonly podCidrs: readonly Ipv4Prefix[];
  readonly network: NodeNetwork | null;
  readonly origin: Origin;
}

const NO_LABELS: Labels = new Map();

export function clusterNodes(cluster: Cluster, assumptions: AssumptionLog, findings: Finding[]): readonly ClusterNode[] {
  const ciliumNodes = new Map(cluster.ciliumNodes.map((node) => [node.name, node]));
  const kubernetesNodes = new Map(cluster.nodes.map((node) => [node.name, node]));
  const networks = new Map(cluster.networks.map((network) => [network.name, network]));
  const names = [...new Set([...ciliumNodes.keys(), ...kubernetesNodes.keys(), ...networks.keys()])].sort();
  const nodes: ClusterNode[] = [];
  for (const name of names) {
    const network = networks.get(name) ?? null;
    const object = ciliumNodes.get(name) ?? kubernetesNodes.get(name) ?? null;
    const origin = (object ?? network)?.origin;
    if (origin === undefined) continue;
    const addresses = ipv4Addresses(object?.addresses ?? []);
    const address = nodeAddress(addresses) ?? firstOf(network);
    if (address === null) {
      findings.push(withoutIpv4(name, origin));
      continue;
    }
    if (nodeAddress(addresses) === null) assumptions.note("node-address-from-network");
    if (object === null) assumptions.note("node-from-network");
    else if (!ciliumNodes.has(name)) assumptions.note("node-from-kubernetes");
    nodes.push({
      index: nodes.length,
      name,
      labels: object?.labels ?? NO_LABELS,
      address,
      furtherAddresses: [...new Set(addresses.filter(isOwnAddress).map((each) => each.value))].filter((value) => value !== address),
      routerAddress: addresses.find((each) => each.type === ROUTER)?.value ?? 0,
      podCidrs: ipv4Prefixes(podCidrsOf(network, object, kubernetesNodes.get(name))).map(maskIpv4),
      network,
      origin,
    });
  }
  return nodes;
}

interface TypedAddress {
  readonly type: string;
  readonly value: number;
}

const ROUTER = "CiliumInternalIP";

/** pkg/node/types: InternalIP, else ExternalIP, else any other type; the router's own address never. */
function nodeAddress(addresses: readonly TypedAddress[]): number | null {
  const own = addresses.filter(isOwnAddress);
  const chosen = own.find((each) => each.type === "InternalIP") ?? own.find((each) => each.type === "ExternalIP") ?? own[0];
  return chosen?.value ?? null;
}

function isOwnAddress(address: TypedAddress): boolean {
  return address.type !== ROUTER;
}

function ipv4Addresses(addresses: readonly NodeAddress[]): readonly TypedAddress[] {
  const found: TypedAddress[] = [];
  for (const { type, address } of addresses) if (address.family === 4) found.push({ type, value: address.value });
  return found;
}

export function ipv4Prefixes(prefixes: readonly IpPrefix[]): readonly Ipv4Prefix[] {
  return prefixes.filter((prefix): prefix is Ipv4Prefix => prefix.family === 4);
}

function firstOf(network: NodeNetwork | null): number | null {
  for (const device of network?.devices ?? []) {
    const [first] = ipv4Prefixes(device.addresses);
    if (first !== undefined) return first.address;
  }
  return null;
}

function podCidrsOf(network: NodeNetwork | null, object: NodeObject | null, fallback: NodeObject | undefined): readonly IpPrefix[] {
  for (const source of [network, object, fallback]) if (source && source.podCidrs.length > 0) return source.podCidrs;
  return [];
}

function withoutIpv4(name: string, origin: Origin): Finding {
  return {
    rule: "node-without-ipv4",
    severity: "warning",
    object: `Node ${name}`,
    at: placeOf(origin),
    message: `${name} has no IPv4 address`,
    effect: "it cannot be a gateway; this build routes IPv4 only and leaves the node and its pods out",
    fix: "give the node an InternalIP, or a NodeNetwork with an IPv4 address",
  };
}

/** Nodes by every address that a CiliumEndpoint may name them with. */
export function nodesByAddress(nodes: readonly ClusterNode[]): ReadonlyMap<number, ClusterNode> {
  const found = new Map<number, ClusterNode>();
  for (const node of nodes) for (const address of node.furtherAddresses) found.set(address, node);
  for (const node of nodes) found.set(node.address, node);
  return found;
}
