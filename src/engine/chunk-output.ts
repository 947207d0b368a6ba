// Puts what the workers wrote back into capture order, stream by stream, and hands it to the writers.
import { join } from "node:path";
import { B_SIZE, B_WROTE, STREAM_TRACE, TR_HOOK, TR_LEN, TR_NSEC, TR_SEC, TR_SIZE, TR_WIRE_LEN } from "../kernel/pipeline/layout-batch.ts";
import { PcapWriter } from "../io/pcap-writer.ts";
import { PcapngWriter } from "../io/pcapng-writer.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { MainKernel } from "./main-kernel.ts";
import { milliseconds } from "./milliseconds.ts";
import type { DatapathOptions } from "./replay-options.ts";
import { HOOK_NAMES, traceComment } from "./trace-comment.ts";
import { slotOf } from "./worker-protocol.ts";

const STREAM_FILES = ["pod", "overlay", "external", "trace"] as const;

export class ChunkOutput {
  readonly files: string[] = [];
  readonly #memory: ClusterMemory;
  readonly #options: DatapathOptions;
  readonly #pcaps: (PcapWriter | null)[] = [];
  readonly #trace: PcapngWriter | null = null;
  readonly #kernel: MainKernel;
  /** Milliseconds that putting streams in order took. */
  orderTime = 0;
  #end = 0;

  constructor(memory: ClusterMemory, options: DatapathOptions, application: string, kernel: MainKernel) {
    this.#memory = memory;
    this.#options = options;
    this.#kernel = kernel;
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
    const slot = slotOf(chunk), { bytes } = this.#memory.arena;
    for (const [stream, writer] of this.#pcaps.entries()) {
      if (writer === null) continue;
      const from = this.#inOrder(slot, stream, owners, packets);
      if (this.#end > from) writer.write(bytes.subarray(from, this.#end));
    }
    if (this.#trace !== null) this.#writeTrace(this.#inOrder(slot, STREAM_TRACE, owners, packets), this.#end);
  }

  /** Where a chunk's share of a stream lies in one piece, in the order of its packets, up to #end: what one worker wrote stays
   * where it is. */
  #inOrder(slot: number, stream: number, owners: Uint8Array, packets: number): number {
    const before = milliseconds();
    const from = this.#join(slot, stream, owners, packets);
    this.orderTime += milliseconds() - before;
    return from;
  }

  #join(slot: number, stream: number, owners: Uint8Array, packets: number): number {
    const { arena, workers, joining } = this.#memory, [only] = workers;
    if (workers.length === 1 && only !== undefined) {
      const from = only.streams[slot]?.[stream] ?? 0;
      this.#end = from;
      for (let packet = 0, at = (only.descriptors[slot] ?? 0) + B_WROTE + 4 * stream; packet < packets; packet++, at += B_SIZE) this.#end += arena.words[at >> 2] as number;
      return from;
    }
    arena.bytes.set(owners.subarray(0, packets), joining.owners);
    for (const [worker, { descriptors, streams }] of workers.entries()) {
      arena.put32(joining.places + 8 * worker, descriptors[slot] ?? 0);
      arena.put32(joining.places + 8 * worker + 4, streams[slot]?.[stream] ?? 0);
    }
    this.#end = this.#kernel.get().joinStream(joining.owners, packets, joining.places, stream, joining.out);
    return joining.out;
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
