import { join } from "node:path";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { Piscina } from "piscina";
import type { ClusterMemory } from "./cluster-memory.ts";
import { SLOT_COUNT } from "./memory-plan.ts";
import type { KernelBuild } from "./replay-options.ts";
import { COMMAND_END, CONTROL_POSTED, CONTROL_SLOT, profileName, SLOT_COMMAND, SLOT_NOW, slotOf, SLOT_WORDS, type Workers, type WorkerTask, type WorkerTiming } from "./worker-protocol.ts";
import { takeThreads } from "./worker-threads.ts";

/** The piscina pool with one long-running task per worker, and the chunks they share. Chunks are numbered from 1. */
export class WorkerPool implements Workers {
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
      const task: WorkerTask = { memory: memory.arena.memory, control, port: port2, kernel, addresses, profile: profileDir === null ? null : join(profileDir, profileName(worker)) };
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

  get nextChunk(): number {
    return this.#posted + 1;
  }

  post(command: number, now = 0): number {
    const chunk = this.#posted + 1, at = CONTROL_SLOT + slotOf(chunk) * SLOT_WORDS;
    this.#control[at + SLOT_COMMAND] = command;
    this.#control[at + SLOT_NOW] = now;
    this.#posted = chunk;
    Atomics.store(this.#control, CONTROL_POSTED, chunk);
    Atomics.notify(this.#control, CONTROL_POSTED);
    return chunk;
  }

  #isDone(chunk: number): boolean {
    return this.#done.every((done) => done >= chunk);
  }

  async finished(chunk: number): Promise<void> {
    while (!this.#isDone(chunk)) {
      if (this.#fault !== null) throw this.#fault;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }

  async end(): Promise<WorkerTiming> {
    this.post(COMMAND_END);
    const timings = await Promise.all(this.#tasks);
    await this.#pool.close();
    return {
      kernel: timings.reduce((sum, timing) => sum + timing.kernel, 0), idle: timings.reduce((sum, timing) => sum + timing.idle, 0),
      batches: timings.flatMap((timing) => timing.batches),
    };
  }

  async abort(): Promise<void> {
    await this.#pool.destroy();
  }
}
