// A run's memory and its input cut into chunks, without threads: chunks are filled once as the engine fills them, kept, and put
// back before each time that a kernel works on them, so that only the kernel's own time is measured.
import { closeSync, openSync, writeSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { CaptureTally } from "../../src/engine/capture-tally.ts";
import { ChunkFiller } from "../../src/engine/chunk-filler.ts";
import { type ClusterMemory, layOutMemory } from "../../src/engine/cluster-memory.ts";
import { clusterAddresses, clusterAddresses6 } from "../../src/engine/image/cluster-addresses.ts";
import type { Kernel } from "../../src/engine/kernel-instance.ts";
import { STREAM_BYTES } from "../../src/engine/memory-plan.ts";
import type { OutputKind, ReplayOptions } from "../../src/engine/replay-options.ts";
import { Steering } from "../../src/engine/steer.ts";
import { warmUp } from "../../src/engine/warm-up.ts";
import { mergeCaptures } from "../../src/io/merge.ts";
import { openCapture } from "../../src/io/open-capture.ts";
import { B_ENTRY, B_FRAME, B_LEN, B_SIZE, ENTRY_REPLY, X_CURSORS, X_LIMITS } from "../../src/kernel/pipeline/layout-batch.ts";

const PAGE = 65_536;
const TCP = 6, SYN_FIN_RST = 7;

export async function tablesOf(cluster: string): Promise<DatapathTables> {
  return compileTables(await loadCluster([cluster]), { semantics: "cilium-1.19" }).tables;
}

/** The capture's packets by what they are to a kernel: the first of each flow; the others that open and close nothing, all of them,
 * those of pods, and those to pods. */
export const PACKET_SETS = ["new flows", "established", "forward", "replies"] as const;
export type PacketSet = (typeof PACKET_SETS)[number];

interface KeptChunk {
  readonly packets: number;
  readonly frames: number;
  readonly frameBytes: Uint8Array;
  readonly descriptorBytes: Uint8Array;
}

export interface RunOptions {
  readonly capture: string;
  readonly tables: DatapathTables;
  readonly write: ReadonlySet<OutputKind>;
  readonly maxFlows: number;
  readonly flowWays?: boolean;
}

export class PreparedRun {
  readonly memory: ClusterMemory;
  readonly context: number;
  readonly descriptors: number;
  /** Start and end of each stream's block. */
  readonly streams: readonly (readonly [number, number])[];
  readonly #sets: ReadonlyMap<PacketSet, readonly KeptChunk[]>;

  private constructor(memory: ClusterMemory, chunks: readonly KeptChunk[]) {
    const [worker] = memory.workers;
    if (worker === undefined) throw new Error("the run has no worker");
    this.memory = memory;
    this.context = worker.context;
    this.descriptors = worker.descriptors[0] ?? 0;
    this.streams = (worker.streams[0] ?? []).map((start, stream) => [start, start + (STREAM_BYTES[stream] ?? 0)] as const);
    this.#sets = sorted(chunks);
  }

  packetsOf(set: PacketSet): number[] {
    return (this.#sets.get(set) ?? []).map(({ packets }) => packets);
  }

  static async of({ capture, tables, write, maxFlows, flowWays = true }: RunOptions): Promise<PreparedRun> {
    const options: ReplayOptions = {
      captures: [{ path: capture, point: "pod" }], tables, outDir: "", write, workers: 1, exactWorkers: true, kernel: "ts", captureInterface: null,
      assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0, maxFlows, flowWays,
    };
    const memory = layOutMemory(options, 1, { warmUp: true }), { bytes, words } = memory.arena, [worker] = memory.workers, descriptors = worker?.descriptors[0] ?? 0;
    const merged = mergeCaptures([await openCapture(capture)]), steering = new Steering(new AddressBook4(clusterAddresses(tables)), new AddressBook6(clusterAddresses6(tables)), tables.config.tunnelPort);
    const filler = new ChunkFiller(merged, memory, steering, new CaptureTally(1), options), chunks: KeptChunk[] = [];
    for (let end = "full"; end !== "ended";) {
      filler.begin(0);
      for (end = filler.fill(Infinity); end === "needs-fill"; end = filler.fill(Infinity)) await merged.fill();
      filler.close();
      const { packets } = filler, last = (descriptors + (packets - 1) * B_SIZE) >> 2;
      if (packets === 0) continue;
      const from = words[(descriptors + B_FRAME) >> 2] ?? 0, to = (words[last + (B_FRAME >> 2)] ?? 0) + (words[last + (B_LEN >> 2)] ?? 0);
      chunks.push({ packets, frames: from, frameBytes: bytes.slice(from, to), descriptorBytes: bytes.slice(descriptors, descriptors + packets * B_SIZE) });
    }
    await merged.close();
    return new PreparedRun(memory, chunks);
  }

  /** As runs that are worth it do with the TypeScript kernel. */
  warm(kernel: Kernel): void {
    const [worker] = this.memory.workers, [place] = this.memory.warmUps;
    if (worker !== undefined && place !== undefined) warmUp(kernel, this.memory.arena.memory, place, worker);
  }

  /** Once through the chunks of a set; nanoseconds of each. */
  pass(kernel: Pick<Kernel, "processBatch">, set: PacketSet): number[] {
    const { bytes, words } = this.memory.arena;
    return (this.#sets.get(set) ?? []).map(({ packets, frames, frameBytes, descriptorBytes }) => {
      bytes.set(frameBytes, frames);
      bytes.set(descriptorBytes, this.descriptors);
      for (const [stream, [start, end]] of this.streams.entries()) {
        words[(this.context + X_CURSORS) / 4 + stream] = start;
        words[(this.context + X_LIMITS) / 4 + stream] = end;
      }
      const before = performance.now();
      kernel.processBatch(this.context, this.descriptors, packets);
      return (performance.now() - before) * 1e6;
    });
  }

  /** What bench/kernel/native/main.c reads. */
  save(image: string, chunksFile: string): void {
    const { memory, used } = this.memory.arena, words = new BigUint64Array(memory.buffer), bytes = this.memory.arena.bytes, file = openSync(image, "w");
    writeSync(file, new BigUint64Array([BigInt(memory.buffer.byteLength)]));
    for (let page = 0; page * PAGE < used; page++) {
      const from = page * (PAGE / 8), end = from + PAGE / 8;
      let at = from;
      while (at < end && words[at] === 0n) at++;
      if (at < end) writeSync(file, Buffer.concat([new Uint8Array(new Uint32Array([page]).buffer), bytes.slice(page * PAGE, (page + 1) * PAGE)]));
    }
    closeSync(file);
    const sets = openSync(chunksFile, "w");
    for (const set of PACKET_SETS) {
      const chunks = this.#sets.get(set) ?? [];
      writeSync(sets, new Uint32Array([chunks.length]));
      for (const { packets, frames, frameBytes, descriptorBytes } of chunks)
        writeSync(sets, Buffer.concat([new Uint8Array(new Uint32Array([packets, frames, frameBytes.length]).buffer), frameBytes, descriptorBytes]));
    }
    closeSync(sets);
  }
}

/** Every chunk once per set, with the descriptors of that set's packets only. */
function sorted(chunks: readonly KeptChunk[]): Map<PacketSet, KeptChunk[]> {
  const known = new Set<string>();
  const setsOf = ({ frames, frameBytes, descriptorBytes }: KeptChunk, index: number): readonly PacketSet[] => {
    const view = new DataView(descriptorBytes.buffer, descriptorBytes.byteOffset + index * B_SIZE), reply = view.getInt32(B_ENTRY, true) === ENTRY_REPLY;
    const at = view.getInt32(B_FRAME, true) - frames, frame = Buffer.from(frameBytes.buffer, frameBytes.byteOffset + at);
    const part = (from: number, to: number): string => frame.toString("latin1", from, to);
    const key = reply ? part(30, 34) + part(26, 30) + part(36, 38) + part(34, 36) : part(26, 38);
    if (!known.has(key)) {
      known.add(key);
      return ["new flows"];
    }
    if (frameBytes[at + 23] === TCP && ((frameBytes[at + 47] ?? 0) & SYN_FIN_RST) !== 0) return [];
    return ["established", reply ? "replies" : "forward"];
  };
  const sets = new Map<PacketSet, KeptChunk[]>(PACKET_SETS.map((set) => [set, []]));
  for (const chunk of chunks) {
    const indexes = new Map<PacketSet, number[]>(PACKET_SETS.map((set) => [set, []]));
    for (let index = 0; index < chunk.packets; index++) for (const set of setsOf(chunk, index)) indexes.get(set)?.push(index);
    for (const [set, chosen] of indexes) {
      if (chosen.length === 0) continue;
      const descriptorBytes = Buffer.concat(chosen.map((index) => chunk.descriptorBytes.subarray(index * B_SIZE, (index + 1) * B_SIZE)));
      sets.get(set)?.push({ ...chunk, packets: chosen.length, descriptorBytes });
    }
  }
  return sets;
}
