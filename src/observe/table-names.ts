import type { DatapathTables } from "../control/tables.ts";
import type { Address } from "./run-result.ts";

/** Names for the indexes and addresses that a RunResult holds. */
export interface TableNames {
  /** Name of a node by its index; null for -1. */
  node(index: number): string | null;
  /** Name of a policy by its index; null for -1. */
  policy(index: number): string | null;
  /** Kind, namespace and name of a network policy by its index; null for -1. */
  networkPolicy(index: number): string | null;
  /** namespace/name of the pod that has the address, null for none. */
  pod(address: Address): string | null;
  /** namespace/name of the service of an entry of services.ipv4, by its index. */
  service(entry: number): string | null;
  /** The same by its address, port and protocol; null for none. */
  serviceAt(address: Address, port: number, protocol: number): string | null;
}

export function tableNames(tables: DatapathTables): TableNames {
  // IPv6 as text: V8 hashes a bigint by its lowest 64 bits, which are the same few for the pods of every node.
  const keyOf = (address: Address): number | string => (typeof address === "number" ? address : String(address));
  const pods = new Map<number | string, string>();
  for (const node of tables.nodes) {
    for (const { host, address, label } of [...node.endpoints, ...node.endpoints6]) if (!host) pods.set(keyOf(address), label);
  }
  const { objects, ipv4 } = tables.services;
  const service = (entry: number): string | null => objects[ipv4.entries[entry]?.service ?? -1]?.name ?? null;
  const addresses = new Map(ipv4.entries.map(({ address, port, protocol }, index) => [`${address} ${port} ${protocol}`, index]));
  return {
    service,
    serviceAt: (address, port, protocol) => (addresses.size === 0 ? null : service(addresses.get(`${address} ${port} ${protocol}`) ?? -1)),
    node: (index) => tables.nodes[index]?.name ?? null,
    policy: (index) => tables.policies[index]?.name ?? null,
    networkPolicy: (index) => tables.networkPolicy.policies[index]?.title ?? null,
    pod: (address) => pods.get(keyOf(address)) ?? null,
  };
}
