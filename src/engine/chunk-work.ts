// What a worker does with one chunk, on a thread of its own or, for a short run, on the main one.
import { BatchTimes } from "./batch-times.ts";
import type { Kernel } from "./kernel-instance.ts";
import { milliseconds } from "./milliseconds.ts";
import { runShardCommand } from "./shard-command.ts";
import { beginStreams } from "./stream-blocks.ts";
import { COMMAND_BATCH, type WorkerAddresses } from "./worker-protocol.ts";

export class ChunkWork {
  readonly batches = new BatchTimes();
  /** Milliseconds spent in the kernel. */
  kernelTime = 0;
  readonly #kernel: Kernel;
  readonly #words: Int32Array;
  readonly #addresses: WorkerAddresses;

  constructor(kernel: Kernel, memory: WebAssembly.Memory, addresses: WorkerAddresses) {
    this.#kernel = kernel;
    this.#words = new Int32Array(memory.buffer);
    this.#addresses = addresses;
  }

  /** Carries out one command (COMMAND_END is none); `now` is the datapath's clock, for garbage collection. */
  run(command: number, slot: number, now: number): void {
    const started = milliseconds();
    if (command === COMMAND_BATCH) this.#processBatch(slot);
    else runShardCommand(this.#kernel, this.#addresses, command, now);
    const took = milliseconds() - started;
    this.kernelTime += took;
    if (command === COMMAND_BATCH) this.batches.add(took);
  }

  #processBatch(slot: number): void {
    const words = this.#words, { context, streams, descriptors, counts } = this.#addresses;
    beginStreams(words, context, streams[slot] ?? []);
    this.#kernel.processBatch(context, descriptors[slot] ?? 0, words[(counts[slot] ?? 0) / 4] ?? 0);
  }
}
