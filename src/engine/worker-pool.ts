import { join } from "node:path";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { Piscina } from "piscina";
import type { ClusterMemory } from "./cluster-memory.ts";
import { SLOT_COUNT } from "./memory-plan.ts";
import type { KernelBuild } from "./replay-options.ts";
import { COMMAND_BATCH, COMMAND_COLLECT, COMMAND_COUNT, COMMAND_END, COMMAND_EVICT, CONTROL_POSTED, CONTROL_SLOT, profileName, SLOT_COMMAND, SLOT_NOW, SLOT_WORDS, type WorkerTask, type WorkerTiming } from "./worker-protocol.ts";
import { takeThreads } from "./worker-threads.ts";

/** The piscina pool with one long-running task per worker, and the chunks they share. Chunks are numbered from 1. */
export class WorkerPool {
  readonly #control: Int32Array;
  readonly #pool: Piscina;
  readonly #tasks: Promise<WorkerTiming>[];
  readonly #done: number[];
  #posted = 0;
  #fault: unknown = null;
  #wake: (() => void) | null = null;

  constructor(memory: ClusterMemory, kernel: KernelBuild, profileDir: string | null) {
    const control = new SharedArrayBuffer((CONTROL_SLOT + SLOT_COUNT * SLOT_WORDS) * 4);
    this.#control = new Int32Array(control);
    this.#pool = takeThreads(memory.workers.length);
    this.#done = memory.workers.map(() => 0);
    this.#tasks = memory.workers.map((addresses, worker) => {
      const { port1, port2 } = new MessageChannel();
      this.#listen(port1, worker);
      const task: WorkerTask = { memory: memory.arena.memory, control, port: port2, kernel, addresses, warmUp: memory.warmUps[worker] ?? null, profile: profileDir === null ? null : join(profileDir, profileName(worker)) };
      const running = this.#pool.run(task, { transferList: [port2] }) as Promise<WorkerTiming>;
      running.catch((error: unknown) => {
        this.#fault = error ?? new Error(`worker ${worker} ended without a word`);
        this.#wake?.();
      });
      return running;
    });
  }

  #listen(port: MessagePort, worker: number): void {
    port.on("message", (chunk: number) => {
      this.#done[worker] = chunk;
      this.#wake?.();
    });
  }

  /** Number of the chunk that the next post will have, and the slot it uses. */
  get nextChunk(): number {
    return this.#posted + 1;
  }

  static slotOf(chunk: number): number {
    return chunk % SLOT_COUNT;
  }

  postBatch(): number {
    return this.#post(COMMAND_BATCH, 0);
  }

  postCollection(now: number): number {
    return this.#post(COMMAND_COLLECT, now);
  }

  /** Counting and evicting, one after the other at a barrier. */
  postCount(): number {
    return this.#post(COMMAND_COUNT, 0);
  }

  postEvict(): number {
    return this.#post(COMMAND_EVICT, 0);
  }

  #post(command: number, now: number): number {
    const chunk = this.#posted + 1, at = CONTROL_SLOT + WorkerPool.slotOf(chunk) * SLOT_WORDS;
    this.#control[at + SLOT_COMMAND] = command;
    this.#control[at + SLOT_NOW] = now;
    this.#posted = chunk;
    Atomics.store(this.#control, CONTROL_POSTED, chunk);
    Atomics.notify(this.#control, CONTROL_POSTED);
    return chunk;
  }

  isDone(chunk: number): boolean {
    return this.#done.every((done) => done >= chunk);
  }

  /** Until every worker has finished `chunk`; rejects when a worker failed. */
  async finished(chunk: number): Promise<void> {
    while (!this.isDone(chunk)) {
      if (this.#fault !== null) throw this.#fault;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  /** Ends the tasks; all chunks must be finished. Returns where the workers' time went, summed. */
  async end(): Promise<WorkerTiming> {
    this.#post(COMMAND_END, 0);
    const timings = await Promise.all(this.#tasks);
    await this.#pool.close();
    return {
      kernel: timings.reduce((sum, timing) => sum + timing.kernel, 0), idle: timings.reduce((sum, timing) => sum + timing.idle, 0),
      batches: timings.flatMap((timing) => timing.batches),
    };
  }

  /** Stops at once, for a run that failed. */
  async abort(): Promise<void> {
    await this.#pool.destroy();
  }
}
