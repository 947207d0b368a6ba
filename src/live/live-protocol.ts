// How the main thread and the workers of a live run talk: commands as words in shared memory and a wake-up descriptor, answers
// by message.
import type { MessagePort } from "node:worker_threads";
import type { ClusterAddress } from "../engine/image/cluster-addresses.ts";
import type { KernelBuild } from "../engine/replay-options.ts";
import type { SteeredServices } from "../engine/service-book.ts";
import type { WarmUpAddresses, WorkerAddresses } from "../engine/worker-protocol.ts";
import type { WaitingRoom } from "./neighbours.ts";
import type { Emission, Port } from "./sides.ts";
import type { Surroundings } from "./surroundings.ts";

/** Words of the control block: a number that grows with every command, the command (COMMAND_…), the clock for garbage
 * collection. Then, by worker and slot: 1 while the main thread still writes the slot's captures. */
export const LIVE_POSTED = 0, LIVE_COMMAND = 1, LIVE_NOW = 2, LIVE_SLOTS = 8;

/** Takes over what the main thread sent by message: a new epoch of the tables. */
export const COMMAND_EPOCH = 16;

/** What a worker needs to know of the cluster; replaced as a whole by a new epoch. */
export interface Epoch {
  readonly number: number;
  /** Of the tables in memory: node array and address hash. */
  readonly nodes: number;
  readonly addresses: number;
  readonly book: readonly ClusterAddress[];
  readonly nodesHere: readonly number[];
  readonly tunnelPort: number;
  readonly around: Surroundings;
  /** By node here (wire word of its address): where tunnel packets to others go next, by destination, 0 for the rest. */
  readonly nextHops: readonly NextHop[];
  readonly services: SteeredServices;
}

/** A route of a node here, longest prefix first. Addresses in host order. */
export interface NextHop {
  readonly node: number;
  readonly network: number;
  readonly mask: number;
  /** 0: the destination itself. */
  readonly via: number;
}

export interface FrameArea {
  readonly at: number;
  readonly stride: number;
  readonly count: number;
}

export interface LiveTask {
  readonly memory: WebAssembly.Memory;
  readonly control: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly wake: number;
  readonly kernel: KernelBuild;
  readonly worker: number;
  readonly workers: number;
  readonly addresses: WorkerAddresses;
  /** Where the TypeScript kernel warms up before the first frame; null for the other one. */
  readonly warmUp: WarmUpAddresses | null;
  readonly area: FrameArea;
  /** By side: frames that wait for a neighbour. */
  readonly waiting: readonly WaitingRoom[];
  readonly ports: readonly Port[];
  readonly emission: Emission;
  readonly epoch: Epoch;
  /** Of port and backend draws. */
  readonly seed: number;
  /** Captures are written: each slot goes to the main thread before it is used again. */
  readonly captures: boolean;
  /** Milliseconds since 1970 at which the datapath's clock began. */
  readonly started: number;
}

/** To the main thread. */
export type LiveMessage =
  | { readonly kind: "done"; readonly command: number }
  | { readonly kind: "slot"; readonly slot: number; readonly packets: number }
  | { readonly kind: "raw"; readonly packets: Uint8Array };

/** Why a worker ended before it was told to; null where it was. */
export interface LiveEnd {
  readonly fault: { readonly title: string; readonly error: { readonly message: string; readonly code: string; readonly syscall: string } } | null;
}
