import { ChunkWork } from "./chunk-work.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { MainKernel } from "./main-kernel.ts";
import { slotOf, type Workers, type WorkerTiming } from "./worker-protocol.ts";

/** The one worker of a short run, on the main thread: a post is finished when it returns. */
export class MainThreadWorker implements Workers {
  readonly #work: ChunkWork;
  #posted = 0;

  constructor(memory: ClusterMemory, kernel: MainKernel) {
    const [addresses] = memory.workers;
    if (addresses === undefined) throw new Error("the memory was laid out for no worker");
    this.#work = new ChunkWork(kernel.get(), memory.arena.memory, addresses);
  }

  get nextChunk(): number {
    return this.#posted + 1;
  }

  post(command: number, now = 0): number {
    this.#posted += 1;
    this.#work.run(command, slotOf(this.#posted), now);
    return this.#posted;
  }

  async finished(): Promise<void> {
    // Every post was carried out at once.
  }

  async end(): Promise<WorkerTiming> {
    return { kernel: this.#work.kernelTime / 1000, idle: 0, batches: [this.#work.batches.counts] };
  }

  async abort(): Promise<void> {
    // There is no thread to stop.
  }
}
