// Before the first packet of a run that is worth it: the TypeScript kernel works on frames of its own making until V8 has compiled
// it, every branch that traffic is likely to take. Else the first never-seen branch throws optimised code away in the middle of
// the traffic (a batch of 5.4 ms instead of 8 µs in the prototypes). It reads the run's tables, and writes to a context and a shard of its own.
import {
  A6_SIZE, A_ADDRESS, A_KIND, A_NODE, A_POD, B_ENTRY, B_FRAME, B_LEN, B_NODE, B_NOW, B_SEQ_LO, B_SIZE, B_VNI, B_WIRE_LEN, X_ADDRESSES, X_ADDRESSES6, X_NODES, X_OPTIONS,
  X_SKETCH, X_WRITE,
} from "../kernel/pipeline/layout-batch.ts";
import { E_GATEWAY, L_COUNT, L_STARTS, L_VALUES, N_POLICY, PS_SOURCE, PS_TABLE, SH_MASK, SH_SLOTS, SH_STRIDE, SH_USED } from "../kernel/layout.ts";
import { KEY6_BYTES } from "../kernel/layout6.ts";
import { CLOCK_START } from "./chunk-filler.ts";
import type { Kernel } from "./kernel-instance.ts";
import { CHUNK_PACKETS, WARM_UP_FRAME } from "./memory-plan.ts";
import { beginStreams } from "./stream-blocks.ts";
import { type WarmUpFrame, warmUpFrames, type WarmUpPod } from "./warm-up-frames.ts";
import type { WarmUpAddresses, WorkerAddresses } from "./worker-protocol.ts";

/** Pods whose frames are made; a chunk holds them all. */
const PODS = 3, PODS6 = 2;
/** Destinations of its policies that a pod sends to. */
const REMOTES_OF_A_POD = 2;
/** Chunks that pass. After 50 the first chunk of a capture still took five times as long as after 200 (measured). */
const ROUNDS = 200;
/** Rounds with the same ports: flows are new in the first of them and take their ways in the others. */
const ROUNDS_OF_A_FLOW = 6;
const ROUNDS_OF_A_SECOND = 3;

/** `worker` is the one whose streams and options the kernel will work with. */
export function warmUp(kernel: Kernel, memory: WebAssembly.Memory, at: WarmUpAddresses, worker: WorkerAddresses): void {
  const words = new Int32Array(memory.buffer), bytes = new Uint8Array(memory.buffer), { context, descriptors: [first = 0], streams: [blocks = []] } = at.worker;
  const frames = warmUpFrames(podsOf(words, bytes, context)).slice(0, CHUNK_PACKETS);
  for (const offset of [X_WRITE, X_OPTIONS]) words[(context + offset) / 4] = words[(worker.context + offset) / 4] ?? 0;
  if (words[(worker.context + X_SKETCH) / 4] === 0) words[(context + X_SKETCH) / 4] = 0;
  for (let round = 0; round < ROUNDS && frames.length > 0; round++) {
    beginStreams(words, context, blocks);
    for (const [k, frame] of frames.entries()) describe(words, bytes, first + k * B_SIZE, at.frames + k * WARM_UP_FRAME, frame, round, round * frames.length + k);
    kernel.processBatch(context, first, frames.length);
    if (round % ROUNDS_OF_A_FLOW === 0) for (const shard of at.worker.shards) kernel.collectGarbage(shard, at.worker.due, at.worker.collected, CLOCK_START + round);
  }
}

function describe(words: Int32Array, bytes: Uint8Array, d: number, place: number, { bytes: frame, entry, node, portAt }: WarmUpFrame, round: number, packet: number): void {
  bytes.set(frame, place);
  if (portAt !== 0) bytes[place + portAt + 1] = Math.floor(round / ROUNDS_OF_A_FLOW);
  words.fill(0, d / 4, (d + B_SIZE) / 4);
  const set = (offset: number, value: number): void => void (words[(d + offset) / 4] = value);
  set(B_FRAME, place);
  set(B_LEN, frame.length);
  set(B_WIRE_LEN, frame.length);
  set(B_SEQ_LO, packet + 1);
  set(B_ENTRY, entry);
  set(B_NODE, node);
  set(B_VNI, 2);
  set(B_NOW, CLOCK_START + Math.floor(round / ROUNDS_OF_A_SECOND));
}

/** Used slots of a static hash. */
function slotsOf(words: Int32Array, table: number): number[] {
  if (table === 0) return [];
  const first = words[(table + SH_SLOTS) / 4] ?? 0, stride = words[(table + SH_STRIDE) / 4] ?? 0, used = words[(table + SH_USED) / 4] ?? 0, count = (words[(table + SH_MASK) / 4] ?? -1) + 1;
  return Array.from({ length: count }, (_, k) => first + k * stride).filter((slot) => words[(slot + used) / 4] !== 0);
}

/** Pods that the cluster's policies name before others, of different nodes. */
function podsOf(words: Int32Array, bytes: Uint8Array, context: number): WarmUpPod[] {
  const at = (address: number): number => words[address / 4] ?? 0;
  const isPod = (slot: number): boolean => at(slot + A_KIND) === A_POD, nodeOf = (slot: number): number => at(slot + A_NODE) - 1;
  const policies = new Map(slotsOf(words, at(at(at(context + X_NODES)) + N_POLICY)).map((slot) => [at(slot + PS_SOURCE), at(slot + PS_TABLE)] as const));
  const pods = slotsOf(words, at(context + X_ADDRESSES)).filter(isPod), named = pods.filter((slot) => policies.has(at(slot + A_ADDRESS)));
  const chosen = new Map([...pods, ...named].map((slot) => [nodeOf(slot), slot] as const));
  const four = [...chosen].slice(0, PODS).map(([node, slot]) => ({ address: bytes.slice(slot + A_ADDRESS, slot + A_ADDRESS + 4), node, remotes: remotesOf(words, policies.get(at(slot + A_ADDRESS)) ?? 0) }));
  const six = slotsOf(words, at(context + X_ADDRESSES6)).filter(isPod).slice(0, PODS6);
  return [...four, ...six.map((slot) => ({ address: bytes.slice(slot + A6_SIZE - KEY6_BYTES, slot + A6_SIZE), node: nodeOf(slot), remotes: [] }))];
}

/** Of a prefix table of policies an address for each kind of gateway. */
function remotesOf(words: Int32Array, table: number): Uint8Array[] {
  const at = (address: number): number => words[address / 4] ?? 0, byGateway = new Map<number, Uint8Array>(), address = new DataView(new ArrayBuffer(4));
  for (let k = 0; table !== 0 && k < at(table + L_COUNT) && byGateway.size < REMOTES_OF_A_POD; k++) {
    const record = at(at(table + L_VALUES) + 4 * k);
    if (record === 0 || byGateway.has(at(record + E_GATEWAY))) continue;
    address.setInt32(0, at(at(table + L_STARTS) + 4 * k));
    byGateway.set(at(record + E_GATEWAY), new Uint8Array(address.buffer.slice(0)));
  }
  return [...byGateway.values()];
}
