// What the egress policy maps of both families have in common: destinations by source, and one prefix table for all sources that
// have the same ones.
import type { PrefixOf } from "../../control/tables.ts";

interface Destination<Address> {
  readonly prefix: PrefixOf<Address>;
  /** Address of the record behind it. */
  readonly value: number;
}

export function destinationsBySource<Address, Entry extends { readonly source: Address; readonly destination: PrefixOf<Address> }>(
  entries: readonly Entry[], recordOf: (entry: Entry) => number,
): Map<Address, Destination<Address>[]> {
  const bySource = new Map<Address, Destination<Address>[]>();
  for (const entry of entries) {
    const destination = { prefix: entry.destination, value: recordOf(entry) }, list = bySource.get(entry.source);
    if (list === undefined) bySource.set(entry.source, [destination]);
    else list.push(destination);
  }
  return bySource;
}

/** The table that `write` makes of the destinations, made once for the same ones. */
export function sharedTables<Address extends number | bigint>(write: (destinations: readonly Destination<Address>[]) => number): typeof write {
  const tables = new Map<string, number>();
  return (destinations) => {
    const content = destinations.map(({ prefix, value }) => `${prefix.address}/${prefix.bits}=${value}`).join(" ");
    let table = tables.get(content);
    if (table === undefined) {
      table = write(destinations);
      tables.set(content, table);
    }
    return table;
  };
}
