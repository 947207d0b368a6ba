// The cluster's part of the ipcache (pkg/ipcache): what an address belongs to.
import type { ClusterEndpoint } from "./cluster-endpoints.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import { IDENTITY_HOST, IDENTITY_REMOTE_NODE } from "./identities.ts";
import type { BuiltNode } from "./node-tables.ts";
import type { DatapathConfig, IpcacheEntry } from "./tables.ts";

/** The world first, then nodes, then pods by address. A prefix may come twice only as different owners' `ownerOnly`. */
export function buildIpcache(
  config: DatapathConfig,
  nodes: readonly ClusterNode[],
  built: readonly BuiltNode[],
  endpoints: readonly ClusterEndpoint[],
): readonly IpcacheEntry[] {
  const shared = new Map<number, IpcacheEntry>();
  for (const { addresses, identity, node } of endpoints) {
    for (const address of addresses) shared.set(address, { ...hostEntry(address, identity, node.index), isNode: false });
  }
  // The agents overwrite a pod's entry with a node's: nodes come from the stronger source.
  for (const node of nodes) {
    const known = [node.routerAddress === 0 ? (built[node.index]?.routerAddress ?? 0) : node.routerAddress, ...node.furtherAddresses];
    for (const address of known) if (address !== 0) shared.set(address, hostEntry(address, IDENTITY_REMOTE_NODE, node.index));
  }
  for (const node of nodes) shared.set(node.address, hostEntry(node.address, IDENTITY_REMOTE_NODE, node.index));

  const world: IpcacheEntry = { ...hostEntry(0, config.worldIdentity, -1), prefix: { address: 0, bits: 0 }, isNode: false };
  const own: IpcacheEntry[] = [];
  for (const [index, { table }] of built.entries()) {
    for (const { address, host } of table.endpoints) {
      const entry = shared.get(address);
      if (!host || entry?.ownerNode === index) continue;
      own.push({ ...hostEntry(address, IDENTITY_HOST, index), ownerOnly: true });
    }
  }
  return [world, ...[...shared.values(), ...own].sort(byNodeThenAddress)];
}

function hostEntry(address: number, identity: number, ownerNode: number): IpcacheEntry {
  return { prefix: { address, bits: 32 }, identity, ownerNode, isNode: true, ownerOnly: false, skipTunnel: false };
}

function byNodeThenAddress(a: IpcacheEntry, b: IpcacheEntry): number {
  return Number(b.isNode) - Number(a.isNode) || a.prefix.address - b.prefix.address || a.ownerNode - b.ownerNode;
}
