// The main thread's end of a live worker: its thread, its commands, its messages.
import { accessSync, constants } from "node:fs";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Piscina } from "piscina";
import { InputError } from "../cluster/input-error.ts";
import { SLOT_COUNT } from "../engine/memory-plan.ts";
import { COMMAND_END } from "../engine/worker-protocol.ts";
import { COMMAND_EPOCH, type Epoch, LIVE_COMMAND, LIVE_NOW, LIVE_POSTED, LIVE_SLOTS, type LiveEnd, type LiveMessage, type LiveTask } from "./live-protocol.ts";
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
  /** Captures of a slot are ready to be written. */
  onSlot(slot: number, packets: number): void;
  /** Tunnel packets for raw-socket, each behind its length in four bytes. */
  onRaw(packets: Uint8Array): void;
}

export class LiveWorkerHandle {
  /** Settles when the worker has ended, by command or by a fault of a device. */
  readonly ended: Promise<LiveEnd>;
  readonly #native: Native;
  readonly #control: Int32Array;
  readonly #pool: Piscina;
  readonly #port: MessagePort;
  readonly #wake: number;
  #posted = 0;
  #done = 0;
  #over = false;
  #waiting: (() => void) | null = null;

  constructor(task: Omit<LiveTask, "port">, native: Native, listener: WorkerListener) {
    this.#native = native;
    this.#control = new Int32Array(task.control);
    this.#wake = task.wake;
    this.#pool = new Piscina({ filename: workerFile.href, minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 1 });
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on("message", (message: LiveMessage) => this.#hear(message, task.worker, listener));
    const over = (): void => {
      this.#over = true;
      this.#waiting?.();
    };
    this.ended = (this.#pool.run({ ...task, port: port2 } satisfies LiveTask, { transferList: [port2] }) as Promise<LiveEnd>).finally(over);
  }

  #hear(message: LiveMessage, worker: number, listener: WorkerListener): void {
    if (message.kind === "done") {
      this.#done = message.command;
      this.#waiting?.();
    } else if (message.kind === "raw") {
      listener.onRaw(message.packets);
    } else {
      listener.onSlot(message.slot, message.packets);
      const at = LIVE_SLOTS + worker * SLOT_COUNT + message.slot;
      Atomics.store(this.#control, at, 0);
      Atomics.notify(this.#control, at);
    }
  }

  /** Has the worker go over its shards; resolves when it has, or has ended. */
  async command(command: number, now: number): Promise<void> {
    const posted = this.#post(command, now);
    while (this.#done < posted && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    this.#waiting = null;
  }

  async enter(epoch: Epoch): Promise<void> {
    this.#port.postMessage(epoch);
    await this.command(COMMAND_EPOCH, 0);
  }

  /** Ends the worker and its thread; what it still had to say has been heard. */
  async end(): Promise<LiveEnd> {
    if (!this.#over) this.#post(COMMAND_END, 0);
    try {
      return await this.ended;
    } finally {
      await new Promise((resolve) => setImmediate(resolve));
      this.#port.close();
      await this.#pool.destroy();
    }
  }

  #post(command: number, now: number): number {
    this.#posted++;
    Atomics.store(this.#control, LIVE_COMMAND, command);
    Atomics.store(this.#control, LIVE_NOW, now);
    Atomics.store(this.#control, LIVE_POSTED, this.#posted);
    this.#native.wake(this.#wake);
    return this.#posted;
  }
}
