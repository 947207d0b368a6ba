import type { DatapathTables } from "../control/tables.ts";

/** Names for the indexes and addresses that a RunResult holds. */
export interface TableNames {
  /** Name of a node by its index; null for -1. */
  node(index: number): string | null;
  /** Name of a policy by its index; null for -1. */
  policy(index: number): string | null;
  /** Kind, namespace and name of a network policy by its index; null for -1. */
  networkPolicy(index: number): string | null;
  /** namespace/name of the pod that has the address, null for none. */
  pod(address: number): string | null;
}

export function tableNames(tables: DatapathTables): TableNames {
  const pods = new Map<number, string>();
  for (const node of tables.nodes) {
    for (const endpoint of node.endpoints) if (!endpoint.host) pods.set(endpoint.address, endpoint.label);
  }
  return {
    node: (index) => tables.nodes[index]?.name ?? null,
    policy: (index) => tables.policies[index]?.name ?? null,
    networkPolicy: (index) => tables.networkPolicy.policies[index]?.title ?? null,
    pod: (address) => pods.get(address) ?? null,
  };
}
