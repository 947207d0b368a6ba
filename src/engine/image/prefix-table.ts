import { L_COUNT, L_ROOT, L_SIZE, L_STARTS, L_VALUES } from "../../kernel/layout.ts";
import type { Prefix } from "../../control/tables.ts";
import type { Arena } from "./arena.ts";

export interface PrefixValue {
  readonly prefix: Prefix;
  /** Address of a record; not 0. */
  readonly value: number;
}

/** From this many intervals on, a table gets a root over the upper 16 bits: 256 KiB, and at most a handful of steps. */
const ROOT_FROM = 4096;

/** Lays prefixes flat into sorted intervals and writes them as a prefix table. Of equal prefixes the last one counts.
 * Returns the table's address; 0 for no prefixes. */
export function writePrefixTable(arena: Arena, entries: readonly PrefixValue[]): number {
  if (entries.length === 0) return 0;
  const { starts, values } = flatten(entries);
  const table = arena.take(L_SIZE), startsAt = arena.take(starts.length * 4), valuesAt = arena.take(values.length * 4);
  for (const [k, start] of starts.entries()) arena.put32(startsAt + 4 * k, start);
  for (const [k, value] of values.entries()) arena.put32(valuesAt + 4 * k, value);
  arena.put32(table + L_COUNT, starts.length);
  arena.put32(table + L_STARTS, startsAt);
  arena.put32(table + L_VALUES, valuesAt);
  arena.put32(table + L_ROOT, starts.length < ROOT_FROM ? 0 : writeRoot(arena, starts));
  return table;
}

/** First interval that holds the start of each 16-bit chunk; one word more than chunks, so that the next one bounds. */
function writeRoot(arena: Arena, starts: readonly number[]): number {
  const root = arena.take(65_537 * 4);
  let interval = 0;
  for (let chunk = 0; chunk < 65_536; chunk++) {
    const address = chunk * 65_536;
    while (interval + 1 < starts.length && (starts[interval + 1] ?? 0) <= address) interval++;
    arena.put32(root + 4 * chunk, interval);
  }
  arena.put32(root + 4 * 65_536, starts.length - 1);
  return root;
}

function flatten(entries: readonly PrefixValue[]): { starts: number[]; values: number[] } {
  const distinct = new Map<string, { first: number; last: number; bits: number; value: number }>();
  for (const { prefix, value } of entries) {
    const span = 2 ** (32 - prefix.bits);
    const first = Math.floor(prefix.address / span) * span;
    distinct.set(`${first}/${prefix.bits}`, { first, last: first + span - 1, bits: prefix.bits, value });
  }
  const sorted = [...distinct.values()].sort((a, b) => a.first - b.first || a.bits - b.bits);
  const starts = [0], values = [0];
  const put = (start: number, value: number): void => {
    if (start > 0xffffffff) return;
    if (starts.at(-1) === start) values[values.length - 1] = value;
    else if (values.at(-1) !== value) {
      starts.push(start);
      values.push(value);
    }
  };
  const open: { last: number; value: number }[] = [];
  const closeBefore = (start: number): void => {
    for (let top = open.at(-1); top !== undefined && top.last < start; top = open.at(-1)) {
      open.pop();
      put(top.last + 1, open.at(-1)?.value ?? 0);
    }
  };
  for (const entry of sorted) {
    closeBefore(entry.first);
    put(entry.first, entry.value);
    open.push(entry);
  }
  closeBefore(Number.POSITIVE_INFINITY);
  return { starts, values };
}
