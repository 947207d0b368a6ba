// The read-only IPv6 tables against linear scans, as their writers and the kernel's readers agree on them.
import { describe, expect, test } from "vitest";
import { getAddress6, putAddress6, range6 } from "../../../src/engine/image/address6.ts";
import { Arena, sharedMemory } from "../../../src/engine/image/arena.ts";
import { writeIpcache6 } from "../../../src/engine/image/ipcache-image6.ts";
import { writePolicyTable6 } from "../../../src/engine/image/policy-image6.ts";
import { type PrefixValue6, writePrefixTable6 } from "../../../src/engine/image/prefix-table6.ts";
import { hashAddress6At, writeStaticHash6 } from "../../../src/engine/image/static-hash6.ts";
import { kernelOn } from "../../../src/engine/kernel-instance.ts";
import { IC_COVER, IC_IDENTITY } from "../../../src/kernel/layout.ts";
import { E_EGRESS6, E_IFINDEX } from "../../../src/kernel/layout6.ts";
import { hashAddress6 } from "../../../src/kernel/table/dynamic6.ts";
import { policyFind6, prefixFind6, staticFind6 } from "../../../src/kernel/table/static6.ts";
import { below, seeded, word32 } from "../seeded.ts";

const ALL = (1n << 128n) - 1n;

function newArena(): { arena: Arena; at: number } {
  const memory = sharedMemory(8 * 1024 * 1024);
  kernelOn(memory, "ts");
  const arena = new Arena(memory);
  return { arena, at: arena.take(64) };
}

function random128(random: () => number): bigint {
  return Array.from({ length: 4 }, () => BigInt(word32(random) >>> 0)).reduce((sum, word) => (sum << 32n) | word, 0n);
}

/** Longest covering prefix, the last of equal ones; 0 for none. */
function scan(entries: readonly PrefixValue6[], address: bigint): number {
  let best = -1, value = 0;
  for (const entry of entries) {
    const { first, last } = range6(entry.prefix);
    if (entry.prefix.bits >= best && first <= address && address <= last) {
      best = entry.prefix.bits;
      value = entry.value;
    }
  }
  return value;
}

/** Prefixes that nest and touch, of every length, with bits set in all four words. */
function randomPrefixes(random: () => number, count: number): PrefixValue6[] {
  const roots = Array.from({ length: 4 }, () => random128(random));
  return Array.from({ length: count }, (_, k) => {
    const keep = BigInt(below(random, 129)), root = roots[below(random, 4)] ?? 0n;
    return { prefix: { address: (root ^ (random128(random) & (ALL >> keep))) & ALL, bits: below(random, 129) }, value: k + 1 };
  });
}

function probes(random: () => number, entries: readonly PrefixValue6[]): bigint[] {
  const edges = entries.slice(0, 300).flatMap(({ prefix }) => {
    const { first, last } = range6(prefix);
    return [first, (first - 1n) & ALL, last, (last + 1n) & ALL];
  });
  return [...edges, 0n, ALL, ...Array.from({ length: 200 }, () => random128(random))];
}

describe("longest-prefix match of 128 bits", () => {
  test.each([[1, 1], [2, 3], [3, 40], [4, 2000]])("finds what a linear scan finds (seed %d, %d prefixes)", (seed, count) => {
    const { arena, at } = newArena(), random = seeded(seed), entries = randomPrefixes(random, count);
    const table = writePrefixTable6(arena, entries);
    for (const address of probes(random, entries)) {
      putAddress6(arena, at, address);
      expect(prefixFind6(table, at), address.toString(16)).toBe(scan(entries, address));
    }
  });

  test("no table matches nothing", () => {
    const { arena, at } = newArena();
    expect(writePrefixTable6(arena, [])).toBe(0);
    expect(prefixFind6(0, at)).toBe(0);
  });
});

describe("static hash with 16-byte keys", () => {
  test("the writer's hash is the kernel's", () => {
    const { arena, at } = newArena(), random = seeded(11);
    for (const address of [0n, 1n, ALL, 1n << 127n, ...Array.from({ length: 1000 }, () => random128(random))]) {
      putAddress6(arena, at, address);
      expect(hashAddress6At(arena, at)).toBe(hashAddress6(at));
      expect(getAddress6(arena.view, at)).toBe(address);
    }
  });

  test("finds every key and no other one", () => {
    const { arena, at } = newArena(), random = seeded(12), keys = new Set(Array.from({ length: 500 }, () => random128(random)));
    // One bit off in each word is another key.
    const others = [...keys].slice(0, 100).flatMap((key) => [key ^ 1n, key ^ (1n << 40n), key ^ (1n << 70n), key ^ (1n << 120n)]).filter((key) => !keys.has(key));
    const table = writeStaticHash6(arena, 24, 0, [...keys].map((key, k) => ({ key, write: (slot) => arena.put32(slot, k + 1) })));
    for (const [k, key] of [...keys].entries()) {
      putAddress6(arena, at, key);
      expect(arena.get32(staticFind6(table, at))).toBe(k + 1);
    }
    for (const key of others) {
      putAddress6(arena, at, key);
      expect(staticFind6(table, at)).toBe(0);
    }
    expect(staticFind6(0, at)).toBe(0);
  });
});

test("the policy map wants the exact source and takes the longest destination", () => {
  const { arena, at } = newArena(), random = seeded(21);
  const sources = Array.from({ length: 20 }, (_, k) => (0xfd00n << 112n) + BigInt(k));
  const entries = sources.flatMap((source) => randomPrefixes(random, 10).map(({ prefix }, k) => ({
    source, destination: prefix, gatewayIp: 0xc0a8010c, egressIp: random128(random), egressIfindex: k + 1, gatewayNode: -1, policy: 0, use: 0,
  })));
  const table = writePolicyTable6(arena, entries);
  for (const source of [...sources, 1n]) {
    const own = entries.filter((entry) => entry.source === source), values = own.map((entry) => ({ prefix: entry.destination, value: entry.egressIfindex }));
    for (const address of probes(random, values).slice(0, 60)) {
      putAddress6(arena, at, source);
      putAddress6(arena, at + 16, address);
      const record = policyFind6(table, at, at + 16), wanted = scan(values, address);
      expect(record === 0 ? 0 : arena.get32(record + E_IFINDEX)).toBe(wanted);
      if (record !== 0) expect(getAddress6(arena.view, record + E_EGRESS6)).toBe(own[wanted - 1]?.egressIp);
    }
  }
});

test("an ipcache entry that only its owner has points at the next shorter prefix", () => {
  const { arena, at } = newArena();
  const row = { tunnelEndpoint: 0, ownerNode: -1, isNode: false, ownerOnly: false, skipTunnel: false };
  const table = writeIpcache6(arena, [
    { ...row, prefix: { address: 0n, bits: 0 }, identity: 10 },
    { ...row, prefix: { address: 0xfdn << 120n, bits: 8 }, identity: 20 },
    { ...row, prefix: { address: (0xfdn << 120n) | 5n, bits: 128 }, identity: 1, ownerNode: 3, ownerOnly: true },
  ]);
  putAddress6(arena, at, (0xfdn << 120n) | 5n);
  const record = prefixFind6(table, at);
  expect(arena.get32(record + IC_IDENTITY)).toBe(1);
  expect(arena.get32(arena.get32(record + IC_COVER) + IC_IDENTITY)).toBe(20);
});
