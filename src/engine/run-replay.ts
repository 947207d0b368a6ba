// The main thread of a replay: read, steer, post; take finished chunks back and write them; collect garbage on the
// capture's clock; at the end gather what happened.
import { statSync } from "node:fs";
import { join } from "node:path";
import { openCapture, STANDARD_INPUT } from "../io/open-capture.ts";
import { InputError } from "../cluster/input-error.ts";
import type { CaptureReader } from "../io/capture-record.ts";
import { type MergedCaptures, mergeCaptures } from "../io/merge.ts";
import { NC_ON_WAY } from "../kernel/pipeline/layout-batch.ts";
import type { FlowMaps } from "../observe/map-records.ts";
import type { RunResult } from "../observe/run-result.ts";
import { AddressBook4, AddressBook6 } from "./address-book.ts";
import { BatchTimes } from "./batch-times.ts";
import { Breather } from "./breather.ts";
import { CaptureTally } from "./capture-tally.ts";
import { ChunkFiller, CLOCK_START } from "./chunk-filler.ts";
import { ChunkOutput } from "./chunk-output.ts";
import { type ClusterMemory, layOutMemory } from "./cluster-memory.ts";
import { flowMaps } from "./flow-maps.ts";
import { countedFlows, flowRecords } from "./flow-records.ts";
import { collectDue } from "./garbage-rounds.ts";
import { GarbageSchedule } from "./garbage-schedule.ts";
import { Gathering } from "./gather.ts";
import { gatheredResult } from "./gathered-result.ts";
import { Intake } from "./intake.ts";
import { MainKernel, typescriptKernel } from "./main-kernel.ts";
import { MapQuotas } from "./map-quotas.ts";
import { clusterAddresses, clusterAddresses6 } from "./image/cluster-addresses.ts";
import { SLOT_COUNT } from "./memory-plan.ts";
import { milliseconds } from "./milliseconds.ts";
import type { ReplayEnd, ReplayHooks, ReplayOptions } from "./replay-options.ts";
import { ServiceBook } from "./service-book.ts";
import { Steering } from "./steer.ts";
import { MainThreadWorker } from "./main-thread-worker.ts";
import { COMMAND_BATCH, COMMAND_COLLECT, COMMAND_COUNT, COMMAND_EVICT, MOST_WORKERS, profileName, type Workers, type WorkerTiming } from "./worker-protocol.ts";

/** A thread costs about 40 ms to start; below this much input one is enough. */
const SMALL_INPUT_BYTES = 4 * 1024 * 1024;
/** Below this much the main thread does the one worker's part: a thread's start takes longer than the kernel (1,000 packets in 80 ms
 * of CPU time less, minimum of 15 interleaved runs; with 2.4 MB no difference). */
const SHORT_INPUT_BYTES = 1024 * 1024;
/** From here on the TypeScript kernel is warmed up first, which takes about 0.3 s. */
const LONG_INPUT_BYTES = 256 * 1024 * 1024;
const STOP_POLL_MS = 100;

type WorkerWishes = Pick<ReplayOptions, "captures" | "workers" | "exactWorkers" | "profileDir">;

/** Workers that a run over these captures takes, and whether they are threads. */
function workersFor(options: WorkerWishes): { readonly count: number; readonly threads: boolean } {
  const bytes = inputBytes(options.captures) ?? Infinity, free = options.exactWorkers !== true;
  const count = free && bytes < SMALL_INPUT_BYTES ? 1 : Math.min(options.workers, MOST_WORKERS);
  // A profile has a file per thread.
  return { count, threads: !free || bytes >= SHORT_INPUT_BYTES || options.profileDir != null };
}

/** Lets the threads of a coming run start while its manifests are still being read. */
export async function prepareWorkers(options: WorkerWishes): Promise<void> {
  const { count, threads } = workersFor(options);
  if (threads) (await import("./worker-threads.ts")).startThreads(count);
}

async function startWorkers(memory: ClusterMemory, options: ReplayOptions, kernel: MainKernel, threads: boolean): Promise<Workers> {
  if (!threads) return new MainThreadWorker(memory, kernel);
  const { WorkerPool } = await import("./worker-pool.ts");
  return new WorkerPool(memory, options.kernel, options.profileDir ?? null);
}

export async function runReplay(options: ReplayOptions, hooks: ReplayHooks): Promise<ReplayEnd> {
  const bytesTotal = inputBytes(options.captures), { count, threads } = workersFor(options);
  const readers = await Promise.all(options.captures.map(async ({ path }) => await (path === STANDARD_INPUT ? openStandardInput(hooks) : openCapture(path))));
  const memory = layOutMemory(options, count, { warmUp: options.kernel === "ts" && (bytesTotal ?? 0) >= LONG_INPUT_BYTES });
  const kernel = new MainKernel(memory.arena, await typescriptKernel(options.kernel));
  const workers = await startWorkers(memory, options, kernel, threads);
  const run = new ReplayRun(options, hooks, memory, mergeCaptures(readers), bytesTotal, kernel, workers);
  const result = await run.toEnd();
  const maps = (limit: number): FlowMaps => flowMaps(memory, options.tables.nodes.length, run.clock, limit);
  return { result, flows: flowRecords(memory, options.maxFlows), counted: countedFlows(memory, options.maxFlows), maps, files: run.files, workers: count };
}

/** Opening waits for the first bytes, which may never come; a wish to stop ends the wait. */
async function openStandardInput(hooks: ReplayHooks): Promise<CaptureReader> {
  const opening = openCapture(STANDARD_INPUT);
  for (;;) {
    const poll = new Promise<null>((resolve) => setTimeout(resolve, STOP_POLL_MS, null));
    const reader = await Promise.race([opening, poll]);
    if (reader !== null) return reader;
    if (hooks.shouldStop())
      throw new InputError([{ at: null, subject: "standard input", message: "no capture came before the run was stopped", cure: "is the program that writes it running?" }]);
  }
}

/** Size of the input; null where standard input is part of it. */
function inputBytes(captures: ReplayOptions["captures"]): number | null {
  let sum = 0;
  for (const { path } of captures) {
    if (path === STANDARD_INPUT) return null;
    sum += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return sum;
}

interface PostedChunk {
  readonly chunk: number;
  readonly owners: Uint8Array;
  readonly packets: number;
}

class ReplayRun {
  readonly #options: ReplayOptions;
  readonly #hooks: ReplayHooks;
  readonly #memory: ClusterMemory;
  readonly #merged: MergedCaptures;
  readonly #bytesTotal: number | null;
  readonly #workers: Workers;
  readonly #output: ChunkOutput;
  readonly #tally: CaptureTally;
  readonly #filler: ChunkFiller;
  readonly #garbage: GarbageSchedule;
  readonly #quotas: MapQuotas;
  readonly #underWay: PostedChunk[] = [];
  readonly #breather = new Breather();
  #bytesRead = 0;
  #collected = 0;
  #interrupted = false;
  /** Milliseconds. */
  #readTime = 0;
  #steerTime = 0;
  #idleTime = 0;
  #writeTime = 0;

  constructor(options: ReplayOptions, hooks: ReplayHooks, memory: ClusterMemory, merged: MergedCaptures, bytesTotal: number | null, kernel: MainKernel, workers: Workers) {
    this.#options = options;
    this.#hooks = hooks;
    this.#memory = memory;
    this.#merged = merged;
    this.#bytesTotal = bytesTotal;
    this.#tally = new CaptureTally(options.captures.length);
    const steering = new Steering(
      new AddressBook4(clusterAddresses(options.tables)), new AddressBook6(clusterAddresses6(options.tables)), options.tables.config.tunnelPort,
      new ServiceBook(options.tables, options.seed | 0),
    );
    this.#filler = new ChunkFiller(merged, memory, steering, this.#tally, options, Intake.of(memory, merged, options, kernel));
    this.#garbage = new GarbageSchedule(options.tables.nodes.length, CLOCK_START);
    this.#quotas = new MapQuotas(memory, options.tables.nodes.length, options.tables.config);
    this.#output = new ChunkOutput(memory, options, "egwsim", kernel);
    this.#workers = workers;
  }

  get files(): readonly string[] {
    const profiles = this.#options.profileDir == null ? [] : [-1, ...this.#memory.workers.keys()].map(profileName);
    return [...this.#output.files, ...profiles];
  }

  /** Seconds on the datapath's clock. */
  get clock(): number {
    return this.#filler.now;
  }

  async toEnd(): Promise<RunResult> {
    const started = milliseconds(), { profileDir = null } = this.#options;
    const endProfile = profileDir === null ? null : await (await import("./cpu-profile.ts")).startCpuProfile(join(profileDir, profileName(-1)));
    let timing: WorkerTiming;
    try {
      await this.#readAll();
      while (this.#underWay.length > 0) await this.#takeBack();
      timing = await this.#workers.end();
    } catch (error) {
      await this.#workers.abort();
      throw error;
    } finally {
      this.#output.close();
      await this.#merged.close();
      await endProfile?.();
    }
    return this.#result((milliseconds() - started) / 1000, timing);
  }

  async #readAll(): Promise<void> {
    for (;;) {
      // Slots are used in turn: the chunk that had this one must be back.
      while (this.#underWay.length >= SLOT_COUNT) await this.#takeBack();
      if (this.#breather.isDue) await this.#breather.breathe();
      const before = milliseconds(), readBefore = this.#readTime;
      this.#filler.begin(this.#workers.nextChunk);
      const end = await this.#fillChunk();
      this.#filler.close();
      this.#steerTime += milliseconds() - before - (this.#readTime - readBefore);
      if (this.#filler.packets > 0) this.#underWay.push({ chunk: this.#workers.post(COMMAND_BATCH), owners: this.#filler.owners, packets: this.#filler.packets });
      this.#bytesRead += this.#filler.bytes + this.#filler.packets * 16;
      this.#hooks.onProgress(this.#bytesRead, this.#bytesTotal, this.#tally.packets);
      if (end === "stopped") this.#interrupted = true;
      if (end === "ended" || end === "stopped") return;
      if (end === "collection-due") await this.#collectGarbage();
      if (this.#quotas.isDue(this.#tally.packets)) await this.#keepQuotas();
    }
  }

  async #fillChunk(): Promise<"full" | "ended" | "stopped" | "collection-due"> {
    for (;;) {
      if (this.#hooks.shouldStop()) return "stopped";
      const end = this.#filler.fill(this.#garbage.nextDue);
      if (end !== "needs-fill") return end;
      if (!(await this.#fillReader())) return "stopped";
    }
  }

  /** Waits for the reader to be filled; on standard input no longer than until the run is told to stop, and then false. */
  async #fillReader(): Promise<boolean> {
    const before = milliseconds();
    try {
      return this.#merged.fillNow() || (await this.#waitForInput());
    } finally {
      this.#readTime += milliseconds() - before;
    }
  }

  async #waitForInput(): Promise<boolean> {
    const filling = this.#merged.fill().then(() => true);
    if (this.#bytesTotal !== null) return await filling;
    for (;;) {
      const poll = new Promise<boolean>((resolve) => setTimeout(resolve, STOP_POLL_MS, false));
      if (await Promise.race([filling, poll])) return true;
      if (this.#hooks.shouldStop()) return false;
    }
  }

  async #takeBack(): Promise<void> {
    const posted = this.#underWay.shift();
    if (posted === undefined) return;
    const waited = milliseconds();
    await this.#workers.finished(posted.chunk);
    const before = milliseconds();
    this.#idleTime += before - waited;
    this.#output.write(posted.chunk, posted.owners, posted.packets);
    this.#writeTime += milliseconds() - before;
  }

  /** A barrier: everything before the due time is through. */
  async #collectGarbage(): Promise<void> {
    while (this.#underWay.length > 0) await this.#takeBack();
    this.#collected += await collectDue(
      this.#memory, this.#options.tables.nodes.length, this.#garbage, this.#filler.now, async (due) => await this.#workers.finished(this.#workers.post(COMMAND_COLLECT, due)),
    );
  }

  /** Another barrier: maps that outgrew their size give up their oldest. */
  async #keepQuotas(): Promise<void> {
    while (this.#underWay.length > 0) await this.#takeBack();
    if (!this.#quotas.mayBeOver()) return;
    this.#quotas.clear();
    await this.#workers.finished(this.#workers.post(COMMAND_COUNT));
    if (this.#quotas.share()) await this.#workers.finished(this.#workers.post(COMMAND_EVICT));
  }

  #result(wall: number, timing: WorkerTiming): RunResult {
    const tally = this.#tally, gathering = new Gathering(this.#memory, this.#options.tables);
    return {
      captures: tally.summaries(this.#merged.readers, this.#merged.faults),
      received: { packets: tally.packets, bytes: tally.bytes }, ignored: { packets: tally.ignoredPackets, bytes: tally.ignoredBytes }, ignoredBy: tally.ignoredBy(),
      ...gatheredResult(gathering, this.#options.maxFlows),
      repeatedFrames: this.#filler.repeats.count, garbageCollected: this.#collected, interrupted: this.#interrupted || this.#merged.faults.length > 0,
      timing: {
        wall, read: this.#readTime / 1000, steer: this.#steerTime / 1000, order: this.#output.orderTime / 1000, write: (this.#writeTime - this.#output.orderTime) / 1000,
        idle: this.#idleTime / 1000, kernel: timing.kernel, workerIdle: timing.idle, batch999: BatchTimes.quantile(timing.batches, 0.999),
        packetsPerSecond: wall > 0 ? tally.packets / wall : 0, packetsOnWays: gathering.note(NC_ON_WAY),
      },
    };
  }
}
