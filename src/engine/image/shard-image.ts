import {
  C_STRIDE, G_STRIDE, S_CT, S_FLOW, S_FRAG, S_NAT, S_SEED, S_SIZE, T_CAPACITY, T_ENTRIES, T_INDEX, T_MASK, T_MAX_MASK, T_STRIDE, X_STRIDE,
} from "../../kernel/layout.ts";
import { F_STRIDE } from "../../kernel/layout-flow.ts";
import type { Arena } from "./arena.ts";

/** Entries that each table of one shard may hold. */
export interface ShardCapacity {
  readonly conntrack: number;
  readonly nat: number;
  readonly fragments: number;
  readonly flows: number;
}

const FIRST_INDEX_SLOTS = 256;
const INDEX_SLOT_BYTES = 8;

function indexSlots(capacity: number): number {
  let slots = FIRST_INDEX_SLOTS;
  while (slots < capacity * 2) slots *= 2;
  return slots;
}

/** Address space that a shard of this capacity takes; real memory follows use. */
export function shardBytes(capacity: ShardCapacity): number {
  const table = (entries: number, stride: number): number => indexSlots(entries) * INDEX_SLOT_BYTES + entries * stride + 64;
  return S_SIZE + table(capacity.conntrack, C_STRIDE) + table(capacity.nat, X_STRIDE) + table(capacity.fragments, G_STRIDE) + table(capacity.flows, F_STRIDE) + 64;
}

function writeTable(arena: Arena, at: number, capacity: number, stride: number): void {
  const slots = indexSlots(capacity);
  arena.put32(at + T_INDEX, arena.take(slots * INDEX_SLOT_BYTES, 64));
  arena.put32(at + T_MASK, FIRST_INDEX_SLOTS - 1);
  arena.put32(at + T_MAX_MASK, slots - 1);
  arena.put32(at + T_ENTRIES, arena.take(capacity * stride, 64));
  arena.put32(at + T_STRIDE, stride);
  arena.put32(at + T_CAPACITY, capacity);
}

/** An empty shard; returns its address. */
export function writeShard(arena: Arena, capacity: ShardCapacity, seed: number): number {
  const shard = arena.take(S_SIZE, 64);
  writeTable(arena, shard + S_CT, capacity.conntrack, C_STRIDE);
  writeTable(arena, shard + S_NAT, capacity.nat, X_STRIDE);
  writeTable(arena, shard + S_FRAG, capacity.fragments, G_STRIDE);
  writeTable(arena, shard + S_FLOW, capacity.flows, F_STRIDE);
  arena.put32(shard + S_SEED, seed);
  return shard;
}
