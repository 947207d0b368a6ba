// The main thread of a live run: open, give up privileges, start the workers; then keep the clock (garbage, map sizes, statistics)
// until it ends; gather what happened.
import { performance } from "node:perf_hooks";
import { InputError } from "../cluster/input-error.ts";
import type { DatapathTables } from "../control/tables.ts";
import { CLOCK_START } from "../engine/chunk-filler.ts";
import { ChunkOutput } from "../engine/chunk-output.ts";
import { layOutMemory } from "../engine/cluster-memory.ts";
import { flowMaps } from "../engine/flow-maps.ts";
import { countedFlows, flowRecords } from "../engine/flow-records.ts";
import { collectDue } from "../engine/garbage-rounds.ts";
import { GarbageSchedule } from "../engine/garbage-schedule.ts";
import { Gathering } from "../engine/gather.ts";
import { gatheredResult } from "../engine/gathered-result.ts";
import { MainKernel, typescriptKernel } from "../engine/main-kernel.ts";
import { MapQuotas } from "../engine/map-quotas.ts";
import type { ReplayEnd } from "../engine/replay-options.ts";
import { COMMAND_COLLECT, COMMAND_COUNT, COMMAND_EVICT } from "../engine/worker-protocol.ts";
import { NC_ON_WAY, STREAM_OVERLAY, X_OPTIONS, X_WRITE, XO_LIVE } from "../kernel/pipeline/layout-batch.ts";
import { OUT_DROPPED, OUT_PASSED } from "../kernel/layout-flow.ts";
import type { CaptureSummary, LiveSummary, RunResult } from "../observe/run-result.ts";
import { ClusterEpochs, epochBytes } from "./cluster-epochs.ts";
import { handOverBytes, planHandOvers, ringShape } from "./hand-overs.ts";
import {
  ARP_ANSWERED, ARP_ASKED, BATCHES, counterBuffer, CounterSums, DISCOVERY_ANSWERED, DISCOVERY_ASKED, HANDED_OVER, KERNEL_TIME, LOST_NO_DEVICE,
  LOST_QUEUE_FULL, LOST_REFUSED, LOST_UNRESOLVED,
} from "./live-counters.ts";
import { frameArea } from "./live-loop.ts";
import type { LiveOptions } from "./live-options.ts";
import type { Epoch, LiveEnd } from "./live-protocol.ts";
import { controlBlock, LiveWorkers, mustBeReadableToWorkers } from "./live-workers.ts";
import { deviceFault, loadNative, type Native } from "./native.ts";
import type { WaitingRoom } from "./neighbours.ts";
import { nodesHere } from "./nodes-here.ts";
import { OpenPorts } from "./open-ports.ts";
import { RawEmitter } from "./raw-emitter.ts";
import { ReloadRequests } from "./reload-requests.ts";
import { SIDE_OUTSIDE, SIDE_PODS, SIDE_TUNNEL, SIDES } from "./sides.ts";

const SECOND_MS = 1000, STOP_POLL_MS = 50;
/** Frames of a side that wait for a neighbour at once. */
const WAITING_FRAMES = 257;

export interface LiveStatistics {
  readonly seconds: number;
  readonly received: number;
  readonly sent: number;
  readonly dropped: number;
  readonly passed: number;
  readonly lost: number;
  readonly flows: number;
  readonly conntrack: number;
}

export interface LiveHooks {
  /** The devices are open and, where there were any, privileges given up. */
  onReady(nodes: readonly string[], devices: readonly string[]): void;
  /** Once a second. */
  onStatistics(statistics: LiveStatistics): void;
  /** Compiles the manifests anew. Throws InputError. */
  recompile(): Promise<DatapathTables>;
  /** The manifests were taken over as this epoch; or not, and why: then those in force stay. */
  onReload(epoch: number, failure: unknown): void;
  shouldStop(): boolean;
}

export interface LiveResult extends ReplayEnd {
  /** Those of all epochs. */
  readonly tables: DatapathTables;
}

/** Devices first, which wants privileges: so a run's ports are open before anything else of it is there. */
export async function runLive(options: LiveOptions, hooks: LiveHooks, isRoot: boolean): Promise<LiveResult> {
  const native = loadNative(), here = nodesHere(options.tables, options.role, options.nodes);
  const ports = new OpenPorts(native, options.workers);
  ports.openAll(options, options.tables, here);
  try {
    const wakes = ports.wakes(), raw = options.emission === "raw" ? new RawEmitter() : null;
    if (isRoot) giveUpPrivileges(native, options);
    const run = new LiveRun(options, hooks, native, ports, here, wakes, raw, await typescriptKernel(options.kernel));
    hooks.onReady([...here].map((node) => options.tables.nodes[node]?.name ?? ""), ports.ports.map(({ title }) => title));
    return await run.toEnd();
  } finally {
    ports.close();
  }
}

function giveUpPrivileges(native: Native, { user }: LiveOptions): void {
  try {
    native.dropPrivileges(user.uid, user.gid);
  } catch (error) {
    throw deviceFault(error, `--user ${user.name}`);
  }
  mustBeReadableToWorkers(user.name);
}

class LiveRun {
  readonly #options: LiveOptions;
  readonly #hooks: LiveHooks;
  readonly #ports: OpenPorts;
  readonly #here: ReadonlySet<number>;
  readonly #raw: RawEmitter | null;
  readonly #epochs: ClusterEpochs;
  readonly #sums: CounterSums;
  readonly #output: ChunkOutput;
  readonly #workers: LiveWorkers;
  readonly #garbage: GarbageSchedule;
  readonly #quotas: MapQuotas;
  readonly #reloads: ReloadRequests;
  readonly #started = performance.timeOrigin + performance.now();
  #collected = 0;
  #end: LiveEnd | null = null;

  constructor(options: LiveOptions, hooks: LiveHooks, native: Native, ports: OpenPorts, here: ReadonlySet<number>, wakes: readonly number[], raw: RawEmitter | null,
    typescript: Awaited<ReturnType<typeof typescriptKernel>>,
  ) {
    this.#options = options;
    this.#hooks = hooks;
    this.#ports = ports;
    this.#here = here;
    this.#raw = raw;
    const { tables, workers } = options, { stride, count } = frameArea(ports.mtu), shape = ringShape(workers, stride);
    const memory = layOutMemory(options, workers, {
      nodesHere: here,
      extraBytes: workers * (count + SIDES * WAITING_FRAMES) * stride + workers * (SIDES + 1) * 64 + handOverBytes(workers, shape) + epochBytes(tables, workers) + 4096,
      warmUp: options.kernel === "ts",
    });
    const { arena } = memory;
    const epochs = new ClusterEpochs(memory, tables, here, options.semantics === "intent", options.seed | 0);
    this.#epochs = epochs;
    this.#reloads = new ReloadRequests(options.watched, options.reconcileDelay, (error) => hooks.onReload(epochs.number, error));
    for (const { context } of memory.workers) {
      arena.put32(context + X_WRITE, arena.get32(context + X_WRITE) | (1 << STREAM_OVERLAY));
      arena.put32(context + X_OPTIONS, XO_LIVE);
    }
    const control = controlBlock(workers), counters = counterBuffer(workers), handOvers = planHandOvers(arena, shape, wakes);
    this.#sums = new CounterSums(counters);
    this.#output = new ChunkOutput(memory, { ...options, get tables() { return epochs.tables; } }, "egwsim", new MainKernel(arena, typescript));
    this.#garbage = new GarbageSchedule(tables.nodes.length, CLOCK_START);
    this.#quotas = new MapQuotas(memory, tables.nodes.length, tables.config);
    const tasks = memory.workers.map((addresses, worker) => ({
      memory: arena.memory, control, counters, kernel: options.kernel, worker, workers, addresses, warmUp: memory.warmUps[worker] ?? null, handOvers, ports: ports.byWorker[worker] ?? [],
      area: { at: arena.take(count * stride, 64), stride, count },
      waiting: Array.from({ length: SIDES }, (): WaitingRoom => ({ at: arena.take(WAITING_FRAMES * stride, 64), stride, count: WAITING_FRAMES })),
      emission: options.emission, epoch: epochs.first(), seed: options.seed | 0, captures: options.outDir !== null && options.write.size > 0, started: this.#started,
    }));
    this.#workers = new LiveWorkers(tasks, control, wakes, native, {
      onSlot: (worker, slot, packets) => this.#output.write(slot, new Uint8Array(packets).fill(worker), packets),
      onRaw: (packets) => raw?.emit(packets),
    });
  }

  async toEnd(): Promise<LiveResult> {
    const { maxFlows } = this.#options;
    try {
      await this.#keepTime();
      this.#end = await this.#workers.end();
    } finally {
      this.#reloads.close();
      this.#raw?.close();
      this.#output.close();
    }
    const { memory, tables } = this.#epochs;
    return {
      result: this.#result(), flows: flowRecords(memory, maxFlows), counted: countedFlows(memory, maxFlows), maps: (limit) => flowMaps(memory, tables.nodes.length, this.#clock(), limit),
      files: this.#output.files, workers: this.#options.workers, tables,
    };
  }

  #clock(): number { return CLOCK_START + Math.floor(this.#seconds()); }

  #seconds(): number { return Math.max(0, performance.timeOrigin + performance.now() - this.#started) / 1000; }

  /** Until somebody wants the run to stop, its time is up, or it cannot go on. */
  async #keepTime(): Promise<void> {
    let nextSecond = SECOND_MS;
    while (!this.#workers.isOver && !this.#hooks.shouldStop() && this.#seconds() < (this.#options.duration ?? Number.POSITIVE_INFINITY)) {
      await new Promise((resolve) => setTimeout(resolve, STOP_POLL_MS));
      if (this.#reloads.isDue()) await this.#reload();
      if (this.#seconds() * SECOND_MS < nextSecond) continue;
      nextSecond += SECOND_MS;
      await this.#everySecond();
    }
  }

  /** Compiled and written beside what is in force; each worker changes over between two batches. */
  async #reload(): Promise<void> {
    let next: Epoch;
    try {
      next = this.#epochs.next(await this.#hooks.recompile());
    } catch (error) {
      this.#hooks.onReload(this.#epochs.number, error);
      return;
    }
    await this.#workers.enter(next);
    this.#hooks.onReload(next.number, null);
  }

  get #gathering(): Gathering { return new Gathering(this.#epochs.memory, this.#epochs.tables); }

  async #everySecond(): Promise<void> {
    const { tables } = this.#options, workers = this.#workers;
    this.#collected += await collectDue(this.#epochs.memory, tables.nodes.length, this.#garbage, this.#clock(), async (due) => await workers.command(COMMAND_COLLECT, due));
    if (this.#quotas.isDue(this.#sums.received().packets) && this.#quotas.mayBeOver()) {
      this.#quotas.clear();
      await workers.command(COMMAND_COUNT, 0);
      if (this.#quotas.share()) await workers.command(COMMAND_EVICT, 0);
    }
    this.#hooks.onStatistics(this.#statistics());
  }

  #statistics(): LiveStatistics {
    const sums = this.#sums, gathering = this.#gathering, totals = gathering.tableTotals();
    return {
      seconds: this.#seconds(), received: sums.received().packets, sent: this.#sent(), dropped: gathering.outcome(OUT_DROPPED).packets,
      passed: gathering.outcome(OUT_PASSED).packets, lost: this.#lost().total, flows: totals.flows, conntrack: totals.conntrack,
    };
  }

  #sent(): number {
    return Array.from({ length: SIDES }, (_, side) => this.#sums.side(side).sent.packets).reduce((sum, packets) => sum + packets, this.#raw?.sent ?? 0);
  }

  #lost(): LiveSummary["lost"] & { readonly total: number } {
    const queueFull = this.#sums.sum(LOST_QUEUE_FULL) + (this.#raw?.full ?? 0), refused = this.#sums.sum(LOST_REFUSED) + (this.#raw?.refused ?? 0);
    const unresolved = this.#sums.sum(LOST_UNRESOLVED), noDevice = this.#sums.sum(LOST_NO_DEVICE);
    return { queueFull, refused, unresolved, noDevice, total: queueFull + refused + unresolved + noDevice };
  }

  #result(): RunResult {
    const wall = this.#seconds(), sums = this.#sums, received = sums.received(), ignoredBy = sums.ignoredBy();
    const kernel = sums.sum(KERNEL_TIME), { workers } = this.#options;
    return {
      ...gatheredResult(this.#gathering, this.#options.maxFlows),
      captures: [SIDE_PODS, SIDE_OUTSIDE, SIDE_TUNNEL].flatMap((side) => this.#capture(side)), received,
      ignored: { packets: ignoredBy.reduce((sum, { packets }) => sum + packets, 0), bytes: ignoredBy.reduce((sum, { bytes }) => sum + bytes, 0) }, ignoredBy,
      repeatedFrames: 0, garbageCollected: this.#collected, interrupted: false,
      // What a live worker does beside its kernel is done at its devices, where waiting and working are not told apart.
      timing: {
        wall, read: 0, steer: 0, order: 0, write: 0, idle: 0, kernel, workerIdle: Math.max(0, workers * wall - kernel), batch999: 0, packetsOnWays: this.#gathering.note(NC_ON_WAY),
        packetsPerSecond: wall > 0 ? received.packets / wall : 0,
      },
      live: this.#summary(),
    };
  }

  /** A device as the report's list of inputs has it. */
  #capture(side: number): CaptureSummary[] {
    const ports = this.#ports.ports.filter((port) => port.side === side), { received, firstTime, lastTime } = this.#sums.side(side);
    if (ports.length === 0) return [];
    const fault = this.#end?.fault ?? null, mine = fault !== null && ports.some(({ title }) => title === fault.title);
    return [{
      name: ports.map(({ title }) => title).join(" "), format: "live", compressed: false, ...received, firstTime, lastTime,
      fault: mine ? faultText(fault) : null,
    }];
  }

  #summary(): LiveSummary {
    const sums = this.#sums, { total: _total, ...lost } = this.#lost();
    const sides = [["pods", SIDE_PODS], ["outside", SIDE_OUTSIDE], ["tunnel", SIDE_TUNNEL]] as const;
    return {
      role: this.#options.role, nodes: [...this.#here], emission: this.#options.emission,
      sides: sides.map(([name, side]) => {
        const { received, sent } = sums.side(side), raw = side === SIDE_TUNNEL ? this.#raw : null;
        return {
          side: name, devices: this.#ports.ports.filter((port) => port.side === side).map(({ title }) => title), received,
          sent: { packets: sent.packets + (raw?.sent ?? 0), bytes: sent.bytes + (raw?.bytes ?? 0) },
        };
      }).filter(({ devices }) => devices.length > 0),
      lost, arp: { answered: sums.sum(ARP_ANSWERED), asked: sums.sum(ARP_ASKED) },
      neighbourDiscovery: { answered: sums.sum(DISCOVERY_ANSWERED), asked: sums.sum(DISCOVERY_ASKED) }, epochs: this.#epochs.number, batches: sums.sum(BATCHES),
      handedOver: sums.sum(HANDED_OVER),
    };
  }
}

function faultText({ title, error }: NonNullable<LiveEnd["fault"]>): string {
  const said = deviceFault(Object.assign(new Error(error.message), { code: error.code, syscall: error.syscall, subject: title }), title);
  return said instanceof InputError ? said.problems.map(({ message, cure }) => (cure === "" ? message : `${message}; ${cure}`)).join("; ") : error.message;
}
