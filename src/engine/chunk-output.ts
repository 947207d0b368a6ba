// Puts what the workers wrote back into capture order, stream by stream, and hands it to the writers.
import { join } from "node:path";
import { B_SIZE, B_WROTE, STREAM_COUNT, STREAM_TRACE, TR_HOOK, TR_LEN, TR_NSEC, TR_SEC, TR_SIZE, TR_WIRE_LEN } from "../kernel/pipeline/layout-batch.ts";
import { PcapWriter } from "../io/pcap-writer.ts";
import { PcapngWriter } from "../io/pcapng-writer.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { DatapathOptions } from "./replay-options.ts";
import { HOOK_NAMES, traceComment } from "./trace-comment.ts";
import { WorkerPool } from "./worker-pool.ts";

const STREAM_FILES = ["pod", "overlay", "external", "trace"] as const;

export class ChunkOutput {
  readonly files: string[] = [];
  readonly #memory: ClusterMemory;
  readonly #options: DatapathOptions;
  readonly #pcaps: (PcapWriter | null)[] = [];
  readonly #trace: PcapngWriter | null = null;
  readonly #cursors: Float64Array;
  readonly #taken: Int32Array;

  constructor(memory: ClusterMemory, options: DatapathOptions, application: string) {
    this.#memory = memory;
    this.#options = options;
    this.#cursors = new Float64Array(memory.workers.length);
    this.#taken = new Int32Array(memory.workers.length);
    for (const kind of STREAM_FILES) {
      if (options.outDir === null || !options.write.has(kind)) {
        if (kind !== "trace") this.#pcaps.push(null);
        continue;
      }
      const name = kind === "trace" ? "trace.pcapng" : `${kind}.pcap`, path = join(options.outDir, name);
      this.files.push(name);
      if (kind === "trace") this.#trace = new PcapngWriter(path, HOOK_NAMES, application, { overwrite: true });
      else this.#pcaps.push(new PcapWriter(path, { overwrite: true }));
    }
  }

  /** Writes a finished chunk; `owners` are the workers of its packets in capture order. */
  write(chunk: number, owners: Uint8Array, packets: number): void {
    const slot = WorkerPool.slotOf(chunk);
    for (const [stream, writer] of this.#pcaps.entries())
      if (writer !== null) this.#merge(slot, stream, owners, packets, (from, to) => writer.write(this.#memory.arena.bytes.subarray(from, to)));
    if (this.#trace !== null) this.#merge(slot, STREAM_TRACE, owners, packets, (from, to) => this.#writeTrace(from, to));
  }

  /** Calls `put` with runs of bytes: neighbours of one worker lie side by side in its block already. */
  #merge(slot: number, stream: number, owners: Uint8Array, packets: number, put: (from: number, to: number) => void): void {
    const { arena, workers } = this.#memory;
    for (const [worker, addresses] of workers.entries()) {
      this.#cursors[worker] = addresses.streams[slot]?.[stream] ?? 0;
      this.#taken[worker] = (addresses.descriptors[slot] ?? 0) + B_WROTE + 4 * (stream % STREAM_COUNT);
    }
    let runWorker = -1, runStart = 0, runEnd = 0;
    for (let packet = 0; packet < packets; packet++) {
      const worker = owners[packet] as number;
      const descriptor = this.#taken[worker] as number, wrote = arena.words[descriptor >> 2] as number;
      this.#taken[worker] = descriptor + B_SIZE;
      if (worker !== runWorker) {
        if (runEnd > runStart) put(runStart, runEnd);
        runWorker = worker;
        runStart = this.#cursors[worker] as number;
        runEnd = runStart;
      }
      runEnd += wrote;
      this.#cursors[worker] = runEnd;
    }
    if (runEnd > runStart) put(runStart, runEnd);
  }

  #writeTrace(from: number, to: number): void {
    const { view, bytes } = this.#memory.arena;
    for (let at = from; at < to;) {
      const length = view.getInt32(at + TR_LEN, true);
      this.#trace?.writePacket(
        view.getInt32(at + TR_HOOK, true), view.getUint32(at + TR_SEC, true), view.getUint32(at + TR_NSEC, true), bytes, at + TR_SIZE, length,
        view.getUint32(at + TR_WIRE_LEN, true), traceComment(view, at, this.#options.tables),
      );
      at += TR_SIZE + length;
    }
  }

  close(): void {
    for (const writer of this.#pcaps) writer?.close();
    this.#trace?.close();
  }
}
