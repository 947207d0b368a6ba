// What the main thread makes of records before any worker sees them.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { CaptureTally } from "../../src/engine/capture-tally.ts";
import { ChunkFiller, CLOCK_START, type FillEnd } from "../../src/engine/chunk-filler.ts";
import { type ClusterMemory, layOutMemory } from "../../src/engine/cluster-memory.ts";
import { clusterAddresses, clusterAddresses6 } from "../../src/engine/image/cluster-addresses.ts";
import { clusterImageBytes } from "../../src/engine/image/cluster-image.ts";
import { CHUNK_BYTES, CHUNK_PACKETS, FRAME_AREA_BYTES, memoryBytes, shardCapacity, STREAM_BYTES } from "../../src/engine/memory-plan.ts";
import type { ReplayOptions } from "../../src/engine/replay-options.ts";
import { Steering } from "../../src/engine/steer.ts";
import { mergeCaptures } from "../../src/io/merge.ts";
import { openCapture } from "../../src/io/open-capture.ts";
import { brokenSums } from "../../src/observe/conservation.ts";
import { B_ENTRY, B_FRAME, B_LEN, B_NOW, B_NSEC, B_REMOTE, B_SEC, B_SEQ_LO, B_SIZE, B_VNI, B_WIRE_LEN, ENTRY_OVERLAY, ENTRY_POD } from "../../src/kernel/pipeline/layout-batch.ts";
import { captureOf, captureOfFrames, ethernet, filler, recordOf, tcp, SYN, UDP, udp, udpDatagram, ipv4 } from "../e2e/packets.ts";
import { CLUSTER, replay, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const OUT = { from: "10.244.1.10", to: "198.51.100.10" };
const LINKTYPE_RAW = 101, LINKTYPE_SLL = 113, LINKTYPE_SLL2 = 276;

interface Described {
  readonly frame: Buffer;
  readonly wireLength: number;
  readonly entry: number;
  readonly sequence: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly now: number;
  readonly vni: number;
  readonly remote: number;
}

let tables: DatapathTables;
let memory: ClusterMemory;
let options: ReplayOptions;

beforeAll(async () => {
  tables = await tablesOf(CLUSTER);
  options = {
    captures: [{ path: "", point: "pod" }], tables, outDir: null, write: new Set(), workers: 1, kernel: "ts", captureInterface: null, assumeOpener: "pod", semantics: "cilium-1.19",
    seed: 1, tracePackets: 0, maxFlows: 1000,
  };
  memory = layOutMemory(options, 1);
});

interface Filled {
  readonly end: FillEnd;
  readonly filler: ChunkFiller;
  readonly tally: CaptureTally;
  readonly packets: readonly Described[];
}

/** Fills chunk after chunk until the captures end; the last one's descriptors. */
async function fill(bytes: Uint8Array, point: "pod" | "node" = "pod", collectionDue = Infinity): Promise<Filled[]> {
  const merged = mergeCaptures([await openCapture(scratch.file("capture.pcap", bytes))]), tally = new CaptureTally(1);
  const steering = new Steering(new AddressBook4(clusterAddresses(tables)), new AddressBook6(clusterAddresses6(tables)), tables.config.tunnelPort);
  const filler = new ChunkFiller(merged, memory, steering, tally, { ...options, captures: [{ path: "", point }] });
  const chunks: Filled[] = [];
  for (;;) {
    filler.begin(0);
    let end = filler.fill(collectionDue);
    for (; end === "needs-fill"; end = filler.fill(collectionDue)) await merged.fill();
    filler.close();
    chunks.push({ end, filler, tally, packets: described(filler.packets) });
    if (end === "ended" || end === "collection-due") {
      await merged.close();
      return chunks;
    }
  }
}

function described(count: number): Described[] {
  const { arena, workers } = memory, first = workers[0]?.descriptors[0] ?? 0;
  expect(arena.get32(workers[0]?.counts[0] ?? 0)).toBe(count);
  return Array.from({ length: count }, (_, k) => {
    const word = (field: number): number => arena.get32(first + k * B_SIZE + field);
    return {
      frame: Buffer.from(arena.bytes.slice(word(B_FRAME), word(B_FRAME) + word(B_LEN))), wireLength: word(B_WIRE_LEN), entry: word(B_ENTRY), sequence: word(B_SEQ_LO),
      seconds: word(B_SEC), nanoseconds: word(B_NSEC), now: word(B_NOW), vni: word(B_VNI), remote: word(B_REMOTE),
    };
  });
}

const record = (frame: Uint8Array, origLen = frame.length): Parameters<typeof recordOf>[0] => ({ sec: 1_700_000_000, nsec: 123_456_789, frame, origLen });

describe("a chunk", () => {
  it("holds Ethernet frames as they are, with number, time and clock", async () => {
    const packets = [udp(OUT, 1000, 53), tcp(OUT, 1001, 443, SYN), udp(OUT, 1002, 53, 900)];
    const [chunk] = await fill(captureOf(packets, 2.5));
    expect(chunk?.end).toBe("ended");
    expect(chunk?.packets.map(({ frame }) => frame)).toEqual(packets.map((packet) => ethernet(packet)));
    expect(chunk?.packets.map(({ sequence, entry, wireLength }) => ({ sequence, entry, wireLength })))
      .toEqual(packets.map((packet, k) => ({ sequence: k + 1, entry: ENTRY_POD, wireLength: 14 + packet.length })));
    expect(chunk?.packets.map(({ seconds, nanoseconds, now }) => [seconds, nanoseconds, now]))
      .toEqual([[1_700_000_000, 0, CLOCK_START], [1_700_000_002, 500_000_000, CLOCK_START + 2], [1_700_000_005, 0, CLOCK_START + 5]]);
  });

  it("holds tagged frames without their tags, with their own addresses", async () => {
    const packet = udp(OUT, 1000, 53, 33), frames = [[5], [100, 5], [1, 2, 3]].map((tags) => ethernet(packet, 0x0800, tags));
    const [chunk] = await fill(captureOfFrames(frames.map((frame) => record(frame))));
    expect(chunk?.packets.map(({ frame }) => frame)).toEqual(frames.map(() => ethernet(packet)));
    expect(chunk?.packets.map(({ wireLength }) => wireLength)).toEqual(frames.map(() => 14 + packet.length));
  });

  it.each([
    ["raw IP", LINKTYPE_RAW, new Uint8Array(0)],
    ["Linux cooked v1", LINKTYPE_SLL, Uint8Array.of(0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0, 8, 0)],
    ["Linux cooked v2", LINKTYPE_SLL2, Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 9, 0, 0)],
  ])("gives %s an Ethernet header", async (_, linkType, head) => {
    const packets = [udp(OUT, 1000, 53, 33), tcp(OUT, 1001, 443, SYN)];
    const [chunk] = await fill(captureOfFrames(packets.map((packet) => record(Buffer.concat([head, packet]))), linkType));
    expect(chunk?.packets.map(({ frame }) => frame.subarray(12))).toEqual(packets.map((packet) => ethernet(packet).subarray(12)));
    expect(chunk?.packets.map(({ wireLength }) => wireLength)).toEqual(packets.map((packet) => 14 + packet.length));
  });

  it("holds what was captured of a cut frame, and how long it was", async () => {
    const whole = ethernet(tcp(OUT, 1000, 443, SYN, 500));
    const [chunk] = await fill(captureOfFrames([record(whole.subarray(0, 96), whole.length), record(whole.subarray(0, 40), whole.length)]));
    expect(chunk?.packets).toMatchObject([{ frame: whole.subarray(0, 96), wireLength: whole.length }]);
    expect(chunk?.tally.ignoredBy()).toEqual([{ reason: "too-short", packets: 1, bytes: whole.length }]);
    expect(chunk?.tally.packets).toBe(2);
  });

  it("holds the inner frame of a tunnel packet seen at a node, with the tunnel's key", async () => {
    const inner = ethernet(udp(OUT, 1000, 53)), ends = { from: "192.168.60.11", to: "192.168.60.21" };
    const tunnel = ipv4(ends, UDP, udpDatagram(ends, 40_000, 8472, Buffer.concat([Uint8Array.of(8, 0, 0, 0, 0x01, 0x4e, 0x21, 0), inner])));
    const [chunk] = await fill(captureOf([tunnel]), "node");
    expect(chunk?.packets).toMatchObject([{ entry: ENTRY_OVERLAY, frame: inner, wireLength: inner.length, vni: 0x014e21 }]);
    expect(Buffer.from(Uint32Array.of(chunk?.packets[0]?.remote ?? 0).buffer)).toEqual(Buffer.of(192, 168, 60, 11));
  });

  it("stops before the record whose time reaches a collection, and goes on with it", async () => {
    const packets = Array.from({ length: 5 }, (_, k) => udp(OUT, 1000 + k, 53));
    const [chunk] = await fill(captureOf(packets, 100), "pod", CLOCK_START + 250);
    expect([chunk?.end, chunk?.packets.length]).toEqual(["collection-due", 3]);
    expect([chunk?.filler.fill(CLOCK_START + 251), chunk?.filler.packets]).toEqual(["collection-due", 3]);
    expect([chunk?.filler.fill(CLOCK_START + 350), chunk?.filler.packets]).toEqual(["collection-due", 4]);
  });

  it("is full with its number of packets, however small they are and whatever lies between them", async () => {
    const arp = ethernet(filler(20), 0x0806), tiny = ethernet(udp(OUT, 1000, 53, 0));
    const chunks = await fill(captureOfFrames(Array.from({ length: 3 * CHUNK_PACKETS + 5 }, () => [record(tiny), record(arp)]).flat()));
    expect(chunks.map(({ end, packets }) => [end, packets.length])).toEqual([["full", CHUNK_PACKETS], ["full", CHUNK_PACKETS], ["full", CHUNK_PACKETS], ["ended", 5]]);
    for (const { packets } of chunks) expect(packets.every(({ frame }) => frame.equals(tiny))).toBe(true);
  });

  it("has room for the largest frame behind almost all that fits", async () => {
    const payload = (length: number): Uint8Array => Buffer.concat([udp(OUT, 1000, 53, 20), filler(length)]);
    const largest = ethernet(payload(262_144 - 14 - 48)), almost = ethernet(payload(1000));
    expect(largest.length).toBe(262_144);
    const before = Math.floor(CHUNK_BYTES / almost.length);
    const chunks = await fill(captureOfFrames([...Array.from({ length: before }, () => record(almost)), record(largest), record(largest)]));
    expect(chunks.map(({ packets }) => packets.length)).toEqual([before + 1, 1, 0]);
    expect(chunks[0]?.packets.at(-1)?.frame.equals(largest)).toBe(true);
    expect(before * almost.length + largest.length).toBeLessThan(FRAME_AREA_BYTES);
  });
});

describe("the memory of a run", () => {
  it("stays below two gibibytes with the most workers and flows", () => {
    for (const workers of [1, 16]) {
      for (const ipv6 of [false, true]) {
        const bytes = memoryBytes(clusterImageBytes(tables), workers, 1000, 4000, shardCapacity(100_000_000, ipv6));
        expect(bytes).toBeLessThan(2 ** 31);
      }
    }
  });

  it("of a cluster beyond all bounds is refused with what to do", () => {
    const policyEntries = new Array<DatapathTables["policyEntries"][number]>(8_000_000);
    expect(() => layOutMemory({ ...options, tables: { ...tables, policyEntries } }, 1)).toThrow(/--cluster: its tables \(8,000,000 policy entries\).* GiB[\s\S]*--max-flows/);
  });

  it("is as large as its plan says for any number of workers", () => {
    for (const workers of [1, 3, 16]) expect(layOutMemory({ ...options, maxFlows: 0 }, workers).workers.length).toBe(workers);
  });

  it("has blocks for every frame of a chunk on its longest way", async () => {
    expect(STREAM_BYTES.every((bytes) => bytes > 2 * CHUNK_BYTES)).toBe(true);
    if (UNBUILT !== "") return;
    const big = ethernet(Buffer.concat([udp(OUT, 1000, 53, 20), filler(262_144 - 14 - 48)]));
    const frames = [...Array.from({ length: 6 }, () => record(big)), ...Array.from({ length: 3000 }, (_, k) => record(ethernet(udp(OUT, 1 + (k % 60_000), 53, 0))))];
    const path = scratch.file("large.pcap", captureOfFrames(frames)), folder = scratch.place();
    for (const workers of [1, 2]) {
      const { result } = await replay(tables, [path], { outDir: folder, write: new Set(["pod", "overlay", "external", "trace"]), tracePackets: 1e9, workers });
      expect(brokenSums(result)).toEqual([]);
      expect(result.forwarded.packets).toBe(frames.length);
      expect(result.oversizedFrames).toBe(6);
      for (const name of ["pod.pcap", "overlay.pcap", "external.pcap"]) expect(await recordsIn(`${folder}/${name}`), name).toBe(frames.length);
      // from-container, to-netdev, from-overlay and to-netdev of each.
      expect(await recordsIn(`${folder}/trace.pcapng`)).toBe(4 * frames.length);
    }
  });
});

async function recordsIn(path: string): Promise<number> {
  const reader = await openCapture(path);
  let count = 0;
  for (let status = reader.next(); status >= 0; status = reader.next()) {
    if (status === 0) await reader.fill();
    else count++;
  }
  await reader.close();
  return count;
}
