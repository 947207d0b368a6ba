// The pipeline's memory in little: a cluster's tables, a few shards that overflow soon, one worker's context, and blocks
// too small for all that a batch writes. Every region is known, so that the checked accessors can be told exactly.
import type { DatapathTables } from "../../src/control/tables.ts";
import type { Arena } from "../../src/engine/image/arena.ts";
import { writeCluster } from "../../src/engine/image/cluster-image.ts";
import { type ShardCapacity, writeShard } from "../../src/engine/image/shard-image.ts";
import { K0, P_ROOM, T_CAPACITY, T_ENTRIES, T_INDEX, T_MASK, T_MAX_MASK, T_SIZE, T_STRIDE, T_USED } from "../../src/kernel/layout.ts";
import { P_SPARE, SPARE_BYTES } from "../../src/kernel/layout6.ts";
import { R_STRIDE, SK_SIZE } from "../../src/kernel/layout-way.ts";
import { OUT_IGNORED } from "../../src/kernel/layout-flow.ts";
import {
  B_SIZE, GARBAGE_MAPS, NC_COUNT, QUOTA_MAPS, STREAM_COUNT, TL_PACKETS, TL_STRIDE, U_SIZE, X_ADDRESSES, X_ADDRESSES6, X_CURSORS, X_LIMITS, X_MADE, X_MASQUERADE, X_MASQUERADE6, X_NODE_COUNT, X_NODES, X_NOTES,
  X_OPTIONS, X_PACKET, X_ROUTES, X_SAVED, X_SHARDS, X_SIZE, X_SKETCH, X_TALLIES, X_TOTALS, X_TRACE_UNTIL, X_USE, X_WRITE, XO_LIVE,
} from "../../src/kernel/pipeline/layout-batch.ts";

export const SHARDS = 4, BATCH = 24, LONGEST_FRAME = 2048;
const MADE = 1024, TALLIES = 4096, ROUTES = 4, ALL_STREAMS = (1 << STREAM_COUNT) - 1;
/** What is traced takes no way. */
const TRACED = 200;
const SMALL = { conntrack: 64, nat: 48, fragments: 6, flows: 40 };
const CAPACITY: ShardCapacity = { ...SMALL, ipv6: SMALL };

/** First address and the one behind the last. */
export type Region = readonly [number, number];

export class PipelineMemory {
  readonly context: number;
  readonly totals: number;
  readonly notes: number;
  readonly descriptors: number;
  readonly frames: number;
  readonly streams: readonly number[];
  readonly shards: readonly number[];
  readonly due: number;
  readonly collected: number;
  readonly quotas: number;
  readonly nodes: number;
  /** What the pipeline may touch, but for the frames. */
  readonly allowed: readonly Region[];
  readonly #arena: Arena;
  readonly #block: number;

  /** `block`: bytes of each stream's block. */
  constructor(arena: Arena, tables: DatapathTables, options: number, block: number) {
    this.#arena = arena;
    this.#block = block;
    this.nodes = tables.nodes.length;
    const first = arena.used, image = writeCluster(arena, tables, false, 1);
    this.shards = Array.from({ length: SHARDS }, (_, k) => writeShard(arena, CAPACITY, 99 + k));
    const context = this.context = arena.take(X_SIZE, 64), shardArray = arena.take(SHARDS * 4);
    for (const [k, shard] of this.shards.entries()) arena.put32(shardArray + 4 * k, shard);
    const packet = arena.take(P_ROOM, 64);
    this.totals = arena.take((OUT_IGNORED + 1) * 16);
    this.notes = arena.take(NC_COUNT * 8);
    this.due = arena.take(this.nodes * 4);
    this.collected = arena.take(this.nodes * GARBAGE_MAPS * 16);
    this.quotas = arena.take(this.nodes * QUOTA_MAPS * 4);
    for (const [field, value] of [
      [X_PACKET, packet], [X_NODES, image.nodes], [X_NODE_COUNT, this.nodes], [X_SHARDS, shardArray], [X_ADDRESSES, image.addresses], [X_ADDRESSES6, image.addresses6],
      [X_WRITE, ALL_STREAMS], [X_OPTIONS, options], [X_TOTALS, this.totals], [X_NOTES, this.notes], [X_TALLIES, ownTable(arena, TALLIES, TL_STRIDE)],
      [X_ROUTES, ownTable(arena, ROUTES, R_STRIDE)], [X_SKETCH, options === XO_LIVE ? 0 : arena.take(SK_SIZE, 64)],
      [X_USE, arena.take(Math.max(1, image.uses.length) * U_SIZE)], [X_MASQUERADE, arena.take(Math.max(1, image.masquerades.length) * 2 * U_SIZE)],
      [X_MASQUERADE6, arena.take(Math.max(1, image.masquerades6.length) * 2 * U_SIZE)],
    ] as const) arena.put32(context + field, value);
    arena.view.setFloat64(context + X_TRACE_UNTIL, TRACED, true);
    const regions: Region[] = [[first, arena.used]];
    // A gap on either side: one byte too far is no longer allowed.
    const apart = (bytes: number): number => {
      arena.take(64);
      const at = arena.take(bytes, 64);
      regions.push([at, at + bytes]);
      return at;
    };
    arena.put32(context + X_SAVED, apart(LONGEST_FRAME));
    arena.put32(context + X_MADE, apart(MADE));
    arena.put32(packet + P_SPARE, apart(SPARE_BYTES));
    this.descriptors = apart(BATCH * B_SIZE);
    this.streams = Array.from({ length: STREAM_COUNT }, () => apart(block));
    this.allowed = regions;
    arena.take(64);
    this.frames = arena.take(BATCH * LONGEST_FRAME, 64);
  }

  /** Puts the cursors back to the beginnings of the blocks. */
  rewind(): void {
    for (const [k, at] of this.streams.entries()) {
      this.#arena.put32(this.context + X_CURSORS + 4 * k, at);
      this.#arena.put32(this.context + X_LIMITS + 4 * k, at + this.#block);
    }
  }

  cursor(stream: number): number { return this.#arena.get32(this.context + X_CURSORS + 4 * stream); }
  limit(stream: number): number { return (this.streams[stream] ?? 0) + this.#block; }

  /** Packets and bytes of an outcome so far. */
  total(outcome: number): { readonly packets: number; readonly bytes: number } {
    const { view } = this.#arena, at = this.totals + outcome * 16;
    return { packets: view.getFloat64(at, true), bytes: view.getFloat64(at + 8, true) };
  }

  /** Packets that ended in a hook, by kind (TL_DROP, TL_PASS). */
  tally(kind: number): number {
    const { view } = this.#arena, table = this.#arena.get32(this.context + X_TALLIES);
    let packets = 0;
    for (let k = 0; k < this.#arena.get32(table + T_USED); k++) {
      const entry = this.#arena.get32(table + T_ENTRIES) + k * TL_STRIDE;
      if (this.#arena.get32(entry + K0) >>> 16 === kind) packets += view.getFloat64(entry + TL_PACKETS, true);
    }
    return packets;
  }

  note(number: number): number { return this.#arena.view.getFloat64(this.notes + 8 * number, true); }
}

function ownTable(arena: Arena, capacity: number, stride: number): number {
  const table = arena.take(T_SIZE, 64), slots = 4 * capacity;
  for (const [field, value] of [
    [T_INDEX, arena.take(slots * 8, 64)], [T_MASK, 15], [T_MAX_MASK, slots - 1], [T_ENTRIES, arena.take(capacity * stride, 64)], [T_STRIDE, stride],
    [T_CAPACITY, capacity],
  ] as const) arena.put32(table + field, value);
  return table;
}
