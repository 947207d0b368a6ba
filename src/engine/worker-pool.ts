import { once } from "node:events";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import type { Piscina } from "piscina";
import { Breather } from "./breather.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { SLOT_COUNT } from "./memory-plan.ts";
import type { KernelBuild } from "./replay-options.ts";
import { COMMAND_END, CONTROL_DONE, CONTROL_POSTED, CONTROL_SLOT, profileName, SLOT_COMMAND, SLOT_NOW, slotOf, SLOT_WORDS, type Workers, type WorkerTask, type WorkerTiming } from "./worker-protocol.ts";
import { takeThreads } from "./worker-threads.ts";

/** The piscina pool with one long-running task per worker, and the chunks they share. Chunks are numbered from 1. */
export class WorkerPool implements Workers {
  readonly #control: Int32Array;
  readonly #pool: Piscina;
  readonly #tasks: Promise<WorkerTiming>[];
  readonly #breather = new Breather();
  /** Until all tasks run; null from then on. */
  #beginning: Promise<unknown> | null;
  #posted = 0;
  #fault: unknown = null;

  constructor(memory: ClusterMemory, kernel: KernelBuild, profileDir: string | null) {
    const control = new SharedArrayBuffer((CONTROL_SLOT + SLOT_COUNT * SLOT_WORDS) * 4);
    this.#control = new Int32Array(control);
    this.#pool = takeThreads(memory.workers.length);
    const beginnings: Promise<unknown>[] = [];
    this.#tasks = memory.workers.map((addresses, worker) => {
      const { port1, port2 } = new MessageChannel();
      const task: WorkerTask = {
        memory: memory.arena.memory, control, worker, port: port2, kernel, addresses, warmUp: memory.warmUps[worker] ?? null,
        profile: profileDir === null ? null : join(profileDir, profileName(worker)),
      };
      const running = this.#pool.run(task, { transferList: [port2] }) as Promise<WorkerTiming>;
      running.catch((error: unknown) => {
        this.#fault = error ?? new Error(`worker ${worker} ended without a word`);
      });
      // Whichever comes first: a task that fails before it begins has the wait for it end.
      beginnings.push(Promise.race([once(port1, "message").finally(() => port1.close()), running]));
      return running;
    });
    this.#beginning = Promise.all(beginnings);
    this.#beginning.catch(() => undefined);
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

  /** Threads come up through the event loop; once they run, this thread sleeps in place, with a look at it now and then. */
  async finished(chunk: number): Promise<void> {
    if (this.#beginning !== null) await this.#beginning;
    this.#beginning = null;
    for (const worker of this.#tasks.keys()) {
      for (let done = this.#done(worker); done < chunk; done = this.#done(worker)) {
        if (this.#fault !== null) throw this.#fault;
        if (Atomics.wait(this.#control, CONTROL_DONE + worker, done, this.#breather.left) === "timed-out") await this.#breather.breathe();
      }
    }
  }

  #done(worker: number): number {
    return Atomics.load(this.#control, CONTROL_DONE + worker);
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
