import { L_COUNT, L_SIZE, L_STARTS, L_VALUES } from "../../kernel/layout.ts";
import { START6_SHIFT } from "../../kernel/layout6.ts";
import type { Prefix6 } from "../../control/tables.ts";
import { range6 } from "./address6.ts";
import type { Arena } from "./arena.ts";

export interface PrefixValue6 {
  readonly prefix: Prefix6;
  /** Address of a record; not 0. */
  readonly value: number;
}

interface Interval {
  readonly start: bigint;
  value: number;
}

const START_BYTES = 1 << START6_SHIFT;
const END = 1n << 128n;

/** As writePrefixTable, for IPv6. Returns the table's address; 0 for no prefixes. */
export function writePrefixTable6(arena: Arena, entries: readonly PrefixValue6[]): number {
  if (entries.length === 0) return 0;
  const intervals = layFlat(entries);
  const table = arena.take(L_SIZE), starts = arena.take(intervals.length * START_BYTES), values = arena.take(intervals.length * 4);
  for (const [k, { start, value }] of intervals.entries()) {
    // Four words in host order, the highest first: the kernel compares them as numbers.
    for (let word = 0; word < 4; word++) arena.put32(starts + START_BYTES * k + 4 * word, Number(BigInt.asUintN(32, start >> BigInt(96 - 32 * word))));
    arena.put32(values + 4 * k, value);
  }
  arena.put32(table + L_COUNT, intervals.length);
  arena.put32(table + L_STARTS, starts);
  arena.put32(table + L_VALUES, values);
  return table;
}

/** Prefixes nest or lie apart: going through them by first address, wider ones first, the innermost open one rules until it
 * ends. Of equal prefixes the last one counts. */
function layFlat(entries: readonly PrefixValue6[]): Interval[] {
  const distinct = new Map<string, PrefixValue6 & { first: bigint; last: bigint }>();
  for (const entry of entries) {
    const range = range6(entry.prefix);
    distinct.set(`${range.first}/${entry.prefix.bits}`, { ...entry, ...range });
  }
  const sorted = [...distinct.values()].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.prefix.bits - b.prefix.bits));
  const flat: Interval[] = [{ start: 0n, value: 0 }];
  const begin = (start: bigint, value: number): void => {
    const previous = flat.at(-1);
    if (start >= END || previous === undefined) return;
    if (previous.start === start) previous.value = value;
    else if (previous.value !== value) flat.push({ start, value });
  };
  const open: { last: bigint; value: number }[] = [];
  const endBefore = (address: bigint): void => {
    for (let inner = open.at(-1); inner !== undefined && inner.last < address; inner = open.at(-1)) {
      open.pop();
      begin(inner.last + 1n, open.at(-1)?.value ?? 0);
    }
  };
  for (const { first, last, value } of sorted) {
    endBefore(first);
    begin(first, value);
    open.push({ last, value });
  }
  endBefore(END);
  return flat;
}
