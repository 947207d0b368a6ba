// Tables that the control plane builds and the datapath only reads.
import { ld32, ltu, mul, swap32 } from "../mem.ts";
import { L_COUNT, L_ROOT, L_STARTS, L_VALUES, PS_TABLE, SH_MASK, SH_SLOTS, SH_STRIDE, SH_USED } from "../layout.ts";
import { hash1 } from "./hash.ts";

/** Slot whose first word is `key`, 0 for none. */
export function staticFind(table: i32, key: i32): i32 {
  if (table === 0) return 0;
  const mask: i32 = ld32(table + SH_MASK), slots: i32 = ld32(table + SH_SLOTS), stride: i32 = ld32(table + SH_STRIDE);
  const used: i32 = ld32(table + SH_USED);
  let slot: i32 = hash1(key) & mask;
  while (true) {
    const at: i32 = slots + mul(slot, stride);
    if (ld32(at + used) === 0) return 0;
    if (ld32(at) === key) return at;
    slot = (slot + 1) & mask;
  }
}

/** Longest-prefix match of an address (wire word): the value word of its interval, 0 for none. The intervals are the
 * prefixes laid flat, so the match is one binary search, narrowed to one 16-bit chunk where the table has a root. */
export function prefixFind(table: i32, address: i32): i32 {
  return table === 0 ? 0 : intervalFind(table, swap32(address));
}

/** The same for a table that is there, and a number in host order. */
export function intervalFind(table: i32, number: i32): i32 {
  let low: i32 = 0, high: i32 = ld32(table + L_COUNT);
  const root: i32 = ld32(table + L_ROOT);
  if (root !== 0) {
    const chunk: i32 = root + ((number >>> 16) << 2);
    low = ld32(chunk);
    high = ld32(chunk + 4) + 1;
  }
  const starts: i32 = ld32(table + L_STARTS);
  while (high - low > 1) {
    const middle: i32 = (low + high) >>> 1;
    if (ltu(number, ld32(starts + (middle << 2)))) high = middle;
    else low = middle;
  }
  return ld32(ld32(table + L_VALUES) + (low << 2));
}

/** Egress policy look-up: exact source, longest destination prefix. The record, or 0. */
export function policyFind(table: i32, source: i32, destination: i32): i32 {
  const slot: i32 = staticFind(table, source);
  return slot === 0 ? 0 : prefixFind(ld32(slot + PS_TABLE), destination);
}

