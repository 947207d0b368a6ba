import fc from "fast-check";
import { expect, it } from "vitest";
import { AddressBook } from "../../src/engine/address-book.ts";
import { wireWord } from "../../src/engine/image/arena.ts";
import { ADDRESS_FURTHER, ADDRESS_NODE, ADDRESS_POD } from "../../src/engine/image/cluster-image.ts";

const anAddress = fc.nat(0xffffffff);
const entries = fc.uniqueArray(fc.record({ address: anAddress, node: fc.nat(4000), kind: fc.constantFrom(ADDRESS_POD, ADDRESS_NODE, ADDRESS_FURTHER) }), {
  maxLength: 200, selector: ({ address }) => address,
});

it("an address book knows every address it was given, and no other", () => {
  fc.assert(fc.property(entries, fc.array(anAddress, { maxLength: 50 }), (given, others) => {
    const book = new AddressBook(given.map((entry) => ({ ...entry, ifindex: 2, mac: [] })));
    for (const { address, node, kind } of given) {
      const handle = book.find(wireWord(address));
      expect([book.nodeOf(handle), book.kindOf(handle)]).toEqual([node, kind]);
    }
    for (const address of others) expect(book.find(wireWord(address)) >= 0).toBe(given.some((entry) => entry.address === address));
  }), { seed: 1 });
});

it("an address book finds its way around addresses that are neighbours of each other", () => {
  const given = Array.from({ length: 5000 }, (_, k) => ({ address: 0x0a000000 + k, node: k, kind: ADDRESS_POD, ifindex: 2, mac: [] }));
  const book = new AddressBook(given);
  for (const { address, node } of given) expect(book.nodeOf(book.find(wireWord(address)))).toBe(node);
  expect(book.find(wireWord(0x0a000000 + given.length))).toBe(-1);
});
