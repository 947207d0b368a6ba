// What the command line asks of the engine, and what the engine hands back. Plain data, so that it crosses threads.
import type { DatapathTables } from "../control/tables.ts";
import type { CountedFlow } from "../observe/flow-totals.ts";
import type { FlowMaps } from "../observe/map-records.ts";
import type { FlowRecord, RunResult } from "../observe/run-result.ts";

/** pod: replies are in the form the pod sees; node: replies are in the form the outside peer sent. */
export type CapturePoint = "pod" | "node";

export type Semantics = "cilium-1.19" | "intent";

export type KernelBuild = "ts" | "wasm";

/** What may be written beside report.json. */
export type OutputKind = "pod" | "overlay" | "external" | "trace" | "flows" | "state";

/** `tracePackets` that no capture reaches: the trace holds every packet. */
export const TRACE_ALL_PACKETS = Number.MAX_SAFE_INTEGER;

export interface CaptureInput {
  /** A file, or "-" for standard input. */
  readonly path: string;
  readonly point: CapturePoint;
}

export interface ReplayOptions {
  readonly captures: readonly CaptureInput[];
  readonly tables: DatapathTables;
  /** An existing folder; null: nothing is written. */
  readonly outDir: string | null;
  readonly write: ReadonlySet<OutputKind>;
  /** 1 to 16. */
  readonly workers: number;
  /** True: just this many workers. False or absent: at most as many, fewer where the input is small. */
  readonly exactWorkers?: boolean;
  readonly kernel: KernelBuild;
  /** Only records of the interface with this name (pcapng) enter; null: all. */
  readonly captureInterface: string | null;
  readonly assumeOpener: "pod" | "outside";
  readonly semantics: Semantics;
  /** 0 to 2^32 - 1; draws of SNAT ports depend on it. */
  readonly seed: number;
  /** trace.pcapng holds the hops of the first this many packets. */
  readonly tracePackets: number;
  /** Flows that get a record of their own; packets of further ones are only counted. */
  readonly maxFlows: number;
  /** False: every packet is walked through all hooks, also where its flow's way is known. The output is the same. */
  readonly flowWays?: boolean;
  /** Folder for a CPU profile of each thread; null or absent: none. */
  readonly profileDir?: string | null;
}

/** What a run needs wherever its frames come from. */
export type DatapathOptions = Omit<ReplayOptions, "captures" | "captureInterface" | "workers" | "exactWorkers">;

export interface ReplayHooks {
  /** Called as blocks are read; bytesTotal is null where it is unknown (standard input). */
  onProgress(bytesRead: number, bytesTotal: number | null, packets: number): void;
  /** Asked between batches: true ends the run after what was already read. */
  shouldStop(): boolean;
}

export interface ReplayEnd {
  readonly result: RunResult;
  /** Ordered by firstPacket; to be walked once. */
  readonly flows: AsyncIterable<FlowRecord> | Iterable<FlowRecord>;
  /** The same flows in any order, where they are only to be counted: each is valid until the next; to be walked once. */
  readonly counted: Iterable<CountedFlow>;
  /** The nodes' conntrack and NAT maps as the run left them, about `limit` entries of them. */
  readonly maps: (limit: number) => FlowMaps;
  /** Names of the files that the engine wrote into outDir, e.g. pod.pcap. */
  readonly files: readonly string[];
  /** Workers that ran, where the engine took fewer than it might. */
  readonly workers?: number;
}
