// Read-only tables with 16-byte keys (see static.ts).
import { ld32, ltu, mul, swap32 } from "../mem.ts";
import { L_COUNT, L_STARTS, L_VALUES, SH_MASK, SH_SLOTS, SH_STRIDE, SH_USED } from "../layout.ts";
import { KEY6_BYTES, PS6_TABLE, START6_SHIFT } from "../layout6.ts";
import { sameAddress6 } from "../wire/address6.ts";
import { hashAddress6 } from "./dynamic6.ts";

/** Slot whose key, its last 16 bytes, equals the 16 bytes at `key`; 0 for none. */
export function staticFind6(table: i32, key: i32): i32 {
  if (table === 0) return 0;
  const mask: i32 = ld32(table + SH_MASK), slots: i32 = ld32(table + SH_SLOTS), stride: i32 = ld32(table + SH_STRIDE);
  const used: i32 = ld32(table + SH_USED);
  let slot: i32 = hashAddress6(key) & mask;
  while (true) {
    const at: i32 = slots + mul(slot, stride);
    if (ld32(at + used) === 0) return 0;
    if (sameAddress6(at + stride - KEY6_BYTES, key)) return at;
    slot = (slot + 1) & mask;
  }
}

/** Longest-prefix match of the 16 bytes at `address`: the value word of its interval, 0 for none. */
export function prefixFind6(table: i32, address: i32): i32 {
  if (table === 0) return 0;
  const a: i32 = swap32(ld32(address)), b: i32 = swap32(ld32(address + 4)), c: i32 = swap32(ld32(address + 8)), d: i32 = swap32(ld32(address + 12));
  const starts: i32 = ld32(table + L_STARTS);
  let low: i32 = 0, high: i32 = ld32(table + L_COUNT);
  while (high - low > 1) {
    const middle: i32 = (low + high) >>> 1;
    if (startsBehind(starts + (middle << START6_SHIFT), a, b, c, d)) high = middle;
    else low = middle;
  }
  return ld32(ld32(table + L_VALUES) + (low << 2));
}

/** Is the interval's start, four words in host order, greater than (a, b, c, d)? */
function startsBehind(start: i32, a: i32, b: i32, c: i32, d: i32): boolean {
  if (ld32(start) !== a) return ltu(a, ld32(start));
  if (ld32(start + 4) !== b) return ltu(b, ld32(start + 4));
  if (ld32(start + 8) !== c) return ltu(c, ld32(start + 8));
  return ltu(d, ld32(start + 12));
}

/** Egress policy look-up: exact source, longest destination prefix. The record, or 0. */
export function policyFind6(table: i32, source: i32, destination: i32): i32 {
  const slot: i32 = staticFind6(table, source);
  return slot === 0 ? 0 : prefixFind6(ld32(slot + PS6_TABLE), destination);
}
