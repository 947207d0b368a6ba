// How the main thread and the workers talk: words in shared memory that either sleeps on, no messages. Frames never travel.
import type { MessagePort } from "node:worker_threads";
import { SLOT_COUNT } from "./memory-plan.ts";
import type { KernelBuild } from "./replay-options.ts";

/** Chunks are numbered from 1 and use the slots in turn. */
export function slotOf(chunk: number): number {
  return chunk % SLOT_COUNT;
}

/** More workers than this would not find room for their blocks beside the shards in 2 GiB. */
export const MOST_WORKERS = 16;

/** Words of the control block: the last chunk that was posted, and by worker the last that it finished. */
export const CONTROL_POSTED = 0;
export const CONTROL_DONE = 8;
/** Per slot: what to do, and for garbage collection the clock. */
export const CONTROL_SLOT = CONTROL_DONE + MOST_WORKERS;
export const SLOT_COMMAND = 0;
export const SLOT_NOW = 1;
export const SLOT_WORDS = 8;

export const COMMAND_BATCH = 1;
export const COMMAND_COLLECT = 2;
export const COMMAND_END = 3;
export const COMMAND_COUNT = 4;
export const COMMAND_EVICT = 5;

/** Addresses that one worker works with. */
export interface WorkerAddresses {
  readonly context: number;
  /** By slot: this worker's descriptors, the word that holds their number, and its stream blocks. */
  readonly descriptors: readonly number[];
  readonly counts: readonly number[];
  readonly streams: readonly (readonly number[])[];
  /** Shards this worker owns. */
  readonly shards: readonly number[];
  /** By owned shard: its cells of counts and quotas. */
  readonly quotas: readonly number[];
  /** Garbage collection: word per node (due or not), and its counters. */
  readonly due: number;
  readonly collected: number;
}

/** Where a kernel warms up: a worker's addresses of its own, and room for a chunk's frames. */
export interface WarmUpAddresses {
  readonly worker: WorkerAddresses;
  readonly frames: number;
}

export interface WorkerTask {
  readonly memory: WebAssembly.Memory;
  readonly control: SharedArrayBuffer;
  /** This worker's number, from 0. */
  readonly worker: number;
  /** Gets one message, when the task begins. */
  readonly port: MessagePort;
  readonly kernel: KernelBuild;
  readonly addresses: WorkerAddresses;
  /** null: the kernel works on the first packet as it is. */
  readonly warmUp: WarmUpAddresses | null;
  /** Where to write a CPU profile of the worker; null: nowhere. */
  readonly profile: string | null;
}

/** Name of a thread's CPU profile: by number of the worker, from 0; -1 is the main thread. */
export function profileName(worker: number): string {
  return worker < 0 ? "main.cpuprofile" : `worker-${worker + 1}.cpuprofile`;
}

/** Those who work on chunks, as the main thread sees them: threads, or for a short run itself. */
export interface Workers {
  /** Number of the chunk that the next post will have. */
  readonly nextChunk: number;
  /** Posts COMMAND_…, and gives its chunk's number. A batch is what lies in the chunk's slot; `now`, seconds of the datapath's
   * clock, is for garbage collection. */
  post(command: number, now?: number): number;
  /** Until every worker has finished `chunk`; rejects when a worker failed. */
  finished(chunk: number): Promise<void>;
  /** All chunks must be finished. Returns where the workers' time went, summed. */
  end(): Promise<WorkerTiming>;
  /** Stops at once, for a run that failed. */
  abort(): Promise<void>;
}

/** What a worker's task returns when it ends. Seconds. */
export interface WorkerTiming {
  readonly kernel: number;
  readonly idle: number;
  /** Histograms of the batches' times (BatchTimes), one per worker. */
  readonly batches: readonly Float64Array[];
}
