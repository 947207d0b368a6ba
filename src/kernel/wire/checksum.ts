// Internet checksum arithmetic (RFC 1071, RFC 1624 eq. 3) as the kernel's BPF helpers do it. Sums are over raw 16-bit
// halves as they lie in memory; one's-complement sums do not care about byte order.
import { ld16, ld8, st16 } from "../mem.ts";

/** Folds a sum of 16-bit halves to 16 bits. */
export function csumFold(sum: i32): i32 {
  let s: i32 = (sum & 0xffff) + (sum >>> 16);
  s = (s & 0xffff) + (s >>> 16);
  return s;
}

/** The two halves of a 32-bit value, added. */
export function csumHalves(word: i32): i32 { return (word & 0xffff) + (word >>> 16); }

/** csum_diff(from, to): what replacing one 32-bit value by another adds to a sum; folded, never 0 unless nothing was added. */
export function csumDiff32(from: i32, to: i32): i32 { return csumFold(csumHalves(~from) + csumHalves(to)); }

/** csum_diff of `length` bytes, an even number, below 64 KiB: what replacing those at `from` by those at `to` adds to a sum. */
export function csumDiffBytes(from: i32, to: i32, length: i32): i32 {
  let sum: i32 = 0;
  for (let k: i32 = 0; k < length; k += 2) sum = csumFold(sum + (~ld16(from + k) & 0xffff) + ld16(to + k));
  return sum;
}

/** csum_replace2 (include/net/checksum.h): 16-bit arithmetic, used for the IPv4 header's own fields. */
export function csumReplace16(at: i32, from: i32, to: i32): void {
  let s: i32 = (~ld16(at) & 0xffff) + (~from & 0xffff);
  s = (s & 0xffff) + (s >>> 16);
  s = s + to;
  s = (s & 0xffff) + (s >>> 16);
  st16(at, ~s & 0xffff);
}

/** csum_replace_by_diff: the helper works on 32 bits, so its sum is never 0 and the field never becomes 0xffff. */
export function csumApplyDiff(at: i32, diff: i32): void {
  const s: i32 = csumFold((~ld16(at) & 0xffff) + 0xffff + diff);
  st16(at, ~s & 0xffff);
}

/** Sum of `length` bytes at `at`, an odd last byte padded with zero; folded. `length` below 64 KiB. */
export function csumBytes(at: i32, length: i32, seed: i32): i32 {
  let sum: i32 = seed;
  const end: i32 = at + (length & ~1);
  for (let p: i32 = at; p < end; p += 2) {
    sum = sum + ld16(p);
    // 2^15 additions of 16 bits stay below 2^31.
    if (sum > 0x3fffffff) sum = csumFold(sum);
  }
  if ((length & 1) !== 0) sum = sum + ld8(end);
  return csumFold(csumFold(sum));
}
