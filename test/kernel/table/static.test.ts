// The read-only tables against linear scans, as their writers and the kernel's readers agree on them.
import { describe, expect, test } from "vitest";
import type { Prefix } from "../../../src/control/tables.ts";
import { Arena, sharedMemory, wireWord } from "../../../src/engine/image/arena.ts";
import { writePolicyTable } from "../../../src/engine/image/policy-image.ts";
import { type PrefixValue, writePrefixTable } from "../../../src/engine/image/prefix-table.ts";
import { hashWord, writeStaticHash } from "../../../src/engine/image/static-hash.ts";
import { kernelOn } from "../../../src/engine/kernel-instance.ts";
import { E_EGRESS, L_COUNT, L_ROOT } from "../../../src/kernel/layout.ts";
import { hash1 } from "../../../src/kernel/table/hash.ts";
import { policyFind, prefixFind, staticFind } from "../../../src/kernel/table/static.ts";
import { below, seeded, word32 } from "../seeded.ts";

function newArena(): Arena {
  const memory = sharedMemory(8 * 1024 * 1024);
  kernelOn(memory, "ts");
  return new Arena(memory);
}

function covers(prefix: Prefix, address: number): boolean {
  return prefix.bits === 0 || (prefix.address ^ address) >>> (32 - prefix.bits) === 0;
}

/** Longest covering prefix, the last of equal ones; 0 for none. */
function scan(entries: readonly PrefixValue[], address: number): number {
  let best = -1, value = 0;
  for (const entry of entries) {
    if (entry.prefix.bits >= best && covers(entry.prefix, address)) {
      best = entry.prefix.bits;
      value = entry.value;
    }
  }
  return value;
}

/** Prefixes that nest and touch: addresses come from a few /12s, lengths from the whole range. */
function randomPrefixes(random: () => number, count: number): PrefixValue[] {
  return Array.from({ length: count }, (_, k) => {
    const bits = random() < 0.02 ? below(random, 9) : 9 + below(random, 24);
    const address = (((10 + below(random, 4)) << 24) | below(random, 1 << 20)) >>> 0;
    return { prefix: { address: bits === 0 ? 0 : (address & (0xffffffff << (32 - bits))) >>> 0, bits }, value: k + 1 };
  });
}

/** Where a mistake would show: first and last address of every prefix, their neighbours, and addresses anywhere. */
function probes(random: () => number, entries: readonly PrefixValue[]): number[] {
  const edges = entries.slice(0, 400).flatMap(({ prefix }) => {
    const last = prefix.address + 2 ** (32 - prefix.bits) - 1;
    return [prefix.address, prefix.address - 1, last, last + 1];
  });
  return [...edges.map((each) => each >>> 0), 0, 0xffffffff, ...Array.from({ length: 500 }, () => word32(random) >>> 0)];
}

describe("longest-prefix match", () => {
  test.each([[1, 1], [2, 3], [3, 40], [4, 700], [5, 6000]])("finds what a linear scan finds (seed %d, %d prefixes)", (seed, count) => {
    const arena = newArena(), random = seeded(seed), entries = randomPrefixes(random, count);
    const table = writePrefixTable(arena, entries);
    expect(arena.get32(table + L_ROOT) !== 0).toBe(arena.get32(table + L_COUNT) >= 4096);
    expect(arena.get32(table + L_ROOT) !== 0).toBe(count === 6000);
    for (const address of probes(random, entries)) expect(prefixFind(table, wireWord(address)), String(address)).toBe(scan(entries, address));
  });

  test("a default route, a host route at either end, and nothing else", () => {
    const arena = newArena();
    const entries = [[0, 0], [0, 32], [0xffffffff, 32], [0x80000000, 1]].map(([address = 0, bits = 0], k) => ({ prefix: { address, bits }, value: k + 1 }));
    const table = writePrefixTable(arena, entries);
    for (const [address, value] of [[0, 2], [1, 1], [0x7fffffff, 1], [0x80000000, 4], [0xfffffffe, 4], [0xffffffff, 3]] as const)
      expect(prefixFind(table, wireWord(address))).toBe(value);
  });

  test("no table matches nothing", () => {
    expect(writePrefixTable(newArena(), [])).toBe(0);
    expect(prefixFind(0, 0x0a000001)).toBe(0);
  });
});

describe("static hash", () => {
  test("the writer's hash is the kernel's", () => {
    const random = seeded(11);
    for (const word of [0, 1, -1, 0x7fffffff, -0x80000000, ...Array.from({ length: 2000 }, () => word32(random))]) expect(hashWord(word)).toBe(hash1(word));
  });

  test("finds every key and no other one", () => {
    const arena = newArena(), random = seeded(12), keys = new Set(Array.from({ length: 1000 }, () => word32(random)));
    const table = writeStaticHash(arena, 12, 4, [...keys].map((key) => ({ key, write: (at) => arena.put32(at + 4, ~key | 1) })));
    for (const key of keys) expect(arena.get32(staticFind(table, key) + 4)).toBe(~key | 1);
    for (let k = 0; k < 2000; k++) {
      const key = word32(random);
      if (!keys.has(key)) expect(staticFind(table, key)).toBe(0);
    }
    expect(staticFind(0, 1)).toBe(0);
  });
});

test("the policy map wants the exact source and takes the longest destination", () => {
  const arena = newArena(), random = seeded(21);
  const sources = Array.from({ length: 20 }, (_, k) => 0x0a000100 + k);
  const entries = sources.flatMap((source) => randomPrefixes(random, 10).map(({ prefix }) => ({
    source, destination: prefix, gatewayIp: 0xc0a8010c, egressIp: word32(random) >>> 0, gatewayNode: -1, policy: 0, use: 0,
  })));
  const table = writePolicyTable(arena, entries);
  for (const source of [...sources, 0x0a0001ff]) {
    const own = entries.filter((entry) => entry.source === source).map((entry) => ({ prefix: entry.destination, value: entry.egressIp }));
    for (const address of probes(random, own).slice(0, 60)) {
      const record = policyFind(table, wireWord(source), wireWord(address));
      expect(record === 0 ? 0 : wireWord(arena.get32(record + E_EGRESS)) >>> 0).toBe(scan(own, address));
    }
  }
});
