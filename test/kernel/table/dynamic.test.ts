// The hash table of conntrack and NAT against a Map.
import { beforeEach, expect, test } from "vitest";
import { Arena, sharedMemory } from "../../../src/engine/image/arena.ts";
import { writeShard } from "../../../src/engine/image/shard-image.ts";
import { kernelOn } from "../../../src/engine/kernel-instance.ts";
import {
  C_LIFETIME, C_STRIDE, E_HASH, E_STATE, ES_LIVE, ES_USED_LATELY, K0, K1, K2, K3, S_CT, T_CAPACITY, T_ENTRIES, T_INDEX, T_LIVE, T_MASK, T_MAX_MASK,
  T_STRIDE, T_USED,
} from "../../../src/kernel/layout.ts";
import { find, insert, isFull, oldest, remove } from "../../../src/kernel/table/dynamic.ts";
import { below, seeded, word32 } from "../seeded.ts";

type Key = readonly [number, number, number, number];
const keyText = (key: Key): string => key.join(" ");

let arena: Arena;
let table: number;

function newTable(capacity: number): void {
  const memory = sharedMemory(4 * 1024 * 1024);
  kernelOn(memory, "ts");
  arena = new Arena(memory);
  table = writeShard(arena, { conntrack: capacity, nat: 1, fragments: 1, flows: 1 }, 0) + S_CT;
}

/** Everything that holds between operations; keys of the live entries. */
function checkInvariants(): Set<string> {
  const mask = arena.get32(table + T_MASK), index = arena.get32(table + T_INDEX);
  expect(mask).toBeLessThanOrEqual(arena.get32(table + T_MAX_MASK));
  const entries = arena.get32(table + T_ENTRIES), stride = arena.get32(table + T_STRIDE), used = arena.get32(table + T_USED);
  expect(stride).toBe(C_STRIDE);
  expect(used).toBeLessThanOrEqual(arena.get32(table + T_CAPACITY));
  const live = new Set<string>();
  for (let k = 0; k < used; k++) {
    const at = entries + k * stride;
    if ((arena.get32(at + E_STATE) & ES_LIVE) === 0) continue;
    live.add(keyText([arena.get32(at + K0), arena.get32(at + K1), arena.get32(at + K2), arena.get32(at + K3)]));
  }
  expect(live.size).toBe(arena.get32(table + T_LIVE));
  let filled = 0;
  for (let slot = 0; slot <= mask; slot++) {
    const entry = arena.get32(index + 8 * slot + 4);
    if (entry === 0) continue;
    filled++;
    expect(arena.get32(index + 8 * slot)).toBe(arena.get32(entry + E_HASH));
    // No hole between an entry's home slot and where it lies, or look-ups would stop short of it.
    for (let home = arena.get32(entry + E_HASH) & mask; home !== slot; home = (home + 1) & mask) expect(arena.get32(index + 8 * home + 4)).not.toBe(0);
  }
  expect(filled).toBe(live.size);
  return live;
}

beforeEach(() => newTable(3000));

test.each([1, 2, 3])("does what a Map does under insertions, look-ups and removals (seed %d)", (seed) => {
  const random = seeded(seed), model = new Map<string, { key: Key; payload: number }>();
  for (let k = 0; k < 30_000; k++) {
    // Few distinct words, so that keys meet again and differ in one word only.
    const key: Key = [below(random, 3) << 16, below(random, 40), below(random, 40), below(random, 4)];
    const text = keyText(key), known = model.get(text), entry = find(table, ...key);
    expect(entry !== 0).toBe(known !== undefined);
    if (known !== undefined) expect(arena.get32(entry + C_LIFETIME)).toBe(known.payload);
    // Grows for the first half, shrinks for the second.
    if (random() < (k < 15_000 ? 0.8 : 0.3)) {
      if (known !== undefined || model.size === 3000) continue;
      const at = insert(table, ...key), payload = word32(random);
      expect(arena.get32(at + C_LIFETIME)).toBe(0);
      arena.put32(at + C_LIFETIME, payload);
      model.set(text, { key, payload });
    } else if (known !== undefined) {
      remove(table, entry);
      model.delete(text);
    }
    if (k % 5000 === 4999) expect(checkInvariants()).toEqual(new Set(model.keys()));
  }
  for (const { key, payload } of model.values()) expect(arena.get32(find(table, ...key) + C_LIFETIME)).toBe(payload);
});

test("grows from 256 slots as entries come, and keeps every entry", () => {
  const keys = Array.from({ length: 3000 }, (_, k): Key => [6 << 8, k, -k, (k << 16) | k]);
  const masks = new Set<number>();
  for (const key of keys) {
    expect(insert(table, ...key)).not.toBe(0);
    masks.add(arena.get32(table + T_MASK));
  }
  expect([...masks]).toEqual([255, 511, 1023, 2047, 4095, 8191]);
  expect(checkInvariants().size).toBe(3000);
  for (const key of keys) expect(find(table, ...key)).not.toBe(0);
});

test("a full table takes no more, and takes one again after a removal", () => {
  newTable(5);
  for (let k = 1; k <= 5; k++) insert(table, k, k, k, k);
  expect(isFull(table)).toBe(true);
  expect(insert(table, 6, 6, 6, 6)).toBe(0);
  expect(find(table, 6, 6, 6, 6)).toBe(0);
  remove(table, find(table, 3, 3, 3, 3));
  expect(insert(table, 6, 6, 6, 6)).not.toBe(0);
  expect(checkInvariants()).toEqual(new Set(["1 1 1 1", "2 2 2 2", "4 4 4 4", "5 5 5 5", "6 6 6 6"]));
});

test("the oldest is one that was not looked up since the hand passed", () => {
  newTable(8);
  const entries = Array.from({ length: 8 }, (_, k) => insert(table, k, 0, 0, 0));
  expect(oldest(table)).toBe(entries[0]);
  for (const k of [1, 3, 4]) find(table, k, 0, 0, 0);
  expect([oldest(table), oldest(table), oldest(table)]).toEqual([entries[2], entries[5], entries[6]]);
  expect(arena.get32((entries[1] ?? 0) + E_STATE)).toBe(ES_LIVE);
  find(table, 1, 0, 0, 0);
  expect(arena.get32((entries[1] ?? 0) + E_STATE)).toBe(ES_LIVE | ES_USED_LATELY);
});

test("the oldest of a table with one entry left is that one", () => {
  newTable(8);
  for (let k = 0; k < 8; k++) insert(table, k, 0, 0, 0);
  for (let k = 0; k < 7; k++) remove(table, find(table, k, 0, 0, 0));
  expect(oldest(table)).toBe(find(table, 7, 0, 0, 0));
});
