// What the egress policy maps of both families have in common: destinations by source, and one prefix table for all sources that
// have the same ones.
import type { PrefixOf } from "../../control/tables.ts";
import { hashWord } from "./static-hash.ts";

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
  const tables = new Map<number, { readonly destinations: readonly Destination<Address>[]; readonly table: number }[]>();
  return (destinations) => {
    const hash = hashOf(destinations), alike = tables.get(hash) ?? [], known = alike.find((other) => areSame(other.destinations, destinations));
    if (known !== undefined) return known.table;
    const table = write(destinations);
    tables.set(hash, [...alike, { destinations, table }]);
    return table;
  };
}

/** `of`, asked again only where an entry is not like the one before: those of one policy and pod follow one another. */
export function rememberingLast<Entry>(isAlike: (a: Entry, b: Entry) => boolean, of: (entry: Entry) => number): (entry: Entry) => number {
  let last: Entry | null = null, value = 0;
  return (entry) => {
    if (last === null || !isAlike(last, entry)) value = of(entry);
    last = entry;
    return value;
  };
}

function hashOf(destinations: readonly Destination<number | bigint>[]): number {
  let hash = destinations.length;
  for (const { prefix: { address, bits }, value } of destinations) hash = hashWord(hash ^ folded(address) ^ (bits << 16)) ^ value;
  return hash;
}

/** All bits of an address in a word. */
function folded(address: number | bigint): number {
  return typeof address === "number" ? address | 0 : Number(BigInt.asIntN(32, address ^ (address >> 32n) ^ (address >> 64n) ^ (address >> 96n)));
}

function areSame<Address>(a: readonly Destination<Address>[], b: readonly Destination<Address>[]): boolean {
  return a.length === b.length && a.every(({ prefix, value }, k) => {
    const other = b[k];
    return other !== undefined && value === other.value && prefix.address === other.prefix.address && prefix.bits === other.prefix.bits;
  });
}
