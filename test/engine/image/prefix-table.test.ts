import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Prefix } from "../../../src/control/tables.ts";
import { Arena, sharedMemory, wireWord } from "../../../src/engine/image/arena.ts";
import { writePolicyTable } from "../../../src/engine/image/policy-image.ts";
import { type PrefixValue, writePrefixTable } from "../../../src/engine/image/prefix-table.ts";
import { hashWord } from "../../../src/engine/image/static-hash.ts";
import { E_EGRESS, E_GATEWAY, E_GATEWAY_NODE, E_POLICY, E_USE, L_COUNT, L_ROOT } from "../../../src/kernel/layout.ts";
import { attach } from "../../../src/kernel/memory.ts";
import { hash1 } from "../../../src/kernel/table/hash.ts";
import { policyFind, prefixFind } from "../../../src/kernel/table/static.ts";

function freshArena(bytes = 4 * 1024 * 1024): Arena {
  const arena = new Arena(sharedMemory(bytes));
  attach(arena.memory.buffer);
  return arena;
}

function covers({ address, bits }: Prefix, wanted: number): boolean {
  const span = 2 ** (32 - bits);
  return Math.floor(address / span) === Math.floor(wanted / span);
}

/** The long way: look at every prefix; of equal ones the last counts. */
function longestMatch(entries: readonly PrefixValue[], address: number): number {
  let best: PrefixValue | undefined;
  for (const entry of entries) if (covers(entry.prefix, address) && entry.prefix.bits >= (best?.prefix.bits ?? 0)) best = entry;
  return best?.value ?? 0;
}

/** Few distinct upper halves, so that prefixes nest and touch. */
const aPrefix = fc.record({ address: fc.tuple(fc.constantFrom(0, 10, 127, 128, 203, 255), fc.nat(3), fc.nat(255), fc.nat(255)).map(([a, b, c, d]) => a * 2 ** 24 + b * 2 ** 16 + c * 256 + d), bits: fc.nat(32) });
const edges = ({ address, bits }: Prefix): number[] => {
  const span = 2 ** (32 - bits), first = Math.floor(address / span) * span;
  return [first - 1, first, first + span - 1, first + span].filter((at) => at >= 0 && at <= 0xffffffff);
};

describe("a prefix table", () => {
  it("gives the longest match for every edge of every prefix", () => {
    fc.assert(fc.property(fc.array(aPrefix, { maxLength: 40 }), fc.array(fc.nat(0xffffffff), { maxLength: 10 }), (prefixes, others) => {
      const arena = freshArena(1 << 20), entries = prefixes.map((prefix, k) => ({ prefix, value: 1000 + k }));
      const table = writePrefixTable(arena, entries);
      for (const address of [...prefixes.flatMap(edges), ...others, 0, 0xffffffff]) expect(prefixFind(table, wireWord(address)), String(address)).toBe(longestMatch(entries, address));
    }), { numRuns: 300, seed: 1 });
  });

  it("with many thousands of prefixes gets a root, and the same answers", () => {
    const arena = freshArena(16 * 1024 * 1024);
    const entries = Array.from({ length: 9000 }, (_, k) => ({ prefix: { address: (hashWord(k) >>> 0) & ~0xff, bits: 16 + (k % 17) }, value: 1 + k }))
      .map(({ prefix, value }) => ({ prefix: { ...prefix, address: prefix.address >>> 0 }, value }));
    const table = writePrefixTable(arena, entries);
    expect([arena.get32(table + L_ROOT) !== 0, arena.get32(table + L_COUNT) > 9000]).toEqual([true, true]);
    const byBits = new Map<string, number>();
    for (const { prefix, value } of entries) byBits.set(`${Math.floor(prefix.address / 2 ** (32 - prefix.bits))}/${prefix.bits}`, value);
    const oracle = (address: number): number => {
      for (let bits = 32; bits >= 0; bits--) {
        const value = byBits.get(`${Math.floor(address / 2 ** (32 - bits))}/${bits}`);
        if (value !== undefined) return value;
      }
      return 0;
    };
    for (const { prefix } of entries.slice(0, 2000)) for (const address of edges(prefix)) expect(prefixFind(table, wireWord(address))).toBe(oracle(address));
  });

  it("without prefixes is no table at all", () => {
    expect(writePrefixTable(freshArena(1 << 17), [])).toBe(0);
    expect(prefixFind(0, wireWord(0x0a000001))).toBe(0);
  });
});

describe("the policy map", () => {
  it("wants the exact source and gives the record of the longest destination", () => {
    const arena = freshArena(), at = (source: number, address: number, bits: number, egressIp: number): Parameters<typeof writePolicyTable>[1][number] =>
      ({ source, destination: { address, bits }, gatewayIp: 0xc0a83c15, egressIp, gatewayNode: 2, policy: 7, use: 3 });
    const table = writePolicyTable(arena, [at(0x0af4010a, 0, 0, 0xc0a83c64), at(0x0af4010a, 0xcb007100, 24, 0xc0a83c65), at(0x0af4010b, 0, 0, 0xc0a83c64)]);
    const record = (source: number, destination: number): number => policyFind(table, wireWord(source), wireWord(destination));
    expect([E_GATEWAY, E_EGRESS, E_GATEWAY_NODE, E_POLICY, E_USE].map((field) => arena.get32(record(0x0af4010a, 0xcb007109) + field)))
      .toEqual([wireWord(0xc0a83c15), wireWord(0xc0a83c65), 2, 7, 3]);
    expect(arena.get32(record(0x0af4010a, 0xcb007209) + E_EGRESS)).toBe(wireWord(0xc0a83c64));
    expect(record(0x0af4010c, 0xcb007109)).toBe(0);
  });

  it("of many sources with the same destinations takes the room of one prefix table", () => {
    const entries = (sources: number): Parameters<typeof writePolicyTable>[1] => Array.from({ length: sources * 50 }, (_, k) => ({
      source: 0x0a000000 + Math.floor(k / 50), destination: { address: 0xc6120000 + (k % 50) * 256, bits: 24 }, gatewayIp: 1, egressIp: 2, gatewayNode: 0, policy: 0, use: 0,
    }));
    const room = (sources: number): number => {
      const arena = freshArena(), before = arena.used;
      writePolicyTable(arena, entries(sources));
      return arena.used - before;
    };
    expect(room(1000) - room(1)).toBeLessThan(1000 * 40);
  });
});

it("the hash of the tables that the engine writes is the kernel's", () => {
  fc.assert(fc.property(fc.integer({ min: -0x80000000, max: 0x7fffffff }), (word) => {
    expect(hashWord(word)).toBe(hash1(word));
  }), { seed: 1 });
});
