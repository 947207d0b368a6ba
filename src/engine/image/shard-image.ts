import {
  C_STRIDE, G_STRIDE, S_CT, S_FLOW, S_FRAG, S_NAT, S_SEED, S_SIZE, T_CAPACITY, T_ENTRIES, T_INDEX, T_MASK, T_MAX_MASK, T_STRIDE, T_TAIL,
  X_STRIDE,
} from "../../kernel/layout.ts";
import {
  C6_STRIDE, C6_TAIL, F6_STRIDE, F6_TAIL, G6_STRIDE, G6_TAIL, S_CT6, S_FLOW6, S_FRAG6, S_NAT6, X6_STRIDE, X6_TAIL,
} from "../../kernel/layout6.ts";
import { F_STRIDE } from "../../kernel/layout-flow.ts";
import type { Arena } from "./arena.ts";

/** Entries of the IPv6 tables of one shard. */
export interface ShardCapacity6 {
  readonly conntrack: number;
  readonly nat: number;
  readonly fragments: number;
  readonly flows: number;
}

/** Entries that each table of one shard may hold. */
export interface ShardCapacity {
  readonly conntrack: number;
  readonly nat: number;
  readonly fragments: number;
  readonly flows: number;
  /** Absent where no node takes IPv6: then the tables are as small as tables get. */
  readonly ipv6?: ShardCapacity6;
}

/** A mapping has two halves. */
const SMALLEST: ShardCapacity6 = { conntrack: 2, nat: 2, fragments: 1, flows: 1 };

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
  const { ipv6 = SMALLEST } = capacity;
  const bytes6 = table(ipv6.conntrack, C6_STRIDE) + table(ipv6.nat, X6_STRIDE) + table(ipv6.fragments, G6_STRIDE) + table(ipv6.flows, F6_STRIDE);
  const bytes4 = table(capacity.conntrack, C_STRIDE) + table(capacity.nat, X_STRIDE) + table(capacity.fragments, G_STRIDE);
  return S_SIZE + bytes4 + bytes6 + table(capacity.flows, F_STRIDE) + 64;
}

/** `tail`: where an entry keeps its two 16-byte addresses, 0 for none. */
function writeTable(arena: Arena, at: number, capacity: number, stride: number, tail = 0): void {
  const slots = indexSlots(capacity);
  arena.put32(at + T_INDEX, arena.take(slots * INDEX_SLOT_BYTES, 64));
  arena.put32(at + T_MASK, FIRST_INDEX_SLOTS - 1);
  arena.put32(at + T_MAX_MASK, slots - 1);
  arena.put32(at + T_ENTRIES, arena.take(capacity * stride, 64));
  arena.put32(at + T_STRIDE, stride);
  arena.put32(at + T_CAPACITY, capacity);
  arena.put32(at + T_TAIL, tail);
}

/** An empty shard; returns its address. */
export function writeShard(arena: Arena, capacity: ShardCapacity, seed: number): number {
  const shard = arena.take(S_SIZE, 64);
  writeTable(arena, shard + S_CT, capacity.conntrack, C_STRIDE);
  writeTable(arena, shard + S_NAT, capacity.nat, X_STRIDE);
  writeTable(arena, shard + S_FRAG, capacity.fragments, G_STRIDE);
  writeTable(arena, shard + S_FLOW, capacity.flows, F_STRIDE);
  const { ipv6 = SMALLEST } = capacity;
  writeTable(arena, shard + S_CT6, ipv6.conntrack, C6_STRIDE, C6_TAIL);
  writeTable(arena, shard + S_NAT6, ipv6.nat, X6_STRIDE, X6_TAIL);
  writeTable(arena, shard + S_FRAG6, ipv6.fragments, G6_STRIDE, G6_TAIL);
  writeTable(arena, shard + S_FLOW6, ipv6.flows, F6_STRIDE, F6_TAIL);
  arena.put32(shard + S_SEED, seed);
  return shard;
}
