// Hash table with dense entries: an index of {hash, entry} slots with linear probing, and entries handed out one after
// the other, so that a small run touches little memory and a big one grows the index in place, up to a fixed end.
// Deletion shifts slots back (no tombstones). A full table is the caller's affair (see evict).
import { fill, ld32, mul, st32 } from "../mem.ts";
import { hash4 } from "./hash.ts";
import {
  E_HASH, E_NEXT, E_STATE, ES_LIVE, ES_USED_LATELY, K0, K1, K2, K3, T_CAPACITY, T_ENTRIES, T_FREE, T_HAND, T_INDEX, T_LIVE, T_MASK, T_MAX_MASK,
  T_STRIDE, T_USED,
} from "../layout.ts";

const SLOT_SHIFT: i32 = 3;

/** Address of the entry with this key, 0 for none. Marks it as used lately, as the kernel's LRU does on look-up. */
export function find(table: i32, k0: i32, k1: i32, k2: i32, k3: i32): i32 { return findHashed(table, hash4(k0, k1, k2, k3), k0, k1, k2, k3); }

/** The same with the key's hash at hand. */
export function findHashed(table: i32, hash: i32, k0: i32, k1: i32, k2: i32, k3: i32): i32 {
  const index: i32 = ld32(table + T_INDEX), mask: i32 = ld32(table + T_MASK);
  let slot: i32 = hash & mask;
  while (true) {
    const at: i32 = index + (slot << SLOT_SHIFT);
    const entry: i32 = ld32(at + 4);
    if (entry === 0) return 0;
    if (ld32(at) === hash && ld32(entry + K0) === k0 && ld32(entry + K1) === k1 && ld32(entry + K2) === k2 && ld32(entry + K3) === k3) {
      if (ld32(entry + E_STATE) !== (ES_LIVE | ES_USED_LATELY)) st32(entry + E_STATE, ES_LIVE | ES_USED_LATELY);
      return entry;
    }
    slot = (slot + 1) & mask;
  }
}

function place(index: i32, mask: i32, hash: i32, entry: i32): void {
  let slot: i32 = hash & mask;
  while (ld32(index + (slot << SLOT_SHIFT) + 4) !== 0) slot = (slot + 1) & mask;
  st32(index + (slot << SLOT_SHIFT), hash);
  st32(index + (slot << SLOT_SHIFT) + 4, entry);
}

function grow(table: i32): void {
  const mask: i32 = (ld32(table + T_MASK) << 1) | 1;
  const index: i32 = ld32(table + T_INDEX);
  fill(index, 0, (mask + 1) << SLOT_SHIFT);
  st32(table + T_MASK, mask);
  const stride: i32 = ld32(table + T_STRIDE);
  const end: i32 = ld32(table + T_ENTRIES) + mul(ld32(table + T_USED), stride);
  for (let entry: i32 = ld32(table + T_ENTRIES); entry < end; entry += stride)
    if ((ld32(entry + E_STATE) & ES_LIVE) !== 0) place(index, mask, ld32(entry + E_HASH), entry);
}

export function isFull(table: i32): boolean { return ld32(table + T_LIVE) >= ld32(table + T_CAPACITY); }

/** A new entry under this hash, all zero but for hash and state: its key is the caller's to write. 0 when the table is
 * full. */
export function claim(table: i32, hash: i32): i32 {
  const live: i32 = ld32(table + T_LIVE);
  if (live >= ld32(table + T_CAPACITY)) return 0;
  if (((live + 1) << 1) > ld32(table + T_MASK) && ld32(table + T_MASK) < ld32(table + T_MAX_MASK)) grow(table);
  const stride: i32 = ld32(table + T_STRIDE);
  let entry: i32 = ld32(table + T_FREE);
  if (entry !== 0) {
    st32(table + T_FREE, ld32(entry + E_NEXT));
    fill(entry, 0, stride);
  } else {
    // What was never used is zero, as all memory begins.
    const used: i32 = ld32(table + T_USED);
    entry = ld32(table + T_ENTRIES) + mul(used, stride);
    st32(table + T_USED, used + 1);
  }
  st32(entry + E_HASH, hash);
  st32(entry + E_STATE, ES_LIVE | ES_USED_LATELY);
  place(ld32(table + T_INDEX), ld32(table + T_MASK), hash, entry);
  st32(table + T_LIVE, live + 1);
  return entry;
}

/** A new entry with this key, which the table must not hold yet; its payload is zero. 0 when the table is full. */
export function insert(table: i32, k0: i32, k1: i32, k2: i32, k3: i32): i32 {
  const entry: i32 = claim(table, hash4(k0, k1, k2, k3));
  if (entry === 0) return 0;
  st32(entry + K0, k0);
  st32(entry + K1, k1);
  st32(entry + K2, k2);
  st32(entry + K3, k3);
  return entry;
}

/** Takes an entry out. Slots behind it that would no longer be found move up (Knuth 6.4, algorithm R). */
export function remove(table: i32, entry: i32): void {
  const index: i32 = ld32(table + T_INDEX), mask: i32 = ld32(table + T_MASK);
  let hole: i32 = ld32(entry + E_HASH) & mask;
  while (ld32(index + (hole << SLOT_SHIFT) + 4) !== entry) hole = (hole + 1) & mask;
  let slot: i32 = hole;
  while (true) {
    slot = (slot + 1) & mask;
    const at: i32 = index + (slot << SLOT_SHIFT);
    const moved: i32 = ld32(at + 4);
    if (moved === 0) break;
    const home: i32 = ld32(at) & mask;
    if (((slot - home) & mask) >= ((slot - hole) & mask)) {
      st32(index + (hole << SLOT_SHIFT), ld32(at));
      st32(index + (hole << SLOT_SHIFT) + 4, moved);
      hole = slot;
    }
  }
  st32(index + (hole << SLOT_SHIFT), 0);
  st32(index + (hole << SLOT_SHIFT) + 4, 0);
  st32(entry + E_STATE, 0);
  st32(entry + E_NEXT, ld32(table + T_FREE));
  st32(table + T_FREE, entry);
  st32(table + T_LIVE, ld32(table + T_LIVE) - 1);
}

/** The next entry that was not used since the hand last passed (second chance): equivalent to the kernel's LRU, not
 * equal to it. The table must hold at least one entry. */
export function oldest(table: i32): i32 {
  const stride: i32 = ld32(table + T_STRIDE), used: i32 = ld32(table + T_USED), entries: i32 = ld32(table + T_ENTRIES);
  let hand: i32 = ld32(table + T_HAND);
  while (true) {
    if (hand >= used) hand = 0;
    const entry: i32 = entries + mul(hand, stride);
    hand = hand + 1;
    const state: i32 = ld32(entry + E_STATE);
    if (state === ES_LIVE) {
      st32(table + T_HAND, hand);
      return entry;
    }
    if (state === (ES_LIVE | ES_USED_LATELY)) st32(entry + E_STATE, ES_LIVE);
  }
}
