import { P_ROOM, T_CAPACITY, T_ENTRIES, T_INDEX, T_MASK, T_MAX_MASK, T_SIZE, T_STRIDE } from "../kernel/layout.ts";
import { P_SPARE, SPARE_BYTES } from "../kernel/layout6.ts";
import {
  GARBAGE_MAPS, NC_COUNT, QUOTA_MAPS, STREAM_COUNT, TALLY_CAPACITY, TL_STRIDE, U_SIZE, X_ADDRESSES, X_ADDRESSES6, X_MADE, X_MASQUERADE, X_MASQUERADE6, X_NODE_COUNT, X_NODES, X_NOTES, X_OPTIONS,
  X_PACKET, X_ROUTES, X_SAVED, X_SHARDS, X_SIZE, X_SKETCH, X_TALLIES, X_TOTALS, X_TRACE_UNTIL, X_USE, X_WRITE, XO_ASSUME_OUTSIDE, STREAM_EXTERNAL, STREAM_OVERLAY, STREAM_POD,
  STREAM_TRACE,
} from "../kernel/pipeline/layout-batch.ts";
import { R_STRIDE, ROUTE_CAPACITY, SK_SIZE } from "../kernel/layout-way.ts";
import { IN_SIZE } from "../kernel/pipeline/layout-intake.ts";
import { InputError } from "../cluster/input-error.ts";
import { Arena, sharedMemory } from "./image/arena.ts";
import { type ClusterImage, clusterImageBytes, masqueradeKeys, masqueradeKeys6, writeCluster } from "./image/cluster-image.ts";
import { affinityPerShard } from "./image/cluster-services.ts";
import { type ShardCapacity, writeShard } from "./image/shard-image.ts";
import {
  CHUNK_PACKETS, DESCRIPTOR_AREA_BYTES, FRAME_AREA_BYTES, INTAKE_BLOCK_BYTES, INTAKE_BLOCKS, JOINED_BYTES, memoryBytes, SHARD_COUNT, shardCapacity, SLOT_COUNT,
  STREAM_BYTES, WARM_UP_FRAME, warmUpBytes, warmUpCapacity, WORKER_SCRATCH,
} from "./memory-plan.ts";
import type { DatapathOptions } from "./replay-options.ts";
import type { WarmUpAddresses, WorkerAddresses } from "./worker-protocol.ts";

/** Number of f64 pairs of X_TOTALS: outcomes 0 to 5. */
const OUTCOMES = 6;

/** The kernel's addresses are 32 bits with a sign. */
const LARGEST_MEMORY = 2 ** 31;

/** The memory of a run, laid out: what the main thread and the gathering of results need to know of it. */
export interface ClusterMemory {
  readonly arena: Arena;
  readonly image: ClusterImage;
  readonly capacity: ShardCapacity;
  readonly shards: readonly number[];
  readonly workers: readonly WorkerAddresses[];
  /** By worker, where its kernel warms up; none where none does. */
  readonly warmUps: readonly WarmUpAddresses[];
  readonly frameAreas: readonly number[];
  /** Words by shard, node and map: counts, then what a shard must give up. */
  readonly quotas: number;
  /** For taking records in: IN_… words, owners of a chunk's packets, blocks of the capture. */
  readonly intake: { readonly words: number; readonly owners: number; readonly blocks: readonly number[] };
  /** Room in which what several workers wrote is put in order: owners of a chunk's packets, a pair of words per worker, bytes. */
  readonly joining: { readonly owners: number; readonly places: number; readonly out: number };
}

/** What some runs want of their memory beside what all do. */
export interface MemoryWishes {
  /** Nodes whose part is played here; the others are reached by the wires. Absent: all. */
  readonly nodesHere?: ReadonlySet<number>;
  /** Bytes that the caller will take from the arena. */
  readonly extraBytes?: number;
  /** Room for the workers' kernels to warm up. */
  readonly warmUp?: boolean;
}

/** Throws InputError where the cluster is too large. */
export function layOutMemory(options: DatapathOptions, workers: number, wishes: MemoryWishes = {}): ClusterMemory {
  const { tables } = options;
  const affinity = affinityPerShard(tables), warming = wishes.warmUp === true ? workers : 0;
  const capacity: ShardCapacity = { ...shardCapacity(options.maxFlows, tables.config.ipv6), ...(affinity === undefined ? {} : { affinity }) };
  const staticBytes = clusterImageBytes(tables);
  const uses = tables.policyEntries.length + tables.policyEntries6.length + 2 * (masqueradeKeys(tables).length + masqueradeKeys6(tables).length);
  const bytes = memoryBytes(staticBytes, warming + workers, tables.nodes.length, uses, capacity) + warming * warmUpBytes(tables.config.ipv6) + (wishes.extraBytes ?? 0);
  if (bytes > LARGEST_MEMORY) throw tooLarge(bytes, tables.policyEntries.length + tables.policyEntries6.length);
  const arena = new Arena(sharedMemory(bytes));
  const image = writeCluster(arena, tables, options.semantics === "intent", options.seed | 0, wishes.nodesHere);
  const frameAreas = Array.from({ length: SLOT_COUNT }, () => arena.take(FRAME_AREA_BYTES, 64));
  const shards = Array.from({ length: SHARD_COUNT }, (_, k) => writeShard(arena, capacity, (options.seed + k * 0x9e3779b1) | 0));
  const shardArray = arena.take(SHARD_COUNT * 4);
  for (const [k, shard] of shards.entries()) arena.put32(shardArray + 4 * k, shard);
  const cells = tables.nodes.length * QUOTA_MAPS * 4, quotas = arena.take(SHARD_COUNT * cells, 64);
  const layout = Array.from({ length: workers }, (_, k) => {
    const owned = shards.map((_shard, number) => number).filter((number) => number % workers === k);
    return layOutWorker(arena, image, options, shardArray, owned.map((number) => shards[number] ?? 0), owned.map((number) => quotas + number * cells));
  });
  const warmUps = Array.from({ length: warming }, () => layOutWarmUp(arena, image, options));
  const intake = {
    words: arena.take(IN_SIZE, 64), owners: arena.take(CHUNK_PACKETS, 64), blocks: Array.from({ length: INTAKE_BLOCKS }, () => arena.take(INTAKE_BLOCK_BYTES, 64)),
  };
  const joining = { owners: arena.take(CHUNK_PACKETS, 64), places: arena.take(workers * 8, 64), out: arena.take(JOINED_BYTES, 64) };
  return { arena, image, capacity, shards, workers: layout, warmUps, frameAreas, quotas, intake, joining };
}

function tooLarge(bytes: number, entries: number): InputError {
  return new InputError([{
    at: null, subject: "--cluster", message: `its tables (${entries.toLocaleString("en-US")} policy entries) and the rest of a run take ${(bytes / 2 ** 30).toFixed(1)} GiB, and 2 are what one run has`,
    cure: "fewer --workers and a smaller --max-flows leave more room; or replay with the policies in question only",
  }]);
}

function layOutWorker(
  arena: Arena, image: ClusterImage, options: DatapathOptions, shardArray: number, shards: readonly number[], quotas: readonly number[],
): WorkerAddresses {
  const nodes = options.tables.nodes.length;
  const context = arena.take(X_SIZE, 64);
  const packet = arena.take(P_ROOM, 64);
  arena.put32(context + X_PACKET, packet);
  arena.put32(packet + P_SPARE, arena.take(SPARE_BYTES, 64));
  arena.put32(context + X_NODES, image.nodes);
  arena.put32(context + X_NODE_COUNT, nodes);
  arena.put32(context + X_SHARDS, shardArray);
  arena.put32(context + X_ADDRESSES, image.addresses);
  arena.put32(context + X_ADDRESSES6, image.addresses6);
  arena.put32(context + X_WRITE, streamBits(options));
  arena.view.setFloat64(context + X_TRACE_UNTIL, options.tracePackets, true);
  arena.put32(context + X_OPTIONS, options.assumeOpener === "outside" ? XO_ASSUME_OUTSIDE : 0);
  arena.put32(context + X_SAVED, arena.take(WORKER_SCRATCH.savedBytes, 64));
  arena.put32(context + X_MADE, arena.take(WORKER_SCRATCH.madeBytes, 64));
  arena.put32(context + X_TOTALS, arena.take(OUTCOMES * 16));
  arena.put32(context + X_USE, arena.take(Math.max(1, image.uses.length) * U_SIZE));
  arena.put32(context + X_MASQUERADE, arena.take(Math.max(1, image.masquerades.length) * 2 * U_SIZE));
  arena.put32(context + X_MASQUERADE6, arena.take(Math.max(1, image.masquerades6.length) * 2 * U_SIZE));
  arena.put32(context + X_TALLIES, writeTable(arena, TALLY_CAPACITY, TL_STRIDE));
  arena.put32(context + X_ROUTES, writeTable(arena, ROUTE_CAPACITY, R_STRIDE));
  if (options.flowWays !== false) arena.put32(context + X_SKETCH, arena.take(SK_SIZE, 64));
  arena.put32(context + X_NOTES, arena.take(NC_COUNT * 8));
  return {
    context,
    descriptors: Array.from({ length: SLOT_COUNT }, () => arena.take(DESCRIPTOR_AREA_BYTES, 64)),
    counts: Array.from({ length: SLOT_COUNT }, () => arena.take(4)),
    streams: Array.from({ length: SLOT_COUNT }, () => STREAM_BYTES.slice(0, STREAM_COUNT).map((bytes) => arena.take(bytes, 64))),
    shards,
    quotas,
    due: arena.take(nodes * 4),
    collected: arena.take(nodes * GARBAGE_MAPS * 16),
  };
}

/** A context as a worker has it, and a small shard behind all its numbers. */
function layOutWarmUp(arena: Arena, image: ClusterImage, options: DatapathOptions): WarmUpAddresses {
  const shard = writeShard(arena, warmUpCapacity(options.tables.config.ipv6), options.seed | 0), shards = arena.take(SHARD_COUNT * 4);
  for (let k = 0; k < SHARD_COUNT; k++) arena.put32(shards + 4 * k, shard);
  const worker = layOutWorker(arena, image, options, shards, [shard], [arena.take(options.tables.nodes.length * QUOTA_MAPS * 4, 64)]);
  return { worker, frames: arena.take(CHUNK_PACKETS * WARM_UP_FRAME, 64) };
}

function streamBits(options: DatapathOptions): number {
  if (options.outDir === null) return 0;
  const bit = (kind: "pod" | "overlay" | "external" | "trace", stream: number): number => (options.write.has(kind) ? 1 << stream : 0);
  return bit("pod", STREAM_POD) | bit("overlay", STREAM_OVERLAY) | bit("external", STREAM_EXTERNAL) | bit("trace", STREAM_TRACE);
}

/** A hash table like a shard's, of a worker's own; \`capacity\` is a power of two. */
function writeTable(arena: Arena, capacity: number, stride: number): number {
  const table = arena.take(T_SIZE, 64), slots = capacity * 2;
  arena.put32(table + T_INDEX, arena.take(slots * 8, 64));
  arena.put32(table + T_MASK, 255);
  arena.put32(table + T_MAX_MASK, slots - 1);
  arena.put32(table + T_ENTRIES, arena.take(capacity * stride, 64));
  arena.put32(table + T_STRIDE, stride);
  arena.put32(table + T_CAPACITY, capacity);
  return table;
}

