// Where everything lies in the one memory that all workers and the main thread share: read-only tables, a context per
// worker, the slots through which packets pass, and the shards' tables.
import { P_ROOM } from "../kernel/layout.ts";
import { IN_SIZE } from "../kernel/pipeline/layout-intake.ts";
import { R_STRIDE, ROUTE_CAPACITY, SK_SIZE } from "../kernel/layout-way.ts";
import { SPARE_BYTES } from "../kernel/layout6.ts";
import {
  B_SIZE, GARBAGE_MAPS, NC_COUNT, QUOTA_MAPS, STREAM_COUNT, TALLY_CAPACITY, TL_STRIDE, U_SIZE, X_SIZE, TR_SIZE,
} from "../kernel/pipeline/layout-batch.ts";
import { type ShardCapacity, shardBytes } from "./image/shard-image.ts";

/** Number of virtual shards; fixed, so that results do not depend on the number of workers. */
export const SHARD_COUNT = 64;
/** Chunks under way at once. */
export const SLOT_COUNT = 3;
/** A chunk is full with this many packets, or when this many bytes are reached. */
export const CHUNK_PACKETS = 1024;
export const CHUNK_BYTES = 256 * 1024;
/** libpcap's MAXIMUM_SNAPLEN, which no record exceeds, and room for an Ethernet header. */
const MAX_FRAME = 262_144 + 32;
/** Room before each copied run for a header that the link layer lacked. */
export const RUN_HEADROOM = 32;
const FRAME_AREA = CHUNK_BYTES + MAX_FRAME + CHUNK_PACKETS * 2 * RUN_HEADROOM;
const FRAMES_IN_CHUNK = CHUNK_BYTES + MAX_FRAME;
const RECORD_HEADER = 16;
const TUNNEL_OVERHEAD = 50;
/** What a Time Exceeded is longer than the shortest packet it answers (RFC 4443: headers and the quote), at most. */
const ANSWER_GROWTH = 68;

/** Bytes of each stream's block per worker and slot: pod (sent and delivered), overlay and external (with room for a
 * second crossing), trace (the longest way has six hooks). */
export const STREAM_BYTES: readonly number[] = [
  2 * (FRAMES_IN_CHUNK + CHUNK_PACKETS * (RECORD_HEADER + ANSWER_GROWTH)),
  2 * (FRAMES_IN_CHUNK + CHUNK_PACKETS * (RECORD_HEADER + TUNNEL_OVERHEAD + ANSWER_GROWTH)),
  2 * (FRAMES_IN_CHUNK + CHUNK_PACKETS * (RECORD_HEADER + ANSWER_GROWTH)),
  6 * (FRAMES_IN_CHUNK + CHUNK_PACKETS * (TR_SIZE + ANSWER_GROWTH)),
];

/** Blocks that a capture is read into, from where its records are taken as they lie: with a chunk being filled beside those under way. */
export const INTAKE_BLOCK_BYTES = 512 * 1024;
export const INTAKE_BLOCKS = SLOT_COUNT + 2;

/** What all workers wrote to a stream of one chunk. */
export const JOINED_BYTES = Math.max(...STREAM_BYTES);

/** Per-shard capacities: 32,768 ports of one destination need as many mappings of two halves, and as many conntrack
 * entries on each of two nodes. With IPv6 each family has room for just that, so that both fit into one memory. Flow records
 * are what --max-flows asks for, spread over the shards with room for skew. */
export function shardCapacity(maxFlows: number, ipv6: boolean): ShardCapacity {
  const flows = Math.max(256, Math.min(ipv6 ? 4096 : 32_768, Math.ceil(maxFlows / SHARD_COUNT) * 2));
  if (!ipv6) return { conntrack: 131_072, nat: 131_072, fragments: 1024, flows };
  const family = { conntrack: 65_536, nat: 65_536, fragments: 1024, flows };
  return { ...family, ipv6: family };
}

/** Room for one of the frames that a kernel warms up on: the longest quotes another one of IPv6. */
export const WARM_UP_FRAME = 256;

/** The shard that a kernel warms up on; small, so that eviction is warmed too. */
export function warmUpCapacity(ipv6: boolean): ShardCapacity {
  const family = { conntrack: 2048, nat: 2048, fragments: 16, flows: 2048 };
  return ipv6 ? { ...family, ipv6: family } : family;
}

/** Bytes beside a worker's own. */
export function warmUpBytes(ipv6: boolean): number { return shardBytes(warmUpCapacity(ipv6)) + CHUNK_PACKETS * WARM_UP_FRAME + 65_536; }

export const FRAME_AREA_BYTES = FRAME_AREA;
export const DESCRIPTOR_AREA_BYTES = CHUNK_PACKETS * B_SIZE;
const SAVED_BYTES = MAX_FRAME;
const MADE_BYTES = 1024;

export interface WorkerMemory {
  readonly savedBytes: number;
  readonly madeBytes: number;
}
export const WORKER_SCRATCH: WorkerMemory = { savedBytes: SAVED_BYTES, madeBytes: MADE_BYTES };

/** Bytes of memory for a run; `staticBytes` is an upper bound of the read-only tables. */
export function memoryBytes(staticBytes: number, workers: number, nodes: number, uses: number, capacity: ShardCapacity): number {
  const streams = STREAM_BYTES.reduce((sum, bytes) => sum + bytes + 64, 0);
  const perWorker = SLOT_COUNT * (DESCRIPTOR_AREA_BYTES + streams) + SAVED_BYTES + MADE_BYTES + SPARE_BYTES + X_SIZE + P_ROOM + 6 * 16 + (uses + 3) * U_SIZE +
    TALLY_CAPACITY * (TL_STRIDE + 16) + ROUTE_CAPACITY * (R_STRIDE + 16) + SK_SIZE + NC_COUNT * 8 + STREAM_COUNT * 4 + SHARD_COUNT * 4 + nodes * 4 + nodes * GARBAGE_MAPS * 16 + 8192;
  const intake = INTAKE_BLOCKS * (INTAKE_BLOCK_BYTES + 64) + IN_SIZE + 256;
  return staticBytes + workers * perWorker + SLOT_COUNT * FRAME_AREA + JOINED_BYTES + 2 * CHUNK_PACKETS + intake + SHARD_COUNT * (shardBytes(capacity) + 1024 + nodes * QUOTA_MAPS * 4) +
    nodes * 4 + 65_536;
}
