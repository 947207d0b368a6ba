import { E_EGRESS, E_GATEWAY, E_GATEWAY_NODE, E_POLICY, E_SIZE, E_USE, PS_SIZE, PS_SOURCE, PS_TABLE } from "../../kernel/layout.ts";
import type { Prefix } from "../../control/tables.ts";
import { type Arena, wireWord } from "./arena.ts";
import { destinationsBySource, rememberingLast, sharedTables } from "./policy-sources.ts";
import { writePrefixTable } from "./prefix-table.ts";
import { writeStaticHash } from "./static-hash.ts";

export interface PolicyEntryImage {
  readonly source: number;
  readonly destination: Prefix;
  readonly gatewayIp: number;
  readonly egressIp: number;
  /** Index of the node that has egressIp in its map; -1: every node has it. */
  readonly gatewayNode: number;
  readonly policy: number;
  /** Index of the counters for traffic that this value decides. */
  readonly use: number;
}

/** Writes the egress policy map; sources with the same destinations and values share one prefix table. */
export function writePolicyTable(arena: Arena, entries: readonly PolicyEntryImage[]): number {
  const records = new Map<string, number>();
  const recordOf = rememberingLast(hasSameRecord, (entry: PolicyEntryImage): number => {
    const key = `${entry.gatewayIp} ${entry.egressIp} ${entry.gatewayNode} ${entry.policy} ${entry.use}`;
    let record = records.get(key);
    if (record === undefined) {
      record = arena.take(E_SIZE);
      arena.put32(record + E_GATEWAY, wireWord(entry.gatewayIp));
      arena.put32(record + E_EGRESS, wireWord(entry.egressIp));
      arena.put32(record + E_GATEWAY_NODE, entry.gatewayNode);
      arena.put32(record + E_POLICY, entry.policy);
      arena.put32(record + E_USE, entry.use);
      records.set(key, record);
    }
    return record;
  });
  const tableOf = sharedTables<number>((destinations) => writePrefixTable(arena, destinations));
  return writeStaticHash(arena, PS_SIZE, PS_TABLE, [...destinationsBySource<number, PolicyEntryImage>(entries, recordOf)].map(([source, destinations]) => ({
    key: wireWord(source),
    write: (at) => {
      arena.put32(at + PS_SOURCE, wireWord(source));
      arena.put32(at + PS_TABLE, tableOf(destinations));
    },
  })));
}

function hasSameRecord(a: PolicyEntryImage, b: PolicyEntryImage): boolean {
  return a.gatewayIp === b.gatewayIp && a.egressIp === b.egressIp && a.gatewayNode === b.gatewayNode && a.policy === b.policy && a.use === b.use;
}
