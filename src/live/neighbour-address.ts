// A neighbour's address of either family in a form that costs little per frame: four words as they lie in memory.
import { addressBytes, wordAt } from "../engine/address-book.ts";
import { mixWords } from "../engine/image/static-hash6.ts";

/** Wire words; of IPv4 all but the last are 0. */
export interface NeighbourAddress {
  readonly family: 4 | 6;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

export function neighbour4(word: number): NeighbourAddress { return { family: 4, a: 0, b: 0, c: 0, d: word }; }

/** Of the 16 bytes at bytes[at]. */
export function neighbour6(bytes: Uint8Array, at: number): NeighbourAddress {
  return { family: 6, a: wordAt(bytes, at), b: wordAt(bytes, at + 4), c: wordAt(bytes, at + 8), d: wordAt(bytes, at + 12) };
}

export function neighbourOf(address: number | bigint): NeighbourAddress {
  const bytes = addressBytes(address);
  return typeof address === "bigint" ? neighbour6(bytes, 0) : neighbour4(wordAt(bytes, 0));
}

export function isSame(one: NeighbourAddress, other: NeighbourAddress): boolean {
  return one.d === other.d && one.c === other.c && one.b === other.b && one.a === other.a && one.family === other.family;
}

export function hashOf({ a, b, c, d }: NeighbourAddress): number { return mixWords(a, b, c, d); }

/** Writes 16 bytes at bytes[at]. */
export function putNeighbour6(bytes: Uint8Array, at: number, { a, b, c, d }: NeighbourAddress): void {
  for (const [k, word] of [a, b, c, d].entries()) putWord(bytes, at + 4 * k, word);
}

export function putWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word & 0xff;
  bytes[at + 1] = (word >>> 8) & 0xff;
  bytes[at + 2] = (word >>> 16) & 0xff;
  bytes[at + 3] = word >>> 24;
}
