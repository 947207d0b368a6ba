// Second pass over a batch, ahead of the first: touches the cache lines that its packets will need, stage by stage, so that the
// misses of many packets overlap instead of following one another. What it leaves in the descriptors is only a hint. Measured:
// docs/speed.md.
import { ld32, ld8, mul, st32 } from "../mem.ts";
import { S_FLOW, T_INDEX, T_LIVE, T_MASK } from "../layout.ts";
import { F_WAYS, FK_POD } from "../layout-flow.ts";
import { W_CT_FIRST, W_CT_SECOND, W_NOW, W_SIZE } from "../layout-way.ts";
import { swapPorts } from "../datapath/ports.ts";
import { hash4 } from "../table/hash.ts";
import { ETH_LEN, IP_DST, IP_PROTO, IP_SRC } from "../wire/ipv4.ts";
import { B_ENTRY, B_FRAME, B_LEN, B_NODE, B_NOW, B_SHARD, B_SIZE, B_WIRE_LEN, B_WROTE, ENTRY_REPLY, X_FETCHED, X_SHARDS } from "./layout-batch.ts";
import { isPlain, L4 } from "./plain.ts";

/** Packets whose lines are fetched together: enough to keep the memory busy, few enough to stay in the first-level cache. */
export const GROUP: i32 = 32;
/** Flows of one shard from which on 64 shards of them outgrow a second-level cache of 2 MiB. */
const FLOWS_BEYOND_CACHE: i32 = 96;
/** Hints in the descriptor, in the place of its results: hash of the flow's key (0: none), flow. */
export const B_HINT_HASH: i32 = B_WROTE;
const B_HINT_FLOW: i32 = B_WROTE + 4;

/** Hash of a plain packet's flow key, as find() takes it. */
export function flowHash(d: i32, frame: i32): i32 {
  const ip: i32 = frame + ETH_LEN, k0: i32 = (ld32(d + B_NODE) << 16) | (ld8(ip + IP_PROTO) << 8) | FK_POD, ports: i32 = ld32(frame + L4);
  return ld32(d + B_ENTRY) === ENTRY_REPLY
    ? hash4(k0, ld32(ip + IP_DST), ld32(ip + IP_SRC), swapPorts(ports)) : hash4(k0, ld32(ip + IP_SRC), ld32(ip + IP_DST), ports);
}

/** Prepares the packets from `first` to before `end`. */
export function fetchAhead(cx: i32, first: i32, end: i32): void {
  const shards: i32 = ld32(cx + X_SHARDS);
  const isLarge: boolean = ld32(ld32(shards + (ld32(first + B_SHARD) << 2)) + S_FLOW + T_LIVE) >= FLOWS_BEYOND_CACHE;
  let seen: i32 = 0;
  for (let d: i32 = first; d < end; d += B_SIZE) {
    const frame: i32 = ld32(d + B_FRAME);
    let hash: i32 = 0;
    if (ld32(d + B_ENTRY) <= ENTRY_REPLY && isPlain(frame, ld32(d + B_LEN), ld32(d + B_WIRE_LEN))) {
      hash = flowHash(d, frame);
      if (isLarge) seen = seen ^ ld32(slotOf(shards, d, hash));
    }
    st32(d + B_HINT_HASH, hash);
  }
  if (!isLarge) return;
  for (let d: i32 = first; d < end; d += B_SIZE) {
    const hash: i32 = ld32(d + B_HINT_HASH);
    let flow: i32 = 0;
    if (hash !== 0) {
      flow = ld32(slotOf(shards, d, hash) + 4);
      if (flow !== 0) seen = seen ^ ld32(flow + F_WAYS);
    }
    st32(d + B_HINT_FLOW, flow);
  }
  for (let d: i32 = first; d < end; d += B_SIZE) {
    const flow: i32 = ld32(d + B_HINT_FLOW);
    if (flow === 0 || ld32(flow + F_WAYS) === 0) continue;
    seen = seen ^ ld32(wayOf(flow, d));
  }
  for (let d: i32 = first; d < end; d += B_SIZE) {
    const flow: i32 = ld32(d + B_HINT_FLOW);
    if (flow === 0 || ld32(flow + F_WAYS) === 0) continue;
    const way: i32 = wayOf(flow, d);
    if (ld32(way + W_NOW) === ld32(d + B_NOW)) continue;
    seen = seen ^ ld32(ld32(way + W_CT_FIRST)) ^ ld32(ld32(way + W_CT_SECOND));
  }
  // The loads must be for something.
  st32(cx + X_FETCHED, seen);
}

function slotOf(shards: i32, d: i32, hash: i32): i32 {
  const table: i32 = ld32(shards + (ld32(d + B_SHARD) << 2)) + S_FLOW;
  return ld32(table + T_INDEX) + ((hash & ld32(table + T_MASK)) << 3);
}

function wayOf(flow: i32, d: i32): i32 { return ld32(flow + F_WAYS) + mul(ld32(d + B_ENTRY) - 1, W_SIZE); }
