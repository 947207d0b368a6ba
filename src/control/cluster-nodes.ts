// The cluster's nodes as the agents know them: CiliumNode first, Node or NodeNetwork where there is none.
import type { Finding } from "../cluster/finding.ts";
import type { Cluster, NodeAddress, NodeNetwork, NodeObject } from "../cluster/model.ts";
import { type Origin, placeOf } from "../cluster/origin.ts";
import type { IpPrefix } from "../cluster/cidr.ts";
import type { Labels } from "../cluster/selector.ts";
import { addressKey, type AddressFamily, FAMILY_4, FAMILY_6, prefixesIn } from "./address-family.ts";
import type { AssumptionLog } from "./assumptions.ts";
import type { Prefix, Prefix6 } from "./tables.ts";

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
  readonly podCidrs: readonly Prefix[];
  /** The same in IPv6; all 0n and empty where IPv6 is off. */
  readonly address6: bigint;
  readonly furtherAddresses6: readonly bigint[];
  readonly routerAddress6: bigint;
  readonly podCidrs6: readonly Prefix6[];
  readonly network: NodeNetwork | null;
  /** What the Node says, null where nothing does. No agent asks for it: it counts with semantics "intent" only. */
  readonly ready: boolean | null;
  readonly origin: Origin;
}

const NO_LABELS: Labels = new Map();

export function clusterNodes(cluster: Cluster, ipv6: boolean, assumptions: AssumptionLog, findings: Finding[]): readonly ClusterNode[] {
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
    const reported = reportedAddresses(FAMILY_4, object?.addresses ?? []);
    const address = reported.own ?? firstOf(FAMILY_4, network);
    if (address === null) {
      findings.push(withoutIpv4(name, origin));
      continue;
    }
    if (reported.own === null) assumptions.note("node-address-from-network");
    if (object === null) assumptions.note("node-from-network");
    else if (!ciliumNodes.has(name)) assumptions.note("node-from-kubernetes");
    const podCidrs = podCidrsOf(network, object, kubernetesNodes.get(name));
    nodes.push({
      index: nodes.length,
      name,
      labels: object?.labels ?? NO_LABELS,
      address,
      furtherAddresses: reported.all.filter((value) => value !== address),
      routerAddress: reported.router,
      podCidrs: prefixesIn(FAMILY_4, podCidrs).map(FAMILY_4.mask),
      ...(ipv6 ? sixthSide(object, network, podCidrs, ciliumNodes.has(name), assumptions) : NO_IPV6),
      network,
      ready: kubernetesNodes.get(name)?.ready ?? null,
      origin,
    });
  }
  return nodes;
}

type SixthSide = Pick<ClusterNode, "address6" | "furtherAddresses6" | "routerAddress6" | "podCidrs6">;

const NO_IPV6: SixthSide = { address6: 0n, furtherAddresses6: [], routerAddress6: 0n, podCidrs6: [] };

/** What a CiliumNode does not report in IPv6 no other agent knows; of a node without one the NodeNetwork may tell it. */
function sixthSide(
  object: NodeObject | null,
  network: NodeNetwork | null,
  podCidrs: readonly IpPrefix[],
  hasCiliumNode: boolean,
  assumptions: AssumptionLog,
): SixthSide {
  const reported = reportedAddresses(FAMILY_6, object?.addresses ?? []);
  const fromNetwork = reported.own === null && !hasCiliumNode ? firstOf(FAMILY_6, network) : null;
  if (fromNetwork !== null) assumptions.note("node-ipv6-from-network");
  const address6 = reported.own ?? fromNetwork ?? 0n;
  return {
    address6,
    furtherAddresses6: reported.all.filter((value) => value !== address6),
    routerAddress6: reported.router,
    podCidrs6: prefixesIn(FAMILY_6, podCidrs).map(FAMILY_6.mask),
  };
}

const ROUTER = "CiliumInternalIP";

interface ReportedAddresses<Address> {
  readonly own: Address | null;
  /** Without repetition and without the router's. */
  readonly all: readonly Address[];
  readonly router: Address;
}

/** pkg/node/types: InternalIP, else ExternalIP, else any other type; the router's own address never. */
function reportedAddresses<Address extends number | bigint>(
  family: AddressFamily<Address>,
  addresses: readonly NodeAddress[],
): ReportedAddresses<Address> {
  const own: { readonly type: string; readonly value: Address }[] = [];
  let router: Address | null = null;
  for (const { type, address } of addresses) {
    const value = family.addressOf(address);
    if (value === null || family.isLinkLocal(value)) continue;
    if (type === ROUTER) router ??= value;
    else own.push({ type, value });
  }
  const chosen = own.find((each) => each.type === "InternalIP") ?? own.find((each) => each.type === "ExternalIP") ?? own[0];
  return { own: chosen?.value ?? null, all: [...new Set(own.map((each) => each.value))], router: router ?? family.none };
}

function firstOf<Address extends number | bigint>(family: AddressFamily<Address>, network: NodeNetwork | null): Address | null {
  for (const device of network?.devices ?? []) {
    const first = prefixesIn(family, device.addresses).find((each) => !family.isLinkLocal(each.address));
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
    effect: "tunnels run over IPv4: it cannot be a gateway nor reach one; this run leaves the node and its pods out",
    fix: "give the node an InternalIP, or a NodeNetwork with an IPv4 address",
  };
}

/** Nodes by addressKey of every address, of either family, that a CiliumEndpoint may name them with. */
export function nodesByAddress(nodes: readonly ClusterNode[]): ReadonlyMap<number | bigint, ClusterNode> {
  const found = new Map<number | bigint, ClusterNode>();
  for (const node of nodes) for (const address of [...node.furtherAddresses, ...node.furtherAddresses6]) found.set(addressKey(address), node);
  for (const node of nodes) {
    found.set(node.address, node);
    if (node.address6 !== 0n) found.set(addressKey(node.address6), node);
  }
  return found;
}
