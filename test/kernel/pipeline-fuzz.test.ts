// Hostile frames through whole batches, on the kernel whose every memory access is checked: nothing is touched but the
// batch's frames, its descriptors, the context, the tables and the stream blocks; every packet ends somewhere, once; what
// is written are whole records; and the WebAssembly build does the same to the last byte.
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { type DatapathConfig, type DatapathTables, NO_SERVICES, type ServiceMapsOf, type ServiceTables } from "../../src/control/tables.ts";
import { type AddressBook, AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { getAddress6 } from "../../src/engine/image/address6.ts";
import { Arena, sharedMemory } from "../../src/engine/image/arena.ts";
import { ADDRESS_POD, clusterAddresses, clusterAddresses6 } from "../../src/engine/image/cluster-addresses.ts";
import { type Kernel, kernelOn } from "../../src/engine/kernel-instance.ts";
import { S_CT, S_FLOW, S_FRAG, S_NAT, T_ENTRIES, T_EVICTED, T_LIVE, T_STRIDE, T_USED } from "../../src/kernel/layout.ts";
import { F6_BACKEND, S_CT6, S_FLOW6, S_FRAG6, S_NAT6 } from "../../src/kernel/layout6.ts";
import {
  F_BACKEND, F_DROP_PACKETS, F_FWD_PACKETS, F_REPLY_PACKETS, F_SERVICE, OUT_DELIVERED, OUT_DROPPED, OUT_FORWARDED, OUT_IGNORED, OUT_PASSED,
} from "../../src/kernel/layout-flow.ts";
import type * as CheckedMemory from "../../src/kernel/mem.checked.ts";
import {
  B_ENTRY, B_FRAME, B_LEN, B_NODE, B_NOW, B_OUTCOME, B_REMOTE, B_SEC, B_SEQ_LO, B_SHARD, B_SIZE, B_VNI, B_WIRE_LEN, B_WROTE, ENTRY_HOST, ENTRY_NETDEV, ENTRY_OVERLAY,
  ENTRY_POD, ENTRY_REPLY, LIVE_GROWTH, NC_ANSWERED, NC_PACKETS_WITHOUT_FLOW, NC_REPLY_DIFFERENT, NC_REPLY_RESTORED, STREAM_COUNT, STREAM_TRACE, TL_DROP, TL_PASS, TR_LEN, TR_SIZE, XO_ASSUME_OUTSIDE,
  XO_LIVE,
} from "../../src/kernel/pipeline/layout-batch.ts";
import { readFile } from "../io/read-records.ts";
import { FILES, recordings, WASM, WASM_IS_BUILT } from "../vectors/recorded-files.ts";
import { hostile } from "./hostile-frames.ts";
import { hostile6 } from "./hostile-frames6.ts";
import { isIpv6 } from "./ipv6-frames.ts";
import { BATCH, LONGEST_FRAME, PipelineMemory, SHARDS } from "./pipeline-memory.ts";
import { below, seeded, word32 } from "./seeded.ts";

const CHECKED = new URL("../../dist/kernel-checked/", import.meta.url);
const IS_BUILT = existsSync(new URL("mem.js", CHECKED)) && WASM_IS_BUILT;
const REASON = IS_BUILT ? "" : " (skipped: not built: npm run build)";
/** FUZZ_BATCHES and FUZZ_SEED make a longer or another run. */
const BATCHES = Number(process.env["FUZZ_BATCHES"] ?? 250), SEED = Number(process.env["FUZZ_SEED"] ?? 0);
/** A packet crosses at most twelve hooks, is compared and summed up byte by byte, and may have a table of 64 walked. */
const ACCESSES_PER_PACKET = 60_000;
const MEMORY_BYTES = 4 * 1024 * 1024, ETH = 14;
const OUTCOMES = [OUT_FORWARDED, OUT_DELIVERED, OUT_PASSED, OUT_DROPPED];
const ENTRIES = [ENTRY_POD, ENTRY_REPLY, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_HOST];
const FIXTURES = fileURLToPath(new URL("../../fixtures/", import.meta.url));

type Frame = Uint8Array<ArrayBuffer>;

/** A cluster, frames that fit it, and how they are made to lie. */
interface Model {
  readonly tables: DatapathTables;
  readonly frames: readonly Frame[];
  readonly hostile: (frame: Frame, random: () => number) => Frame;
  /** Bytes of a stream's block: too few for the longest batches. */
  readonly block: number;
}

/** "restricted" and "services": the IPv4 cluster, its pods under a network policy, its servers behind services; "dual services"
 * the same of the dual-stack one. */
type ModelName = "IPv4" | "restricted" | "services" | "dual stack" | "dual services";
const models = new Map<ModelName, Model>();
beforeAll(async () => {
  const tablesOf = async (...clusters: string[]): Promise<DatapathTables> =>
    compileTables(await loadCluster(clusters.map((cluster) => FIXTURES + cluster)), { semantics: "cilium-1.19" }).tables;
  const frames: Frame[] = [];
  for (const folder of ["captures", "edge"])
    for (const name of readdirSync(FIXTURES + folder))
      for (const { frame, linkType } of (await readFile(`${FIXTURES}${folder}/${name}`)).records)
        if (linkType === 1 && frame.length <= 1600) frames.push(Uint8Array.from(frame));
  const open = await tablesOf("cluster");
  models.set("IPv4", { tables: open, frames, hostile, block: 24_000 });
  models.set("services", { tables: { ...open, services: servicesOf(open, frames) }, frames, hostile, block: 24_000 });
  models.set("restricted", { tables: await tablesOf("cluster", "network-policy"), frames, hostile, block: 24_000 });
  // The dual-stack model has the addresses of the laboratory, so that what was recorded there is at home in it.
  const recorded = FILES.filter((name) => name.includes("6") || name.startsWith("arp_nd"))
    .flatMap((name) => recordings(name).flatMap(({ recorded: { steps } }) => steps.map(({ in_hex }) => Uint8Array.from(Buffer.from(in_hex, "hex")))));
  const dual = await tablesOf("cluster-dual"), ofDual = recorded.filter(({ length }) => length <= 1600);
  models.set("dual stack", { tables: dual, frames: ofDual, hostile: hostile6, block: 4000 });
  models.set("dual services", { tables: { ...dual, services: servicesOf(dual, ofDual) }, frames: ofDual, hostile: hostile6, block: 4000 });
});

/** Services in the place of the captures' servers, so that both directions of their traffic meet them: backends are the servers, a pod and nobody. */
function servicesOf(tables: DatapathTables, frames: readonly Frame[]): ServiceTables {
  const pod4 = tables.nodes.flatMap(({ endpoints }) => endpoints).find(({ host }) => !host)?.address ?? 0;
  const pod6 = tables.nodes.flatMap(({ endpoints6 }) => endpoints6).find(({ host }) => !host)?.address ?? 0n;
  const book4 = new AddressBook4(clusterAddresses(tables)), book6 = new AddressBook6(clusterAddresses6(tables));
  return {
    ...NO_SERVICES, translation: "per-packet", objects: [{ name: "test/all", at: { file: "test", line: 1, column: 1 } }],
    ipv4: servicesAt(serversIn(frames, 0x45, 9, 16, 20, book4, (view, at) => view.getUint32(at)), pod4),
    ipv6: servicesAt(serversIn(frames, 0x60, 6, 24, 40, book6, getAddress6), pod6),
  };
}

interface Server<Address> {
  readonly address: Address;
  readonly port: number;
  readonly protocol: number;
}

/** Where frames go that are of none of the cluster's addresses. All offsets from the IP header; its first byte is `first`. */
function serversIn<Address extends number | bigint>(
  frames: readonly Frame[], first: number, protocolAt: number, addressAt: number, l4: number, book: AddressBook, addressOf: (view: DataView, at: number) => Address,
): readonly Server<Address>[] {
  const seen = new Map<string, Server<Address>>();
  for (const frame of frames) {
    if (frame.length < ETH + l4 + 4 || frame[ETH] !== first || book.find(frame, ETH + addressAt) >= 0) continue;
    const view = new DataView(frame.buffer, frame.byteOffset), protocol = view.getUint8(ETH + protocolAt);
    const address = addressOf(view, ETH + addressAt), port = view.getUint16(ETH + l4 + 2);
    if (protocol === 6 || protocol === 17) seen.set(`${address} ${port} ${protocol}`, { address, port, protocol });
  }
  return [...seen.values()].slice(0, 40);
}

function servicesAt<Address>(servers: readonly Server<Address>[], pod: Address): ServiceMapsOf<Address> {
  const backends = [...servers.slice(0, 5).map(({ address }) => address), pod].map((address, k) => ({ id: k + 1, address, port: k === 2 ? 0 : 8000 + k, terminating: k === 3 }));
  return {
    backends,
    entries: servers.map((server, k) => ({ ...server, service: 0, revNat: k + 1, affinitySeconds: k % 3 === 0 ? 30 : 0, slots: k % 7 === 0 ? [] : [1 + (k % 6), 6] })),
  };
}

const CONFIGURATIONS: readonly (readonly [string, ModelName, Partial<DatapathConfig>, number])[] = [
  ["VXLAN", "IPv4", {}, 0],
  ["Geneve, legacy host routing, opener assumed outside", "IPv4", { tunnelProtocol: "geneve", hostRouting: "legacy" }, XO_ASSUME_OUTSIDE],
  ["VXLAN, under a network policy", "restricted", {}, 0],
  ["services translated per packet", "services", {}, 0],
  ["native routing, no fragment tracking, SCTP, few ports", "IPv4", { routingMode: "native", fragmentTracking: false, sctp: true, snatMinPort: 40_000, snatMaxPort: 40_003 }, 0],
  ["IPv6 beside IPv4", "dual stack", {}, 0],
  ["IPv6, services translated per packet", "dual services", {}, 0],
  ["live, services translated per packet", "services", {}, XO_LIVE],
  ["live IPv6, services translated per packet", "dual services", {}, XO_LIVE],
  ["IPv6, legacy host routing, opener assumed outside, few ports", "dual stack", { hostRouting: "legacy", snatMinPort: 40_000, snatMaxPort: 40_003 }, XO_ASSUME_OUTSIDE],
];

interface Descriptor {
  readonly entry: number;
  readonly node: number;
  readonly shard: number;
  readonly at: number;
  readonly length: number;
  readonly wireLength: number;
  readonly vni: number;
  readonly remote: number;
}

function wordAt(frame: Uint8Array, at: number): number {
  return frame.length < at + 4 ? 0 : new DataView(frame.buffer, frame.byteOffset).getInt32(at, true);
}

/** Mostly where the frame would really enter; now and then anywhere. */
function enter(frame: Uint8Array, books: readonly [AddressBook, AddressBook], random: () => number, nodes: number): { readonly entry: number; readonly node: number } {
  const six = isIpv6(frame), book = books[six ? 1 : 0], holds = frame.length >= ETH + (six ? 40 : 20);
  const from = holds ? book.find(frame, ETH + (six ? 8 : 12)) : -1, to = holds ? book.find(frame, ETH + (six ? 24 : 16)) : -1;
  if (random() < 0.85) {
    if (from >= 0 && book.kindOf(from) === ADDRESS_POD && random() < 0.9) return { entry: ENTRY_POD, node: book.nodeOf(from) };
    if (to >= 0) return { entry: [ENTRY_REPLY, ENTRY_REPLY, ENTRY_NETDEV, ENTRY_OVERLAY][below(random, 4)] ?? ENTRY_REPLY, node: book.nodeOf(to) };
  }
  return { entry: ENTRIES[below(random, ENTRIES.length)] ?? ENTRY_POD, node: below(random, nodes) };
}

/** Record after record from the block's beginning, ending just at the cursor; the number of records. */
function countRecords(arena: Arena, memory: PipelineMemory, stream: number): number {
  let at = memory.streams[stream] ?? 0, records = 0;
  while (at < memory.cursor(stream)) {
    const length = arena.get32(at + TR_LEN);
    if (length < 0) break;
    at += (stream === STREAM_TRACE ? TR_SIZE : 16) + length;
    records++;
  }
  expect(at, `stream ${stream}`).toBe(memory.cursor(stream));
  return records;
}

function flowPackets(arena: Arena, memory: PipelineMemory): { readonly all: number; readonly dropped: number } {
  let all = 0, dropped = 0;
  for (const shard of memory.shards) {
    for (const table of [shard + S_FLOW, shard + S_FLOW6]) {
      for (let k = 0; k < arena.get32(table + T_USED); k++) {
        const flow = arena.get32(table + T_ENTRIES) + k * arena.get32(table + T_STRIDE);
        all += arena.view.getFloat64(flow + F_FWD_PACKETS, true) + arena.view.getFloat64(flow + F_REPLY_PACKETS, true);
        dropped += arena.view.getFloat64(flow + F_DROP_PACKETS, true);
      }
    }
  }
  return { all, dropped };
}

/** Flows of a family's table (S_FLOW, S_FLOW6) that a service led to a backend. */
function flowsWithBackend(arena: Arena, memory: PipelineMemory, table: number): number {
  const backendAt = table === S_FLOW6 ? F6_BACKEND + 12 : F_BACKEND;
  let flows = 0;
  for (const shard of memory.shards) {
    const entries = arena.get32(shard + table + T_ENTRIES), stride = arena.get32(shard + table + T_STRIDE);
    for (let k = 0; k < arena.get32(shard + table + T_USED); k++)
      if (arena.get32(entries + k * stride + F_SERVICE) !== 0 && arena.get32(entries + k * stride + backendAt) !== 0) flows++;
  }
  return flows;
}

describe.skipIf(!IS_BUILT)(`batches of hostile frames, seed ${SEED}${REASON}`, () => {
  test.each(CONFIGURATIONS)("stay inside their memory and add up, %s", async (name, modelName, config, options) => {
    const model = models.get(modelName);
    if (model === undefined) throw new Error(`no model of ${modelName}`);
    const { tables, frames } = model;
    const mem = await import(new URL("mem.js", CHECKED).href) as typeof CheckedMemory;
    const checkedKernel = await import(new URL("index.js", CHECKED).href) as Kernel;
    const arena = new Arena(sharedMemory(MEMORY_BYTES)), wasmMemory = sharedMemory(MEMORY_BYTES), other = new Arena(wasmMemory);
    mem.attach(arena.memory.buffer);
    mem.forbidAll();
    mem.budget(Infinity);
    const configured = { ...tables, config: { ...tables.config, ...config } };
    const memory = new PipelineMemory(arena, configured, options, model.block), twin = new PipelineMemory(other, configured, options, model.block);
    const wasmKernel = kernelOn(wasmMemory, "wasm", WASM), books = [new AddressBook4(clusterAddresses(configured)), new AddressBook6(clusterAddresses6(configured))] as const;
    expect(frames.length).toBeGreaterThan(1000);

    const random = seeded(SEED * 104_729 + name.length * 7919), entered = new Set<number>();
    let sent = 0, sentBytes = 0, fullBlocks = 0;
    const written = new Array<number>(STREAM_COUNT).fill(0);
    for (let batch = 0; batch < BATCHES; batch++) {
      const count = 1 + below(random, BATCH), descriptors: Descriptor[] = [], now = 1000 + batch * 3;
      // Runs of neighbouring frames of one capture, so that flows, fragments and answers meet.
      let next = below(random, frames.length);
      for (let k = 0; k < count; k++) {
        if (random() < 0.1) next = below(random, frames.length);
        const made = model.hostile(frames[next++ % frames.length] ?? new Uint8Array(0), random).slice(0, LONGEST_FRAME - LIVE_GROWTH - 16);
        const at = memory.frames + k * LONGEST_FRAME + below(random, 8);
        const shard = ((isIpv6(made) ? wordAt(made, ETH + 20) ^ wordAt(made, ETH + 36) : wordAt(made, ETH + 12) ^ wordAt(made, ETH + 16)) >>> 24) % SHARDS;
        descriptors.push({
          ...enter(made, books, random, memory.nodes), shard, at, length: made.length, wireLength: made.length + (random() < 0.1 ? below(random, 3000) : 0),
          vni: random() < 0.5 ? 2 : word32(random) & 0xffffff, remote: random() < 0.5 ? word32(random) : wordAt(made, ETH + 12),
        });
        for (const each of [arena, other]) each.bytes.set(made, at);
      }
      for (const [each, its] of [[arena, memory], [other, twin]] as const) {
        its.rewind();
        for (const [k, packet] of descriptors.entries()) {
          const d = its.descriptors + k * B_SIZE;
          each.bytes.fill(0xa5, d, d + B_SIZE);
          for (const [field, value] of [
            [B_FRAME, packet.at], [B_LEN, packet.length], [B_WIRE_LEN, packet.wireLength], [B_SEC, now], [B_SEQ_LO, sent + k + 1], [B_ENTRY, packet.entry],
            [B_NODE, packet.node], [B_SHARD, packet.shard], [B_NOW, now], [B_VNI, packet.vni], [B_REMOTE, packet.remote],
          ] as const) each.put32(d + field, value);
        }
      }
      mem.forbidAll();
      for (const [from, to] of memory.allowed) mem.allow(from, to);
      for (const { at, length } of descriptors) mem.allow(at, at + length + (options === XO_LIVE ? LIVE_GROWTH : 0));
      mem.budget(count * ACCESSES_PER_PACKET);
      const before = descriptors.map(({ entry, node, at, length }) => `${entry}@${node} ${Buffer.from(arena.bytes.subarray(at, at + length)).toString("hex")}`);
      expect(() => checkedKernel.processBatch(memory.context, memory.descriptors, count), `batch ${batch}:\n${before.join("\n")}`).not.toThrow();
      wasmKernel.processBatch(twin.context, twin.descriptors, count);

      for (const [k, packet] of descriptors.entries()) {
        const outcome = arena.get32(memory.descriptors + k * B_SIZE + B_OUTCOME);
        if (!OUTCOMES.includes(outcome)) expect.fail(`outcome ${outcome} is none: ${before[k]}`);
        entered.add(packet.entry);
        sent++;
        sentBytes += packet.wireLength;
      }
      for (let stream = 0; stream < STREAM_COUNT; stream++) {
        const cursor = memory.cursor(stream), start = memory.streams[stream] ?? 0;
        expect(cursor).toBeLessThanOrEqual(memory.limit(stream));
        if (memory.limit(stream) - cursor < LONGEST_FRAME) fullBlocks++;
        let wrote = 0;
        for (let k = 0; k < count; k++) wrote += arena.get32(memory.descriptors + k * B_SIZE + B_WROTE + 4 * stream);
        expect(wrote, `stream ${stream} of batch ${batch}`).toBe(cursor - start);
        written[stream] = (written[stream] ?? 0) + countRecords(arena, memory, stream);
      }
      const ended = OUTCOMES.map((outcome) => memory.total(outcome));
      expect(ended.reduce((sum, { packets }) => sum + packets, 0)).toBe(sent);
      expect(ended.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(sentBytes);
      expect([memory.tally(TL_DROP), memory.tally(TL_PASS)]).toEqual([memory.total(OUT_DROPPED).packets, memory.total(OUT_PASSED).packets]);
      const inFlows = flowPackets(arena, memory);
      expect(inFlows.all + memory.note(NC_PACKETS_WITHOUT_FLOW)).toBe(sent);
      expect(inFlows.dropped).toBeLessThanOrEqual(memory.total(OUT_DROPPED).packets);

      if (batch % 16 === 15) {
        mem.budget(1_000_000);
        for (const [kernel, its, each] of [[checkedKernel, memory, arena], [wasmKernel, twin, other]] as const) {
          for (let node = 0; node < its.nodes; node++) each.put32(its.due + 4 * node, node & 1);
          for (const shard of its.shards) {
            kernel.collectGarbage(shard, its.due, its.collected, now);
            kernel.countEntries(shard, its.quotas);
            kernel.evictEntries(shard, its.quotas);
          }
        }
        expect(Buffer.compare(arena.bytes.subarray(0, arena.used), other.bytes.subarray(0, other.used)), `memory after batch ${batch}`).toBe(0);
      }
    }

    // Frames that all die at the first look would prove little.
    expect([...entered].sort()).toEqual(ENTRIES);
    expect(OUTCOMES.map((outcome) => memory.total(outcome).packets > 20)).toEqual([true, true, true, true]);
    expect(memory.total(OUT_IGNORED).packets).toBe(0);
    for (const count of written) expect(count).toBeGreaterThan(100);
    expect(fullBlocks).toBeGreaterThan(0);
    expect(memory.note(NC_REPLY_RESTORED)).toBeGreaterThan(memory.note(NC_REPLY_DIFFERENT));
    const sum = (table: number, field: number): number => memory.shards.reduce((total, shard) => total + arena.get32(shard + table + field), 0);
    const isDual = modelName.startsWith("dual"), hasServices = modelName.endsWith("services");
    const [conntrack, nat, flows, fragments] = isDual ? [S_CT6, S_NAT6, S_FLOW6, S_FRAG6] : [S_CT, S_NAT, S_FLOW, S_FRAG];
    for (const table of [conntrack, nat, flows]) expect(sum(table, T_USED)).toBeGreaterThan(0);
    expect(sum(fragments, T_USED) > 0).toBe(configured.config.fragmentTracking);
    expect(sum(conntrack, T_EVICTED)).toBeGreaterThan(0);
    expect(sum(flows, T_LIVE)).toBeGreaterThan(100);
    expect(flowsWithBackend(arena, memory, flows) > 0).toBe(hasServices);
    expect(memory.note(NC_ANSWERED) > 0).toBe(isDual || hasServices);
  });
});
