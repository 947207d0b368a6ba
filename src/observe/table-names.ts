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
  /** namespace/name of the service of an entry of a family's services, by its index. */
  service(family: 4 | 6, entry: number): string | null;
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
  const { objects } = tables.services, nameOf = (index: number): string | null => objects[index]?.name ?? null;
  const frontends = new Map<string, number>();
  // The destination's own family names it: 0xa600001 is 10.96.0.1 as well as ::a60:1.
  const frontendKey = (address: Address, port: number, protocol: number): string => `${typeof address} ${address} ${port} ${protocol}`;
  for (const { address, port, protocol, service } of [...tables.services.ipv4.entries, ...tables.services.ipv6.entries])
    frontends.set(frontendKey(address, port, protocol), service);
  return {
    service: (family, entry) => nameOf((family === 4 ? tables.services.ipv4 : tables.services.ipv6).entries[entry]?.service ?? -1),
    serviceAt: (address, port, protocol) => (frontends.size === 0 ? null : nameOf(frontends.get(frontendKey(address, port, protocol)) ?? -1)),
    node: (index) => tables.nodes[index]?.name ?? null,
    policy: (index) => tables.policies[index]?.name ?? null,
    networkPolicy: (index) => tables.networkPolicy.policies[index]?.title ?? null,
    pod: (address) => pods.get(keyOf(address)) ?? null,
  };
}
