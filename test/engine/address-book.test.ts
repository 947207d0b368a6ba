import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AddressBook, AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { ADDRESS_FURTHER, ADDRESS_NODE, ADDRESS_POD, type ClusterAddressOf } from "../../src/engine/image/cluster-addresses.ts";

type Address = number | bigint;

/** The address in wire order behind three bytes that are none of its own. */
function bytesOf(address: Address): Uint8Array {
  const digits = typeof address === "bigint" ? address.toString(16).padStart(32, "0") : address.toString(16).padStart(8, "0");
  return Buffer.concat([Buffer.alloc(3, 0xff), Buffer.from(digits, "hex")]);
}

const bookOf = (entries: readonly ClusterAddressOf<Address>[]): AddressBook => (typeof entries[0]?.address === "bigint"
  ? new AddressBook6(entries as ClusterAddressOf<bigint>[]) : new AddressBook4(entries as ClusterAddressOf<number>[]));

// Few different words, so that addresses share most of theirs.
const aWord = fc.constantFrom(0n, 1n, 0xfd000010n, 0xffffffffn);
const FAMILIES: readonly (readonly [string, fc.Arbitrary<Address>, Address])[] = [
  ["IPv4", fc.nat(0xffffffff), 0x0a000000],
  ["IPv6", fc.tuple(aWord, aWord, aWord, aWord).map((words) => words.reduce<bigint>((sum, word) => (sum << 32n) | word, 0n)), 0xfd00_0010n << 96n],
];

describe.each(FAMILIES)("a book of %s addresses", (_, anAddress, first) => {
  const entries = fc.uniqueArray(fc.record({ address: anAddress, node: fc.nat(4000), kind: fc.constantFrom(ADDRESS_POD, ADDRESS_NODE, ADDRESS_FURTHER) }), {
    minLength: 1, maxLength: 200, selector: ({ address }) => address,
  });

  it("knows every address it was given, and no other", () => {
    fc.assert(fc.property(entries, fc.array(anAddress, { maxLength: 50 }), (given, others) => {
      const book = bookOf(given.map((entry) => ({ ...entry, ifindex: 2, mac: [] })));
      for (const { address, node, kind } of given) {
        const handle = book.find(bytesOf(address), 3);
        expect([book.nodeOf(handle), book.kindOf(handle)]).toEqual([node, kind]);
      }
      for (const address of others) expect(book.find(bytesOf(address), 3) >= 0).toBe(given.some((entry) => entry.address === address));
    }), { seed: 1 });
  });

  it("finds its way around addresses that are neighbours of each other", () => {
    const nth = (k: number): Address => (typeof first === "bigint" ? first + BigInt(k) : first + k);
    const given = Array.from({ length: 5000 }, (_, k) => ({ address: nth(k), node: k, kind: ADDRESS_POD, ifindex: 2, mac: [] }));
    const book = bookOf(given);
    for (const { address, node } of given) expect(book.nodeOf(book.find(bytesOf(address), 3))).toBe(node);
    expect(book.find(bytesOf(nth(given.length)), 3)).toBe(-1);
  });
});
