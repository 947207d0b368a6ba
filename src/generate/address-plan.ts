import { MAX_REMOTES, type GenerateSettings } from "./options.ts";
import { InputError } from "../cluster/input-error.ts";

export interface PlannedPrefix {
  /** Unsigned, host order. */
  readonly address: number;
  readonly bits: number;
}

/** Where everything of a generated cluster lives: addresses are unsigned 32-bit numbers in host order.
 * Nodes 172.16.0.0/13, egress addresses 172.24.0.0/13, pods 10.0.0.0/8, remotes 198.18.0.0/15. */
export interface AddressPlan {
  readonly nodes: number;
  readonly gateways: number;
  readonly pods: number;
  /** Nodes are numbered from 0; the gateways come last. */
  nodeName(node: number): string;
  nodeAddress(node: number): number;
  podCidr(node: number): PlannedPrefix;
  podNode(pod: number): number;
  podAddress(pod: number): number;
  /** Number of the policy that selects the pod; equal to the number of policies where none does. */
  podGroup(pod: number): number;
  remoteAddress(remote: number): number;
  gatewayOfPolicy(policy: number): number;
  egressAddress(policy: number): number;
  destinationPrefixes(policy: number): readonly PlannedPrefix[];
}

/** The IPv6 side of the plan, 16 bytes in wire order each: a prefix of its own and the IPv4 address of the same thing. It has nodes fd00:ac10::/64 (whose addresses are the egress IPs too: they come from interfaces), pods a /64 a node of fd00:10::/32,
 * remotes the network that RFC 5180 sets aside for measurements, 2001:2::/48. */
export interface AddressPlan6 {
  nodeAddress(node: number): Uint8Array;
  podNetwork(node: number): Uint8Array;
  podAddress(pod: number): Uint8Array;
  remoteAddress(remote: number): Uint8Array;
  destinationPrefixes(policy: number): readonly PlannedPrefix6[];
}

export interface PlannedPrefix6 {
  readonly address: Uint8Array;
  readonly bits: number;
}

const NODE_BASE = 0xac10_000a;
const EGRESS_BASE = 0xac18_0001;
const POD_BASE = 0x0a00_0000;
const REMOTE_NETWORK: PlannedPrefix = { address: 0xc612_0000, bits: 15 };
/** The first addresses of a pod network stay free for the node's own. */
const FIRST_POD = 10;
const SMALLEST_POD_NETWORK = 256;

export function planAddresses(settings: GenerateSettings): AddressPlan {
  const { nodes, gateways, pods, policies, remotes } = settings;
  const workers = nodes > gateways ? nodes - gateways : nodes;
  let podNetwork = SMALLEST_POD_NETWORK;
  while (podNetwork < Math.ceil(pods / workers) + FIRST_POD + 1) podNetwork *= 2;
  if (podNetwork * nodes > 1 << 24) {
    const message = `${pods} pods on ${nodes} nodes do not fit into 10.0.0.0/8 with one pod network for each node`;
    throw new InputError([{ at: null, subject: "--pods", message, cure: "Ask for fewer pods or nodes." }]);
  }
  const remoteStride = Math.floor(MAX_REMOTES / remotes);
  return {
    nodes,
    gateways,
    pods,
    nodeName: (node) => (node < nodes - gateways ? `worker-${node + 1}` : `gateway-${node - (nodes - gateways) + 1}`),
    nodeAddress: (node) => NODE_BASE + node,
    podCidr: (node) => ({ address: POD_BASE + node * podNetwork, bits: 32 - Math.log2(podNetwork) }),
    podNode: (pod) => pod % workers,
    podAddress: (pod) => POD_BASE + (pod % workers) * podNetwork + FIRST_POD + Math.floor(pod / workers),
    podGroup: (pod) => pod % (policies + 1),
    remoteAddress: (remote) => REMOTE_NETWORK.address + remote * remoteStride + (remoteStride >> 1),
    gatewayOfPolicy: (policy) => nodes - gateways + (policy % gateways),
    egressAddress: (policy) => EGRESS_BASE + policy,
    destinationPrefixes: (policy) => tile(REMOTE_NETWORK, shareOf(settings.prefixes, policies, policy)),
  };
}

const NODES_6 = [0xfd00_ac10, 0] as const, PODS_6 = 0xfd00_0010, REMOTES_6 = [0x2001_0002, 0] as const;
/** The remotes' last 32 bits are those of the IPv4 plan. */
const REMOTE_HOST_BITS = 96;

export function planAddresses6(plan: AddressPlan): AddressPlan6 {
  return {
    nodeAddress: (node) => bytes6(...NODES_6, 0, plan.nodeAddress(node)),
    podNetwork: (node) => bytes6(PODS_6, node << 16, 0, 0),
    podAddress: (pod) => bytes6(PODS_6, plan.podNode(pod) << 16, 0, plan.podAddress(pod)),
    remoteAddress: (remote) => bytes6(...REMOTES_6, 0, plan.remoteAddress(remote)),
    destinationPrefixes: (policy) => plan.destinationPrefixes(policy).map(({ address, bits }) => ({ address: bytes6(...REMOTES_6, 0, address), bits: REMOTE_HOST_BITS + bits })),
  };
}

function bytes6(...words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(16), view = new DataView(bytes.buffer);
  for (const [k, word] of words.entries()) view.setUint32(4 * k, word);
  return bytes;
}

/** Eight groups, none shortened (RFC 4291 section 2.2, form 1). */
export function address6Text(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  return Array.from({ length: 8 }, (_, k) => view.getUint16(2 * k).toString(16)).join(":");
}

export function prefix6Text({ address, bits }: PlannedPrefix6): string {
  return `${address6Text(address)}/${bits}`;
}

/** How many of `total` things the holder gets when they are dealt out in turn. */
function shareOf(total: number, holders: number, holder: number): number {
  return Math.floor(total / holders) + (holder < total % holders ? 1 : 0);
}

/** Exactly `count` prefixes that cover the network without overlap: equal blocks, the first ones halved once more. */
function tile(network: PlannedPrefix, count: number): readonly PlannedPrefix[] {
  const depth = Math.floor(Math.log2(count));
  const halved = count - 2 ** depth;
  const block = 2 ** (32 - network.bits - depth);
  const bits = network.bits + depth;
  const prefixes: PlannedPrefix[] = [];
  for (let i = 0; i < 2 ** depth; i++) {
    const address = network.address + i * block;
    if (i < halved) prefixes.push({ address, bits: bits + 1 }, { address: address + block / 2, bits: bits + 1 });
    else prefixes.push({ address, bits });
  }
  return prefixes;
}

export function addressText(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export function prefixText(prefix: PlannedPrefix): string {
  return `${addressText(prefix.address)}/${prefix.bits}`;
}
