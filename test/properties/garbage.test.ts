// Garbage collection removes exactly what is due: entries past their lifetime on the nodes whose turn it is, and the NAT
// mappings of egress entries with them, both halves; mappings without conntrack stay.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wirePort } from "../../src/engine/image/arena.ts";
import type { Kernel } from "../../src/engine/kernel-instance.ts";
import {
  C_LIFETIME, E_STATE, ES_LIVE, K0, K1, K2, K3, S_CT, S_NAT, T_ENTRIES, T_LIVE, T_STRIDE, T_TAIL, T_USED, TUPLE_IN, TUPLE_OUT, TUPLE_RELATED, X_ADDR, X_PORT,
} from "../../src/kernel/layout.ts";
import { S_CT6, S_NAT6, TAIL_DADDR, TAIL_SADDR, X6_ADDR, X6_PORT } from "../../src/kernel/layout6.ts";
import { GARBAGE_MAPS } from "../../src/kernel/pipeline/layout-batch.ts";
import { type CaseMemory, LabMemory } from "../../src/vectors/lab-memory.ts";
import { ICMP, TCP, UDP } from "../e2e/packets.ts";
import { WASM, WASM_IS_BUILT } from "../vectors/recorded-files.ts";
import { seeded, settings } from "./seed.ts";

const NODES = 3, ROUNDS = 4, TIMES = { min: 1000, max: 1100 };
/** Any words will do for addresses: nothing here looks into them. Those of IPv6 have them in all four places. */
const POD = 0x0100000a, REMOTE = 0x0a7100cb, EGRESS = 0x6501a8c0;

/** The tables of one family, and how an entry is put into them. */
interface Family {
  readonly conntrack: number;
  readonly nat: number;
  /** Of the counts by node, the first that is the family's. */
  readonly firstMap: number;
  /** The pod's or remote's part of a key, of an entry. */
  readonly addresses: (memory: CaseMemory, table: number, row: number) => readonly [number, number];
  readonly insert: (kernel: Kernel, memory: CaseMemory, table: number, key: number, daddr: number, saddr: number, ports: number) => number;
  readonly translate: (memory: CaseMemory, half: number, address: number, port: number) => void;
}

const FOURTH: Family = {
  conntrack: S_CT, nat: S_NAT, firstMap: 0,
  addresses: ({ arena }, _, row) => [arena.get32(row + K1), arena.get32(row + K2)],
  insert: (kernel, { shard }, table, key, daddr, saddr, ports) => kernel.insert(shard + table, key, daddr, saddr, ports),
  translate: ({ arena }, half, address, port) => {
    arena.put32(half + X_ADDR, address);
    arena.put32(half + X_PORT, port);
  },
};

/** Writes a word four times: an IPv6 address that the word tells. */
function putSixth({ arena }: CaseMemory, at: number, word: number): number {
  for (let k = 0; k < 4; k++) arena.put32(at + 4 * k, word);
  return at;
}

const SIXTH: Family = {
  conntrack: S_CT6, nat: S_NAT6, firstMap: 2,
  addresses: ({ arena, shard }, table, row) => {
    const tail = row + arena.get32(shard + table + T_TAIL);
    return [arena.get32(tail + TAIL_DADDR), arena.get32(tail + TAIL_SADDR)];
  },
  insert: (kernel, memory, table, key, daddr, saddr, ports) =>
    kernel.insert6(memory.shard + table, key, putSixth(memory, memory.frame, daddr), putSixth(memory, memory.frame + 16, saddr), ports),
  translate: (memory, half, address, port) => {
    putSixth(memory, half + X6_ADDR, address);
    memory.arena.put32(half + X6_PORT, port);
  },
};

const entry = fc.record({
  node: fc.nat({ max: NODES - 1 }), protocol: fc.constantFrom(TCP, UDP, ICMP), direction: fc.constantFrom(TUPLE_OUT, TUPLE_IN, TUPLE_OUT | TUPLE_RELATED),
  pod: fc.nat({ max: 3 }), port: fc.nat({ max: 40 }), lifetime: fc.integer(TIMES), mapping: fc.constantFrom("none", "both", "forward", "reverse"),
});
const rounds = fc.array(fc.record({ now: fc.integer({ min: TIMES.min - 1, max: TIMES.max + 1 }), due: fc.array(fc.boolean(), { minLength: NODES, maxLength: NODES }) }), { maxLength: ROUNDS });

/** Destination port in the low half, the pod's in the high one, both in wire order. */
const portsOf = (port: number): number => wirePort(443) | (wirePort(40_000 + port) << 16);
/** What the mapping makes of the pod's port; any other does. */
const outsidePort = (ports: number): number => (ports >>> 16) ^ 0x0101;

/** Keys of a table's live entries, as the model writes them. */
function liveKeys(memory: CaseMemory, family: Family, table: number): Set<string> {
  const { arena, shard } = memory, at = shard + table, keys = new Set<string>();
  for (let k = 0; k < arena.get32(at + T_USED); k++) {
    const row = arena.get32(at + T_ENTRIES) + k * arena.get32(at + T_STRIDE);
    if ((arena.get32(row + E_STATE) & ES_LIVE) !== 0) keys.add([arena.get32(row + K0), ...family.addresses(memory, table, row), arena.get32(row + K3)].join(" "));
  }
  expect(keys.size).toBe(arena.get32(at + T_LIVE));
  return keys;
}

const KERNELS = ["ts", ...(WASM_IS_BUILT ? ["wasm"] as const : [])] as const;

describe.each(KERNELS.flatMap((kind) => [[kind, "IPv4", FOURTH], [kind, "IPv6", SIXTH]] as const))(`garbage collection, %s kernel, %s, ${seeded}`, (kind, _, family) => {
  it("removes what is due, with its mappings, and nothing else", () => {
    const lab = kind === "wasm" ? new LabMemory("wasm", WASM) : new LabMemory("ts"), { kernel } = lab;
    let collected = 0, kept = 0, mappings = 0;
    fc.assert(fc.property(fc.array(entry, { maxLength: 200, size: "max" }), rounds, (entries, sweeps) => {
      const room = { conntrack: 512, nat: 1024, fragments: 1, flows: 1 }, memory = lab.fresh({ ...room, ipv6: room }), { arena, shard } = memory;
      const due = arena.take(NODES * 4), counts = arena.take(NODES * GARBAGE_MAPS * 16);
      const conntrack = new Map<string, { readonly node: number; readonly tcp: number; readonly lifetime: number; readonly mapping: readonly [string, string] | null }>();
      const nat = new Set<string>();
      for (const each of entries) {
        const ports = portsOf(each.port), pod = POD + (each.pod << 24), key = (each.node << 16) | (each.protocol << 8) | each.direction, stored = [key, pod, REMOTE, ports];
        if (conntrack.has(stored.join(" "))) continue;
        const at = family.insert(kernel, memory, family.conntrack, key, pod, REMOTE, ports);
        arena.put32(at + C_LIFETIME, each.lifetime);
        // NAT names the same flow by the packet's own ends, and its answer by the outside ones.
        const forward = [key, REMOTE, pod, ports] as const, outside = outsidePort(ports);
        const reverse = [key | TUPLE_IN, EGRESS, REMOTE, outside | (ports << 16)] as const;
        const isMapped = each.direction === TUPLE_OUT && !nat.has(reverse.join(" "));
        if (isMapped && (each.mapping === "both" || each.mapping === "forward")) {
          family.translate(memory, family.insert(kernel, memory, family.nat, ...forward), EGRESS, outside);
          nat.add(forward.join(" "));
        }
        if (isMapped && (each.mapping === "both" || each.mapping === "reverse")) {
          family.insert(kernel, memory, family.nat, ...reverse);
          nat.add(reverse.join(" "));
        }
        // Whoever has lost the forward half no longer knows the reverse one.
        const mapping = isMapped && each.mapping !== "none" && each.mapping !== "reverse" ? [forward.join(" "), reverse.join(" ")] as const : null;
        conntrack.set(stored.join(" "), { node: each.node, tcp: each.protocol === TCP ? 1 : 0, lifetime: each.lifetime, mapping });
      }
      expect(liveKeys(memory, family, family.conntrack)).toEqual(new Set(conntrack.keys()));

      for (const { now, due: turns } of sweeps) {
        arena.bytes.fill(0, counts, counts + NODES * GARBAGE_MAPS * 16);
        for (const [node, turn] of turns.entries()) arena.put32(due + 4 * node, turn ? 1 : 0);
        kernel.collectGarbage(shard, due, counts, now);
        const expected = new Map<string, { alive: number; deleted: number }>();
        for (const [key, { node, tcp, lifetime, mapping }] of conntrack) {
          if (turns[node] !== true) continue;
          const count = expected.get(`${node} ${tcp}`) ?? { alive: 0, deleted: 0 };
          expected.set(`${node} ${tcp}`, count);
          if (lifetime >= now) {
            count.alive++;
            kept++;
            continue;
          }
          count.deleted++;
          collected++;
          conntrack.delete(key);
          for (const half of mapping ?? []) if (nat.delete(half)) mappings++;
        }
        expect(liveKeys(memory, family, family.conntrack)).toEqual(new Set(conntrack.keys()));
        expect(liveKeys(memory, family, family.nat)).toEqual(nat);
        for (let node = 0; node < NODES; node++) {
          for (const tcp of [0, 1]) {
            const at = counts + (node * GARBAGE_MAPS + family.firstMap + tcp) * 16, { alive, deleted } = expected.get(`${node} ${tcp}`) ?? { alive: 0, deleted: 0 };
            expect([arena.view.getFloat64(at, true), arena.view.getFloat64(at + 8, true)], `node ${node}, ${tcp === 1 ? "TCP" : "others"}`).toEqual([alive, deleted]);
          }
        }
      }
    }), settings(40));
    for (const count of [collected, kept, mappings]) expect(count).toBeGreaterThan(50);
  });
});
