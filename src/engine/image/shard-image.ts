import {
  C_STRIDE, G_STRIDE, S_CT, S_FLOW, S_FRAG, S_NAT, S_SEED, S_SIZE, T_CAPACITY, T_ENTRIES, T_INDEX, T_MASK, T_MAX_MASK, T_STRIDE, T_TAIL,
  X_STRIDE,
} from "../../kernel/layout.ts";
import {
  C6_STRIDE, C6_TAIL, F6_STRIDE, F6_TAIL, G6_STRIDE, G6_TAIL, S_CT6, S_FLOW6, S_FRAG6, S_NAT6, X6_STRIDE, X6_TAIL,
} from "../../kernel/layout6.ts";
import { F_STRIDE } from "../../kernel/layout-flow.ts";
import { AF6_STRIDE, AF6_TAIL, AF_STRIDE, S_AFFINITY, S_AFFINITY6 } from "../../kernel/layout-services.ts";
import { S_EPOCH, S_WAYS, S_WAYS_CAPACITY, W_SIZE } from "../../kernel/layout-way.ts";
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
  /** Clients of services with session affinity, in each family; absent where no service has it. */
  readonly affinity?: number;
  /** Absent where no node takes IPv6: then the tables are as small as tables get. */
  readonly ipv6?: ShardCapacity6;
}

/** A mapping has two halves. */
const SMALLEST: ShardCapacity6 = { conntrack: 2, nat: 2, fragments: 1, flows: 1 };

/** Clients remembered where nobody asks for affinity: a table may not be empty. */
const NO_AFFINITY = 1;

const FIRST_INDEX_SLOTS = 256;
const INDEX_SLOT_BYTES = 8;

/** Flows of a shard that have ways; the packets of further ones are walked. */
const MOST_WAYS = 8192;
const waysOf = (capacity: ShardCapacity): number => Math.min(capacity.flows, MOST_WAYS);

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
  const affinity = table(capacity.affinity ?? NO_AFFINITY, AF_STRIDE) + table(capacity.affinity ?? NO_AFFINITY, AF6_STRIDE);
  return S_SIZE + bytes4 + bytes6 + affinity + table(capacity.flows, F_STRIDE) + waysOf(capacity) * 2 * W_SIZE + 128;
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
  writeTable(arena, shard + S_AFFINITY, capacity.affinity ?? NO_AFFINITY, AF_STRIDE);
  writeTable(arena, shard + S_AFFINITY6, capacity.affinity ?? NO_AFFINITY, AF6_STRIDE, AF6_TAIL);
  arena.put32(shard + S_SEED, seed);
  arena.put32(shard + S_EPOCH, 1);
  arena.put32(shard + S_WAYS, arena.take(waysOf(capacity) * 2 * W_SIZE, 64));
  arena.put32(shard + S_WAYS_CAPACITY, waysOf(capacity));
  return shard;
}
