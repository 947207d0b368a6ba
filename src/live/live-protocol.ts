// How the main thread and the workers of a live run talk: commands as words in shared memory and a wake-up descriptor, answers
// by message.
import type { MessagePort } from "node:worker_threads";
import type { ClusterAddress, ClusterAddress6 } from "../engine/image/cluster-addresses.ts";
import type { KernelBuild } from "../engine/replay-options.ts";
import type { SteeredServices } from "../engine/service-book.ts";
import type { WarmUpAddresses, WorkerAddresses } from "../engine/worker-protocol.ts";
import type { HandOverPlan } from "./hand-overs.ts";
import type { WaitingRoom } from "./neighbours.ts";
import type { Emission, Port } from "./sides.ts";
import type { Surroundings } from "./surroundings.ts";

/** Words of the control block: a number that grows with every command, the command (COMMAND_…), the clock for garbage
 * collection, frames that all workers have read (64 bits). Then, by worker and slot: 1 while the main thread still writes the
 * slot's captures. */
export const LIVE_POSTED = 0, LIVE_COMMAND = 1, LIVE_NOW = 2, LIVE_READ = 4, LIVE_SLOTS = 8;

/** Takes over what the main thread sent by message: a new epoch of the tables. */
export const COMMAND_EPOCH = 16;
/** Reads no more from the devices; what other workers hand over is still taken. */
export const COMMAND_STOP_READING = 17;

/** What a worker needs to know of the cluster; replaced as a whole by a new epoch. */
export interface Epoch {
  readonly number: number;
  /** Of the tables in memory: node array and address hashes. */
  readonly nodes: number;
  readonly addresses: number;
  readonly addresses6: number;
  readonly book: readonly ClusterAddress[];
  /** Empty where the installation has no IPv6: its frames are ignored then. */
  readonly book6: readonly ClusterAddress6[];
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
  readonly kernel: KernelBuild;
  readonly worker: number;
  readonly workers: number;
  readonly addresses: WorkerAddresses;
  /** Where the TypeScript kernel warms up before the first frame; null for the other one. */
  readonly warmUp: WarmUpAddresses | null;
  readonly area: FrameArea;
  /** By side: frames that wait for a neighbour. */
  readonly waiting: readonly WaitingRoom[];
  /** Queues and sockets of this worker's own. */
  readonly ports: readonly Port[];
  readonly handOvers: HandOverPlan;
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
  | { readonly kind: "fault" }
  | { readonly kind: "raw"; readonly packets: Uint8Array };

/** How a worker ended. `fault`: of a device, after which it read no more; null where all went well. */
export interface LiveEnd {
  readonly fault: { readonly title: string; readonly error: { readonly message: string; readonly code: string; readonly syscall: string } } | null;
}
