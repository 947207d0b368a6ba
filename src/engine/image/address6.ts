// IPv6 addresses as the control plane has them (128-bit numbers in host order) to the 16 bytes in wire order that the kernel
// reads, and back.
import type { Prefix6 } from "../../control/tables.ts";
import type { Arena } from "./arena.ts";

const ALL_ONES = (1n << 128n) - 1n;

/** Writes the 16 bytes at `at`. */
export function putAddress6(arena: Arena, at: number, address: bigint): void {
  arena.view.setBigUint64(at, address >> 64n, false);
  arena.view.setBigUint64(at + 8, BigInt.asUintN(64, address), false);
}

export function getAddress6(view: DataView, at: number): bigint {
  return (view.getBigUint64(at, false) << 64n) | view.getBigUint64(at + 8, false);
}

/** Network mask of a prefix length. */
export function mask6(bits: number): bigint { return ALL_ONES ^ (ALL_ONES >> BigInt(bits)); }

/** First and last address of a prefix; host bits count for nothing. */
export function range6({ address, bits }: Prefix6): { first: bigint; last: bigint } {
  const mask = mask6(bits), first = address & mask;
  return { first, last: first | (ALL_ONES ^ mask) };
}
