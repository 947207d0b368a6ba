// What each node's maps hold about itself: devices, its own addresses and the pods on it.
import { formatAddress } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import { placeOf } from "../cluster/origin.ts";
import { addressKey, type AddressFamily, FAMILY_4, FAMILY_6 } from "./address-family.ts";
import type { AssumptionLog } from "./assumptions.ts";
import type { ClusterEndpoint } from "./cluster-endpoints.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import { MAC_OF_POD, MAC_OF_POD_PEER, macOfAddress, macOfName } from "./derived-addresses.ts";
import type { Installation } from "./datapath-config.ts";
import { IDENTITY_HOST } from "./identities.ts";
import { type GatewayHints, nodeDevices } from "./node-devices.ts";
import type { DatapathConfig, DeviceTable, LocalEndpoint, LocalEndpoint6, LocalEndpointOf, NodeTable, PrefixOf } from "./tables.ts";

/** Pods' devices are numbered from here, well above a node's own. */
const FIRST_POD_IFINDEX = 1000;
const NO_MAC: readonly number[] = [0, 0, 0, 0, 0, 0];

export interface BuiltNode {
  readonly table: NodeTable;
  readonly routerAddress: number;
}

export function buildNode(
  node: ClusterNode,
  endpoints: readonly ClusterEndpoint[],
  hints: GatewayHints | undefined,
  installation: Installation,
  assumptions: AssumptionLog,
): BuiltNode {
  const { config, serviceLoopback4, serviceLoopback6 } = installation;
  const network = nodeDevices(node, hints, assumptions);
  const fourth = podNetwork(FAMILY_4, node.podCidrs, node.routerAddress, endpoints.map(({ addresses }) => addresses));
  const sixth = podNetwork(FAMILY_6, node.podCidrs6, node.routerAddress6, endpoints.map(({ addresses6 }) => addresses6));
  if (fourth.cidrsDerived || sixth.cidrsDerived) assumptions.note("pod-cidr-derived");
  if (fourth.routerDerived || sixth.routerDerived) assumptions.note("router-address-derived");
  const pods = podEndpoints(endpoints, network.devices);
  const ofDevices = network.devices.flatMap(({ addresses }) => addresses);
  const ofDevices6 = network.devices.flatMap(({ addresses6 }) => addresses6);
  const table: NodeTable = {
    name: node.name,
    address: node.address,
    podCidrs: fourth.cidrs,
    ...network,
    endpoints: [...hostEndpoints(FAMILY_4, node.name, node.address, ofDevices, fourth.router), ...pods.fourth],
    snatExclusion: snatExclusion(config, config.nativeRoutingCidr, fourth.cidrs),
    address6: node.address6,
    podCidrs6: sixth.cidrs,
    endpoints6: config.ipv6 ? [...hostEndpoints(FAMILY_6, node.name, node.address6, ofDevices6, sixth.router), ...pods.sixth] : [],
    snatExclusion6: config.ipv6 ? snatExclusion(config, config.nativeRoutingCidr6, sixth.cidrs) : null,
    routerAddress6: sixth.router,
    serviceLoopback4,
    serviceLoopback6: config.ipv6 ? serviceLoopback6 : 0n,
  };
  return { table, routerAddress: fourth.router };
}

/** Fact sheet, section 3, step 4: with ip-masq-agent only an explicit native-routing CIDR counts. */
function snatExclusion<Address>(
  config: DatapathConfig,
  nativeRouting: PrefixOf<Address> | null,
  podCidrs: readonly PrefixOf<Address>[],
): PrefixOf<Address> | null {
  if (nativeRouting !== null) return nativeRouting;
  return config.ipMasqAgent ? null : (podCidrs[0] ?? null);
}

interface PodNetwork<Address> {
  readonly cidrs: readonly PrefixOf<Address>[];
  readonly cidrsDerived: boolean;
  readonly router: Address;
  readonly routerDerived: boolean;
}

function podNetwork<Address extends number | bigint>(
  family: AddressFamily<Address>,
  given: readonly PrefixOf<Address>[],
  givenRouter: Address,
  pods: readonly (readonly Address[])[],
): PodNetwork<Address> {
  const cidrs = given.length > 0 ? given : networksOf(family, pods);
  const cidrsDerived = given.length === 0 && cidrs.length > 0;
  const [first] = cidrs;
  if (givenRouter !== family.none || first === undefined || first.bits >= family.width - 1) {
    return { cidrs, cidrsDerived, router: givenRouter, routerDerived: false };
  }
  const derived = family.nth(first, 1);
  const free = !pods.some((addresses) => addresses.includes(derived));
  return { cidrs, cidrsDerived, router: free ? derived : family.none, routerDerived: free };
}

function networksOf<Address extends number | bigint>(
  family: AddressFamily<Address>,
  pods: readonly (readonly Address[])[],
): readonly PrefixOf<Address>[] {
  const networks = new Set<Address>();
  for (const addresses of pods) for (const address of addresses) networks.add(family.mask({ address, bits: family.networkBits }).address);
  return [...networks].sort((a, b) => (a < b ? -1 : 1)).map((address) => ({ address, bits: family.networkBits }));
}

function hostEndpoints<Address extends number | bigint>(
  family: AddressFamily<Address>,
  name: string,
  nodeAddress: Address,
  ofDevices: readonly PrefixOf<Address>[],
  router: Address,
): readonly LocalEndpointOf<Address>[] {
  const addresses = new Set([nodeAddress, ...ofDevices.map(({ address }) => address), router]);
  return [...addresses]
    .filter((address) => address !== family.none && !family.isLinkLocal(address))
    .map((address) => ({
      address,
      identity: IDENTITY_HOST,
      endpointId: 0,
      ifindex: 0,
      host: true,
      mac: NO_MAC,
      nodeMac: NO_MAC,
      label: name,
    }));
}

interface PodEndpoints {
  readonly fourth: readonly LocalEndpoint[];
  readonly sixth: readonly LocalEndpoint6[];
}

function podEndpoints(endpoints: readonly ClusterEndpoint[], devices: readonly DeviceTable[]): PodEndpoints {
  const takenIds = new Set(endpoints.map((endpoint) => endpoint.endpointId));
  const takenIfindexes = new Set(devices.map((device) => device.ifindex));
  const fourth: LocalEndpoint[] = [];
  const sixth: LocalEndpoint6[] = [];
  let nextId = 1;
  let nextIfindex = FIRST_POD_IFINDEX;
  for (const { addresses, addresses6, endpointId, identity, title } of endpoints) {
    while (takenIds.has(nextId)) nextId++;
    while (takenIfindexes.has(nextIfindex)) nextIfindex++;
    const id = endpointId === 0 ? nextId++ : endpointId;
    const ifindex = nextIfindex++;
    const [first] = addresses;
    const mac = first === undefined ? macOfName(`${title}/pod`) : macOfAddress(MAC_OF_POD, first);
    const nodeMac = first === undefined ? macOfName(`${title}/node`) : macOfAddress(MAC_OF_POD_PEER, first);
    const rest = { identity, endpointId: id, ifindex, host: false, mac, nodeMac, label: title };
    for (const address of addresses) fourth.push({ address, ...rest });
    for (const address of addresses6) sixth.push({ address, ...rest });
  }
  return { fourth, sixth };
}

/** One address on two nodes, or on a node and a pod: the wire cannot tell them apart. */
export function addressClashes(nodes: readonly ClusterNode[], built: readonly BuiltNode[]): readonly Finding[] {
  const owners = new Map<number | bigint, { readonly label: string; readonly node: number }>();
  const findings: Finding[] = [];
  for (const [index, { table }] of built.entries()) {
    for (const { address, host, label } of [...table.endpoints, ...table.endpoints6]) {
      const owner = owners.get(addressKey(address));
      const node = nodes[index];
      if (owner === undefined) owners.set(addressKey(address), { label, node: index });
      else if (node !== undefined && (owner.node !== index || !host)) findings.push(clash(node, address, owner.label, label));
    }
  }
  return findings;
}

function clash(node: ClusterNode, address: number | bigint, first: string, second: string): Finding {
  return {
    rule: "duplicate-address",
    severity: "warning",
    object: `Node ${node.name}`,
    at: placeOf((node.network ?? node).origin),
    message: `${formatAddress(address)} is on both ${first} and ${second}`,
    effect: "on one network the two answer ARP (or neighbour solicitations) for it in turn, and replies reach either",
    fix: "give the address to one of them",
  };
}
