import { E_GATEWAY, E_GATEWAY_NODE, E_POLICY, E_USE } from "../../kernel/layout.ts";
import { E6_SIZE, E_EGRESS6, E_IFINDEX, PS6_SIZE, PS6_TABLE } from "../../kernel/layout6.ts";
import type { PolicyEntry6 } from "../../control/tables.ts";
import { putAddress6 } from "./address6.ts";
import { type Arena, wireWord } from "./arena.ts";
import { destinationsBySource, rememberingLast, sharedTables } from "./policy-sources.ts";
import { writePrefixTable6 } from "./prefix-table6.ts";
import { writeStaticHash6 } from "./static-hash6.ts";

export interface PolicyEntryImage6 extends PolicyEntry6 {
  /** Index of the counters for traffic that this value decides. */
  readonly use: number;
}

/** Writes the IPv6 egress policy map; sources with the same destinations and values share one prefix table. */
export function writePolicyTable6(arena: Arena, entries: readonly PolicyEntryImage6[]): number {
  const records = new Map<string, number>();
  const recordOf = rememberingLast(hasSameRecord, (entry: PolicyEntryImage6): number => {
    const key = `${entry.gatewayIp} ${entry.egressIp} ${entry.egressIfindex} ${entry.gatewayNode} ${entry.policy} ${entry.use}`;
    let record = records.get(key);
    if (record === undefined) {
      record = arena.take(E6_SIZE);
      arena.put32(record + E_GATEWAY, wireWord(entry.gatewayIp));
      putAddress6(arena, record + E_EGRESS6, entry.egressIp);
      arena.put32(record + E_IFINDEX, entry.egressIfindex);
      arena.put32(record + E_GATEWAY_NODE, entry.gatewayNode);
      arena.put32(record + E_POLICY, entry.policy);
      arena.put32(record + E_USE, entry.use);
      records.set(key, record);
    }
    return record;
  });
  const tableOf = sharedTables<bigint>((destinations) => writePrefixTable6(arena, destinations));
  return writeStaticHash6(arena, PS6_SIZE, PS6_TABLE, [...destinationsBySource<bigint, PolicyEntryImage6>(entries, recordOf)].map(([key, destinations]) => ({
    key, write: (at) => arena.put32(at + PS6_TABLE, tableOf(destinations)),
  })));
}

function hasSameRecord(a: PolicyEntryImage6, b: PolicyEntryImage6): boolean {
  return a.gatewayIp === b.gatewayIp && a.egressIp === b.egressIp && a.egressIfindex === b.egressIfindex && a.gatewayNode === b.gatewayNode &&
    a.policy === b.policy && a.use === b.use;
}
