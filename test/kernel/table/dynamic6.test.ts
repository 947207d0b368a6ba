// The hash table with keys of two IPv6 addresses against a Map.
import { beforeEach, expect, test } from "vitest";
import { putAddress6 } from "../../../src/engine/image/address6.ts";
import { Arena, sharedMemory } from "../../../src/engine/image/arena.ts";
import { writeShard } from "../../../src/engine/image/shard-image.ts";
import { kernelOn } from "../../../src/engine/kernel-instance.ts";
import { C_LIFETIME, C_PACKETS, E_STATE, ES_LIVE, ES_USED_LATELY, T_LIVE } from "../../../src/kernel/layout.ts";
import { C6_STRIDE, S_CT6, S_FRAG6, S_NAT6 } from "../../../src/kernel/layout6.ts";
import { isFull, oldest, remove } from "../../../src/kernel/table/dynamic.ts";
import { find6, insert6, peek6 } from "../../../src/kernel/table/dynamic6.ts";
import { below, seeded, word32 } from "../seeded.ts";

interface Key {
  readonly k0: number;
  readonly daddr: bigint;
  readonly saddr: bigint;
  readonly ports: number;
}
const CAPACITY = 2000;

let arena: Arena;
let shard: number;
let key: number;

beforeEach(() => {
  const memory = sharedMemory(4 * 1024 * 1024);
  kernelOn(memory, "ts");
  arena = new Arena(memory);
  shard = writeShard(arena, { conntrack: 1, nat: 1, fragments: 1, flows: 1, ipv6: { conntrack: CAPACITY, nat: CAPACITY, fragments: 16, flows: 1 } }, 0);
  key = arena.take(32);
});

function at(operation: typeof find6, table: number, { k0, daddr, saddr, ports }: Key): number {
  putAddress6(arena, key, daddr);
  putAddress6(arena, key + 16, saddr);
  return operation(table, k0, key, key + 16, ports);
}

/** Addresses that differ in one word only, and each word differs in some pair. */
function randomAddress(random: () => number): bigint {
  return 0xfd00_0010_0001_0000_0000_0000_0000_0010n ^ (BigInt(below(random, 4)) << BigInt(32 * below(random, 4)));
}

test.each([[1, S_CT6], [2, S_NAT6]])("does what a Map does under insertions, look-ups and removals (seed %d)", (seed, offset) => {
  const random = seeded(seed), table = shard + offset, model = new Map<string, { key: Key; payload: number }>();
  for (let k = 0; k < 20_000; k++) {
    const each: Key = { k0: below(random, 3) << 16, daddr: randomAddress(random), saddr: randomAddress(random), ports: below(random, 6) };
    const text = `${each.k0} ${each.daddr} ${each.saddr} ${each.ports}`, known = model.get(text), entry = at(find6, table, each);
    expect(entry !== 0).toBe(known !== undefined);
    expect(at(peek6, table, each)).toBe(entry);
    if (known !== undefined) expect(arena.get32(entry + C_LIFETIME)).toBe(known.payload);
    if (random() < (k < 10_000 ? 0.8 : 0.3)) {
      if (known !== undefined || model.size === CAPACITY) continue;
      const made = at(insert6, table, each), payload = word32(random);
      expect(arena.get32(made + C_LIFETIME)).toBe(0);
      arena.put32(made + C_LIFETIME, payload);
      model.set(text, { key: each, payload });
    } else if (known !== undefined) {
      remove(table, entry);
      model.delete(text);
    }
    expect(arena.get32(table + T_LIVE)).toBe(model.size);
  }
  expect(model.size).toBeGreaterThan(100);
  for (const { key: each, payload } of model.values()) expect(arena.get32(at(find6, table, each) + C_LIFETIME)).toBe(payload);
});

test("an address in the place of the other is another key", () => {
  const forth: Key = { k0: 6 << 8, daddr: 1n << 96n, saddr: 2n, ports: 7 }, back: Key = { ...forth, daddr: forth.saddr, saddr: forth.daddr };
  at(insert6, shard + S_CT6, forth);
  expect(at(find6, shard + S_CT6, back)).toBe(0);
  expect(at(find6, shard + S_CT6, forth)).not.toBe(0);
});

test("a payload written to its end leaves the key alone", () => {
  const each: Key = { k0: 17 << 8, daddr: -1n & ((1n << 128n) - 1n), saddr: 1n << 127n, ports: -1 };
  const entry = at(insert6, shard + S_CT6, each);
  arena.view.setFloat64(entry + C_PACKETS, Number.MAX_VALUE, true);
  arena.view.setFloat64(entry + C_PACKETS + 8, -Number.MAX_VALUE, true);
  expect(at(find6, shard + S_CT6, each)).toBe(entry);
  expect(arena.get32(entry + C6_STRIDE)).toBe(0);
});

test("a full table takes no more, and gives up what was not looked up lately", () => {
  const table = shard + S_FRAG6, keys = Array.from({ length: 16 }, (_, k): Key => ({ k0: 0, daddr: BigInt(k) << 64n, saddr: 0n, ports: 0 }));
  const entries = keys.map((each) => at(insert6, table, each));
  expect(isFull(table)).toBe(true);
  expect(at(insert6, table, { k0: 1, daddr: 0n, saddr: 0n, ports: 0 })).toBe(0);
  expect(oldest(table)).toBe(entries[0]);
  // A look at it that the real programs do not take leaves no trace; a look-up does.
  at(peek6, table, keys[1] ?? fail());
  at(find6, table, keys[2] ?? fail());
  expect([oldest(table), oldest(table)]).toEqual([entries[1], entries[3]]);
  expect(arena.get32((entries[4] ?? 0) + E_STATE)).toBe(ES_LIVE);
  expect(arena.get32(at(find6, table, keys[4] ?? fail()) + E_STATE)).toBe(ES_LIVE | ES_USED_LATELY);
});

function fail(): never { throw new Error("no such key"); }
