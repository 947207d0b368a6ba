import { SH_MASK, SH_SIZE, SH_SLOTS, SH_STRIDE, SH_USED } from "../../kernel/layout.ts";
import { KEY6_BYTES } from "../../kernel/layout6.ts";
import { putAddress6 } from "./address6.ts";
import type { Arena } from "./arena.ts";

/** The kernel's hash4 (src/kernel/table/hash.ts); a test holds the two together. */
export function mixWords(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a ^ 0x1b873593, 0x85ebca6b);
  h = Math.imul(h ^ b ^ (h >>> 15), 0xc2b2ae35);
  h = Math.imul(h ^ c ^ (h >>> 13), 0x27d4eb2f);
  h = Math.imul(h ^ d ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The kernel's hashAddress6 of the 16 bytes at `at`. */
export function hashAddress6At(arena: Arena, at: number): number {
  return mixWords(arena.get32(at), arena.get32(at + 4), arena.get32(at + 8), arena.get32(at + 12));
}

export interface StaticEntry6 {
  /** Last 16 bytes of the slot. */
  readonly key: bigint;
  /** Writes the slot's other words; `at` is the slot's address. One of them must make the word at `used` not 0. */
  readonly write: (at: number) => void;
}

/** As writeStaticHash, with 16-byte keys. Keys must differ. Returns its address; 0 for no entries. */
export function writeStaticHash6(arena: Arena, stride: number, used: number, entries: readonly StaticEntry6[]): number {
  if (entries.length === 0) return 0;
  let slots = 2;
  while (slots < entries.length * 2) slots *= 2;
  const table = arena.take(SH_SIZE), slotsAt = arena.take(slots * stride), key16 = arena.take(KEY6_BYTES);
  arena.put32(table + SH_MASK, slots - 1);
  arena.put32(table + SH_SLOTS, slotsAt);
  arena.put32(table + SH_STRIDE, stride);
  arena.put32(table + SH_USED, used);
  for (const { key, write } of entries) {
    putAddress6(arena, key16, key);
    let slot = hashAddress6At(arena, key16) & (slots - 1);
    while (arena.get32(slotsAt + slot * stride + used) !== 0) slot = (slot + 1) & (slots - 1);
    const at = slotsAt + slot * stride;
    putAddress6(arena, at + stride - KEY6_BYTES, key);
    write(at);
  }
  return table;
}
