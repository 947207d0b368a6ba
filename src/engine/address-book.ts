import type { ClusterAddressOf } from "./image/cluster-addresses.ts";
import { hashWord } from "./image/static-hash.ts";
import { mixWords } from "./image/static-hash6.ts";
import { wireWord } from "./image/arena.ts";

/** An address, the number it stands for (a node's) and what it is as. */
export type BookedAddress<Address> = Pick<ClusterAddressOf<Address>, "address" | "node" | "kind">;

/** Which node an address belongs to, for steering. Addresses are read where they lie in a frame. */
export interface AddressBook {
  /** A handle for nodeOf and kindOf of the address at bytes[at], or -1 for one that is none of the cluster's. */
  find(bytes: Uint8Array, at: number): number;
  nodeOf(handle: number): number;
  kindOf(handle: number): number;
  /** 32-bit mix of the address at bytes[at]. */
  hash(bytes: Uint8Array, at: number): number;
}

export function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

/** The 4 or 16 bytes of an address in wire order. */
export function addressBytes(address: number | bigint): Uint8Array {
  const bytes = new Uint8Array(typeof address === "bigint" ? 16 : 4), view = new DataView(bytes.buffer);
  if (typeof address === "bigint") {
    view.setBigUint64(0, address >> 64n);
    view.setBigUint64(8, BigInt.asUintN(64, address));
  } else view.setUint32(0, address);
  return bytes;
}

/** The kernel's hashAddress6 of the 16 bytes at bytes[at]. */
export function hashAddress6(bytes: Uint8Array, at: number): number {
  return mixWords(wordAt(bytes, at), wordAt(bytes, at + 4), wordAt(bytes, at + 8), wordAt(bytes, at + 12));
}

function slotsFor(entries: number): number {
  let slots = 16;
  while (slots < entries * 2) slots *= 2;
  return slots;
}

const NODE = 1, KIND = 2, WORDS = 3;

/** Open addressing over one Int32Array (a number-keyed Map costs three times as much a look-up: 40 against 13.5 ns in the
 * prototypes). Keys are wire words. */
export class AddressBook4 implements AddressBook {
  readonly #slots: Int32Array;
  readonly #mask: number;

  constructor(addresses: readonly BookedAddress<number>[]) {
    const slots = slotsFor(addresses.length);
    this.#slots = new Int32Array(slots * WORDS);
    this.#mask = slots - 1;
    for (const { address, node, kind } of addresses) {
      const key = wireWord(address);
      let slot = hashWord(key) & this.#mask;
      while ((this.#slots[slot * WORDS + KIND] ?? 0) !== 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot * WORDS] = key;
      this.#slots[slot * WORDS + NODE] = node;
      this.#slots[slot * WORDS + KIND] = kind;
    }
  }

  find(bytes: Uint8Array, at: number): number {
    const word = wordAt(bytes, at);
    let slot = hashWord(word) & this.#mask;
    for (;;) {
      const entry = slot * WORDS;
      if (this.#slots[entry + KIND] === 0) return -1;
      if (this.#slots[entry] === word) return entry;
      slot = (slot + 1) & this.#mask;
    }
  }

  nodeOf(handle: number): number {
    return this.#slots[handle + NODE] ?? 0;
  }

  kindOf(handle: number): number {
    return this.#slots[handle + KIND] ?? 0;
  }

  hash(bytes: Uint8Array, at: number): number {
    return hashWord(wordAt(bytes, at));
  }
}

const NODE6 = 4, KIND6 = 5, WORDS6 = 6;

/** The same with keys of four wire words. */
export class AddressBook6 implements AddressBook {
  readonly #slots: Int32Array;
  readonly #mask: number;

  constructor(addresses: readonly BookedAddress<bigint>[]) {
    const slots = slotsFor(addresses.length);
    this.#slots = new Int32Array(slots * WORDS6);
    this.#mask = slots - 1;
    for (const { address, node, kind } of addresses) {
      const key = addressBytes(address);
      let slot = this.hash(key, 0) & this.#mask;
      while ((this.#slots[slot * WORDS6 + KIND6] ?? 0) !== 0) slot = (slot + 1) & this.#mask;
      for (let k = 0; k < 4; k++) this.#slots[slot * WORDS6 + k] = wordAt(key, 4 * k);
      this.#slots[slot * WORDS6 + NODE6] = node;
      this.#slots[slot * WORDS6 + KIND6] = kind;
    }
  }

  find(bytes: Uint8Array, at: number): number {
    const slots = this.#slots, a = wordAt(bytes, at), b = wordAt(bytes, at + 4), c = wordAt(bytes, at + 8), d = wordAt(bytes, at + 12);
    let slot = mixWords(a, b, c, d) & this.#mask;
    for (;;) {
      const entry = slot * WORDS6;
      if (slots[entry + KIND6] === 0) return -1;
      if (slots[entry + 3] === d && slots[entry + 2] === c && slots[entry + 1] === b && slots[entry] === a) return entry;
      slot = (slot + 1) & this.#mask;
    }
  }

  nodeOf(handle: number): number {
    return this.#slots[handle + NODE6] ?? 0;
  }

  kindOf(handle: number): number {
    return this.#slots[handle + KIND6] ?? 0;
  }

  hash(bytes: Uint8Array, at: number): number {
    return hashAddress6(bytes, at);
  }
}
