// The cluster's part of the ipcache (pkg/ipcache): what an address belongs to.
import { addressKey, type AddressFamily, FAMILY_4, FAMILY_6 } from "./address-family.ts";
import type { ClusterEndpoint } from "./cluster-endpoints.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import { IDENTITY_HOST, IDENTITY_REMOTE_NODE } from "./identities.ts";
import type { BuiltNode } from "./node-tables.ts";
import type { CidrIdentities } from "./network-policy/cidr-identities.ts";
import type { DatapathConfig, DatapathTables, IpcacheEntryOf, LocalEndpointOf, PrefixOf } from "./tables.ts";

/** One family's side of the model. */
interface AddressOwners<Address> {
  readonly world: number;
  readonly pods: (endpoint: ClusterEndpoint) => readonly Address[];
  /** What every agent knows a node by, its own address last. */
  readonly nodeAddresses: (node: ClusterNode, built: BuiltNode | undefined) => readonly Address[];
  readonly locals: (built: BuiltNode) => readonly LocalEndpointOf<Address>[];
  /** Prefixes that network policies name, with their identities. */
  readonly prefixes: readonly { readonly identity: number; readonly prefix: PrefixOf<Address> }[];
}

/** The world first, then the prefixes of network policies, nodes, then pods by address. A prefix may come twice only as different owners' `ownerOnly`. */
export function buildIpcaches(
  config: DatapathConfig,
  nodes: readonly ClusterNode[],
  built: readonly BuiltNode[],
  endpoints: readonly ClusterEndpoint[],
  cidrs: CidrIdentities,
): Pick<DatapathTables, "ipcache" | "ipcache6"> {
  const ipcache = buildIpcache(FAMILY_4, nodes, built, endpoints, {
    world: config.worldIdentity,
    pods: ({ addresses }) => addresses,
    nodeAddresses: (node, made) => [made?.routerAddress ?? node.routerAddress, ...node.furtherAddresses, node.address],
    locals: ({ table }) => table.endpoints,
    prefixes: cidrs.ofFamily4(),
  });
  if (!config.ipv6) return { ipcache, ipcache6: [] };
  const ipcache6 = buildIpcache(FAMILY_6, nodes, built, endpoints, {
    world: config.worldIdentity6,
    pods: ({ addresses6 }) => addresses6,
    nodeAddresses: (node, made) => [made?.table.routerAddress6 ?? node.routerAddress6, ...node.furtherAddresses6, node.address6],
    locals: ({ table }) => table.endpoints6,
    prefixes: cidrs.ofFamily6(),
  });
  return { ipcache, ipcache6 };
}

function buildIpcache<Address extends number | bigint>(
  family: AddressFamily<Address>,
  nodes: readonly ClusterNode[],
  built: readonly BuiltNode[],
  endpoints: readonly ClusterEndpoint[],
  owners: AddressOwners<Address>,
): readonly IpcacheEntryOf<Address>[] {
  const hostEntry = (address: Address, identity: number, ownerNode: number): IpcacheEntryOf<Address> => ({
    prefix: { address, bits: family.width }, identity, ownerNode, isNode: true, ownerOnly: false, skipTunnel: false,
  });
  const shared = new Map<number | bigint, IpcacheEntryOf<Address>>();
  for (const endpoint of endpoints) {
    for (const address of owners.pods(endpoint)) {
      shared.set(addressKey(address), { ...hostEntry(address, endpoint.identity, endpoint.node.index), isNode: false });
    }
  }
  // The agents overwrite a pod's entry with a node's: nodes come from the stronger source.
  for (const last of [false, true]) {
    for (const node of nodes) {
      const known = owners.nodeAddresses(node, built[node.index]);
      for (const address of last ? known.slice(-1) : known) {
        if (address !== family.none) shared.set(addressKey(address), hostEntry(address, IDENTITY_REMOTE_NODE, node.index));
      }
    }
  }
  const world: IpcacheEntryOf<Address> = { ...hostEntry(family.none, owners.world, -1), prefix: { address: family.none, bits: 0 }, isNode: false };
  const outside = owners.prefixes
    .filter(({ prefix }) => prefix.bits < family.width || !shared.has(addressKey(prefix.address)))
    .map(({ identity, prefix }): IpcacheEntryOf<Address> => ({ ...world, prefix, identity }));
  const own: IpcacheEntryOf<Address>[] = [];
  for (const [index, made] of built.entries()) {
    for (const { address, host } of owners.locals(made)) {
      const entry = shared.get(addressKey(address));
      if (!host || entry?.ownerNode === index) continue;
      own.push({ ...hostEntry(address, IDENTITY_HOST, index), ownerOnly: true });
    }
  }
  return [world, ...outside, ...[...shared.values(), ...own].sort(byNodeThenAddress)];
}

function byNodeThenAddress<Address extends number | bigint>(a: IpcacheEntryOf<Address>, b: IpcacheEntryOf<Address>): number {
  if (a.isNode !== b.isNode) return a.isNode ? -1 : 1;
  if (a.prefix.address !== b.prefix.address) return a.prefix.address < b.prefix.address ? -1 : 1;
  return a.ownerNode - b.ownerNode;
}
