// The growing hash table (dynamic.ts) with keys of two 16-byte addresses: the head holds their last words, so that most
// comparisons end there, the entry's tail both whole. Removal, eviction and growth are dynamic.ts's own.
import { copy, ld32, st32 } from "../mem.ts";
import { E_STATE, ES_LIVE, ES_USED_LATELY, K0, K1, K2, K3, T_INDEX, T_MASK, T_TAIL } from "../layout.ts";
import { TAIL_DADDR, TAIL_SADDR } from "../layout6.ts";
import { sameAddress6 } from "../wire/address6.ts";
import { claim } from "./dynamic.ts";
import { hash4 } from "./hash.ts";

/** 32-bit mix of a 16-byte address. */
export function hashAddress6(at: i32): i32 { return hash4(ld32(at), ld32(at + 4), ld32(at + 8), ld32(at + 12)); }

function hash6(k0: i32, daddr: i32, saddr: i32, k3: i32): i32 { return hash4(k0, hashAddress6(daddr), hashAddress6(saddr), k3); }

function locate(table: i32, hash: i32, k0: i32, daddr: i32, saddr: i32, k3: i32): i32 {
  const index: i32 = ld32(table + T_INDEX), mask: i32 = ld32(table + T_MASK), tail: i32 = ld32(table + T_TAIL);
  let slot: i32 = hash & mask;
  while (true) {
    const at: i32 = index + (slot << 3);
    const entry: i32 = ld32(at + 4);
    if (entry === 0) return 0;
    if (ld32(at) === hash && ld32(entry + K0) === k0 && ld32(entry + K3) === k3 && sameAddress6(entry + tail + TAIL_DADDR, daddr) &&
      sameAddress6(entry + tail + TAIL_SADDR, saddr)) return entry;
    slot = (slot + 1) & mask;
  }
}

/** Address of the entry with this key, 0 for none; `daddr` and `saddr` are where the 16 bytes lie. Marks it as used. */
export function find6(table: i32, k0: i32, daddr: i32, saddr: i32, k3: i32): i32 {
  const entry: i32 = locate(table, hash6(k0, daddr, saddr, k3), k0, daddr, saddr, k3);
  if (entry !== 0 && ld32(entry + E_STATE) !== (ES_LIVE | ES_USED_LATELY)) st32(entry + E_STATE, ES_LIVE | ES_USED_LATELY);
  return entry;
}

/** The same without marking: for questions that the real programs do not ask. */
export function peek6(table: i32, k0: i32, daddr: i32, saddr: i32, k3: i32): i32 {
  return locate(table, hash6(k0, daddr, saddr, k3), k0, daddr, saddr, k3);
}

/** A new entry with this key, which the table must not hold yet; its payload is zero. 0 when the table is full. */
export function insert6(table: i32, k0: i32, daddr: i32, saddr: i32, k3: i32): i32 {
  const entry: i32 = claim(table, hash6(k0, daddr, saddr, k3));
  if (entry === 0) return 0;
  const tail: i32 = entry + ld32(table + T_TAIL);
  st32(entry + K0, k0);
  st32(entry + K1, ld32(daddr + 12));
  st32(entry + K2, ld32(saddr + 12));
  st32(entry + K3, k3);
  copy(tail + TAIL_DADDR, daddr, 16);
  copy(tail + TAIL_SADDR, saddr, 16);
  return entry;
}
