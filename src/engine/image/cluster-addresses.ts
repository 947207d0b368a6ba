// Which address of the cluster is whose: what steering and the wires between nodes ask.
import { A6_SIZE, A_ADDRESS, A_IFINDEX, A_KIND, A_MAC, A_NODE, A_SIZE } from "../../kernel/pipeline/layout-batch.ts";
import { addressKey, FAMILY_6 } from "../../control/address-family.ts";
import type { DatapathTables, DeviceTable, LocalEndpointOf, NodeTable, PrefixOf } from "../../control/tables.ts";
import { type Arena, wireWord } from "./arena.ts";
import { putMac } from "./node-image.ts";
import { writeStaticHash } from "./static-hash.ts";
import { writeStaticHash6 } from "./static-hash6.ts";

/** What an address of the cluster is to the wires between nodes; of an address on two nodes the first has it. */
export const ADDRESS_POD = 1;
export const ADDRESS_NODE = 2;
export const ADDRESS_FURTHER = 3;

export interface ClusterAddressOf<Address> {
  readonly address: Address;
  readonly node: number;
  readonly kind: number;
  readonly ifindex: number;
  readonly mac: readonly number[];
}

export type ClusterAddress = ClusterAddressOf<number>;
export type ClusterAddress6 = ClusterAddressOf<bigint>;

/** What a family's tables say of a node's addresses. */
interface Addresses<Address> {
  readonly none: Address;
  readonly ofNode: (node: NodeTable) => Address;
  readonly ofDevice: (device: DeviceTable) => readonly PrefixOf<Address>[];
  readonly endpoints: (node: NodeTable) => readonly LocalEndpointOf<Address>[];
}

const FOURTH: Addresses<number> = {
  none: 0, ofNode: ({ address }) => address, ofDevice: ({ addresses }) => addresses, endpoints: ({ endpoints }) => endpoints,
};
/** Link-local addresses are left out: every link has its own, so they tell nobody apart. */
const SIXTH: Addresses<bigint> = {
  none: 0n, ofNode: ({ address6 }) => address6, ofDevice: ({ addresses6 }) => addresses6.filter(({ address }) => !FAMILY_6.isLinkLocal(address)),
  endpoints: ({ endpoints6 }) => endpoints6,
};

function addressesOf<Address extends number | bigint>(tables: DatapathTables, family: Addresses<Address>): ClusterAddressOf<Address>[] {
  const found = new Map<number | bigint, ClusterAddressOf<Address>>();
  const put = (entry: ClusterAddressOf<Address>): void => {
    const key = addressKey(entry.address);
    if (entry.address !== family.none && !found.has(key)) found.set(key, entry);
  };
  for (const [node, table] of tables.nodes.entries()) {
    const first = table.devices[0];
    put({ address: family.ofNode(table), node, kind: ADDRESS_NODE, ifindex: first?.ifindex ?? 0, mac: first?.mac ?? [] });
    for (const device of table.devices)
      for (const { address } of family.ofDevice(device)) put({ address, node, kind: ADDRESS_FURTHER, ifindex: device.ifindex, mac: device.mac });
  }
  for (const [node, table] of tables.nodes.entries()) {
    const first = table.devices[0];
    for (const endpoint of family.endpoints(table))
      put({ address: endpoint.address, node, kind: endpoint.host ? ADDRESS_FURTHER : ADDRESS_POD, ifindex: first?.ifindex ?? 0, mac: first?.mac ?? [] });
  }
  return [...found.values()];
}

export function clusterAddresses(tables: DatapathTables): ClusterAddress[] {
  return addressesOf(tables, FOURTH);
}

/** Empty where the installation has no IPv6. */
export function clusterAddresses6(tables: DatapathTables): ClusterAddress6[] {
  return tables.config.ipv6 ? addressesOf(tables, SIXTH) : [];
}

/** Static hash of the cluster's addresses; 0 for none. */
export function writeAddresses(arena: Arena, tables: DatapathTables, nodesHere?: ReadonlySet<number>): number {
  return writeStaticHash(arena, A_SIZE, A_NODE, clusterAddresses(tables).filter(({ node }) => nodesHere?.has(node) ?? true).map((entry) => ({
    key: wireWord(entry.address),
    write: (at) => {
      arena.put32(at + A_ADDRESS, wireWord(entry.address));
      writeAddress(arena, at, entry);
    },
  })));
}

export function writeAddresses6(arena: Arena, tables: DatapathTables, nodesHere?: ReadonlySet<number>): number {
  return writeStaticHash6(arena, A6_SIZE, A_NODE, clusterAddresses6(tables).filter(({ node }) => nodesHere?.has(node) ?? true).map((entry) => ({
    key: entry.address, write: (at) => writeAddress(arena, at, entry),
  })));
}

function writeAddress(arena: Arena, at: number, entry: ClusterAddressOf<number | bigint>): void {
  arena.put32(at + A_NODE, entry.node + 1);
  arena.put32(at + A_KIND, entry.kind);
  arena.put32(at + A_IFINDEX, entry.ifindex);
  putMac(arena, at + A_MAC, entry.mac);
}
