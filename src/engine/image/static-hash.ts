import { SH_MASK, SH_SIZE, SH_SLOTS, SH_STRIDE, SH_USED } from "../../kernel/layout.ts";
import type { Arena } from "./arena.ts";

/** The kernel's hash1 (src/kernel/table/hash.ts); a test holds the two together. */
export function hashWord(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export interface StaticEntry {
  /** First word of the slot. */
  readonly key: number;
  /** Writes the slot's other words; `at` is the slot's address. One of them must make the word at `used` not 0. */
  readonly write: (at: number) => void;
}

/** A read-only hash of fixed-size slots, at most half full. Keys must differ. Returns its address; 0 for no entries. */
export function writeStaticHash(arena: Arena, stride: number, used: number, entries: readonly StaticEntry[]): number {
  if (entries.length === 0) return 0;
  let slots = 2;
  while (slots < entries.length * 2) slots *= 2;
  const table = arena.take(SH_SIZE), slotsAt = arena.take(slots * stride);
  arena.put32(table + SH_MASK, slots - 1);
  arena.put32(table + SH_SLOTS, slotsAt);
  arena.put32(table + SH_STRIDE, stride);
  arena.put32(table + SH_USED, used);
  for (const { key, write } of entries) {
    let slot = hashWord(key) & (slots - 1);
    while (arena.get32(slotsAt + slot * stride + used) !== 0) slot = (slot + 1) & (slots - 1);
    const at = slotsAt + slot * stride;
    arena.put32(at, key);
    write(at);
  }
  return table;
}
