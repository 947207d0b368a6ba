// The main thread's end of the live workers: their threads, commands, messages.
import { accessSync, constants } from "node:fs";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Piscina } from "piscina";
import { InputError } from "../cluster/input-error.ts";
import { SLOT_COUNT } from "../engine/memory-plan.ts";
import { COMMAND_END } from "../engine/worker-protocol.ts";
import {
  COMMAND_EPOCH, COMMAND_STOP_READING, type Epoch, LIVE_COMMAND, LIVE_NOW, LIVE_POSTED, LIVE_SLOTS, type LiveEnd, type LiveMessage, type LiveTask,
} from "./live-protocol.ts";
import type { Native } from "./native.ts";

/** Workers run from the built output: Node 20 cannot load TypeScript in a thread. */
const workerFile = new URL(import.meta.url.endsWith(".ts") ? "../../dist/live/live-worker.js" : "./live-worker.js", import.meta.url);

/** A thread reads its files when privileges are given up already. Throws InputError where it could not. */
export function mustBeReadableToWorkers(user: string): void {
  try {
    accessSync(workerFile, constants.R_OK);
  } catch {
    throw new InputError([{
      at: null, subject: `--user ${user}`, message: `this user may not read egwsim's own files (${workerFile.pathname})`,
      cure: "name a user who may, or install egwsim where everybody can read it",
    }]);
  }
}

export function controlBlock(workers: number): SharedArrayBuffer { return new SharedArrayBuffer((LIVE_SLOTS + workers * SLOT_COUNT) * 4); }

export interface WorkerListener {
  /** Captures of a worker's slot are ready to be written. */
  onSlot(worker: number, slot: number, packets: number): void;
  /** Tunnel packets for raw-socket, each behind its length in four bytes. */
  onRaw(packets: Uint8Array): void;
}

export class LiveWorkers {
  /** A device has failed, or a worker ended by itself: the run cannot go on. */
  isOver = false;
  readonly #native: Native;
  readonly #control: Int32Array;
  readonly #wakes: readonly number[];
  readonly #pool: Piscina;
  readonly #ports: readonly MessagePort[];
  readonly #ends: readonly Promise<LiveEnd>[];
  /** By worker: its last finished command; Infinity when it has ended. */
  readonly #done: number[];
  #posted = 0;
  #waiting: (() => void) | null = null;

  constructor(tasks: readonly Omit<LiveTask, "port">[], control: SharedArrayBuffer, wakes: readonly number[], native: Native, listener: WorkerListener) {
    this.#native = native;
    this.#control = new Int32Array(control);
    this.#wakes = wakes;
    this.#done = tasks.map(() => 0);
    this.#pool = new Piscina({ filename: workerFile.href, minThreads: tasks.length, maxThreads: tasks.length, concurrentTasksPerWorker: 1 });
    const started = tasks.map((task) => this.#start(task, listener));
    this.#ports = started.map(({ port }) => port);
    this.#ends = started.map(({ end }) => end);
  }

  #start(task: Omit<LiveTask, "port">, listener: WorkerListener): { readonly port: MessagePort; readonly end: Promise<LiveEnd> } {
    const { port1: port, port2 } = new MessageChannel();
    port.on("message", (message: LiveMessage) => this.#hear(message, task.worker, listener));
    const end = (this.#pool.run({ ...task, port: port2 } satisfies LiveTask, { transferList: [port2] }) as Promise<LiveEnd>).finally(() => {
      this.isOver = true;
      this.#done[task.worker] = Number.POSITIVE_INFINITY;
      this.#waiting?.();
    });
    // Heard of by end(), which comes later.
    end.catch(() => undefined);
    return { port, end };
  }

  #hear(message: LiveMessage, worker: number, listener: WorkerListener): void {
    if (message.kind === "done") {
      this.#done[worker] = message.command;
      this.#waiting?.();
    } else if (message.kind === "fault") {
      this.isOver = true;
    } else if (message.kind === "raw") {
      listener.onRaw(message.packets);
    } else {
      listener.onSlot(worker, message.slot, message.packets);
      const at = LIVE_SLOTS + worker * SLOT_COUNT + message.slot;
      Atomics.store(this.#control, at, 0);
      Atomics.notify(this.#control, at);
    }
  }

  /** Has every worker carry it out, each for its shards; resolves when all have, or have ended. */
  async command(command: number, now: number): Promise<void> {
    const posted = this.#post(command, now);
    while (this.#done.some((done) => done < posted)) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    this.#waiting = null;
  }

  async enter(epoch: Epoch): Promise<void> {
    for (const port of this.#ports) port.postMessage(epoch);
    await this.command(COMMAND_EPOCH, 0);
  }

  /** Ends the workers and their threads; what they still had to say has been heard. First nobody reads any more, so that then
   * each can finish what the others handed over. */
  async end(): Promise<LiveEnd> {
    await this.command(COMMAND_STOP_READING, 0);
    this.#post(COMMAND_END, 0);
    try {
      const ends = await Promise.all(this.#ends);
      return ends.find(({ fault }) => fault !== null) ?? { fault: null };
    } finally {
      await new Promise((resolve) => setImmediate(resolve));
      for (const port of this.#ports) port.close();
      await this.#pool.destroy();
    }
  }

  #post(command: number, now: number): number {
    this.#posted++;
    Atomics.store(this.#control, LIVE_COMMAND, command);
    Atomics.store(this.#control, LIVE_NOW, now);
    Atomics.store(this.#control, LIVE_POSTED, this.#posted);
    for (const wake of this.#wakes) this.#native.wake(wake);
    return this.#posted;
  }
}
