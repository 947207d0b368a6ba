// Garbage collection of conntrack as the agent does it (pkg/maps/ctmap/gc): entries past their lifetime go, and take
// their NAT mapping along; a mapping without conntrack stays until the map is full.
import { ld32, ldf64, mul, stf64 } from "../mem.ts";
import {
  C_LIFETIME, E_STATE, ES_LIVE, K0, K1, K2, K3, S_CT, S_NAT, T_ENTRIES, T_STRIDE, T_USED, TUPLE_IN, TUPLE_OUT, TUPLE_RELATED, X_ADDR, X_PORT,
} from "../layout.ts";
import { endWays } from "../datapath/sketch.ts";
import { C6_TAIL, S_CT6, S_NAT6, TAIL_DADDR, TAIL_SADDR, X6_ADDR, X6_PORT } from "../layout6.ts";
import { find, remove } from "../table/dynamic.ts";
import { find6 } from "../table/dynamic6.ts";
import { PROTO_TCP } from "../wire/ipv4.ts";
import { GARBAGE_MAPS } from "./layout-batch.ts";

/** Sweeps a shard for the nodes whose word in `due` (by node index) is not 0. Counts (f64 pairs alive, deleted; by node
 * and map, GARBAGE_MAPS of them) are added to `counts`. `now` in seconds of the datapath's clock. */
export function collectGarbage(shard: i32, due: i32, counts: i32, now: i32): void {
  endWays(shard);
  sweep(shard, false, due, counts, now);
  sweep(shard, true, due, counts, now);
}

function sweep(shard: i32, six: boolean, due: i32, counts: i32, now: i32): void {
  const table: i32 = shard + (six ? S_CT6 : S_CT), stride: i32 = ld32(table + T_STRIDE);
  const end: i32 = ld32(table + T_ENTRIES) + mul(ld32(table + T_USED), stride);
  for (let entry: i32 = ld32(table + T_ENTRIES); entry < end; entry += stride) {
    if ((ld32(entry + E_STATE) & ES_LIVE) === 0) continue;
    const node: i32 = ld32(entry + K0) >>> 16;
    if (ld32(due + (node << 2)) === 0) continue;
    const tcp: i32 = ((ld32(entry + K0) >>> 8) & 0xff) === PROTO_TCP ? 1 : 0;
    const at: i32 = counts + ((mul(node, GARBAGE_MAPS) + (six ? 2 : 0) + tcp) << 4);
    if (ld32(entry + C_LIFETIME) >= now) {
      stf64(at, ldf64(at) + 1.0);
      continue;
    }
    stf64(at + 8, ldf64(at + 8) + 1.0);
    if ((ld32(entry + K0) & (TUPLE_IN | TUPLE_RELATED)) === TUPLE_OUT) {
      if (six) removeMapping6(shard + S_NAT6, entry);
      else removeMapping(shard + S_NAT, entry);
    }
    remove(table, entry);
  }
}

/** The mapping of an egress entry, both halves (nat.DeleteMapping4). */
function removeMapping(nat: i32, entry: i32): void {
  // Conntrack stores the addresses swapped, the ports as NAT has them.
  const k0: i32 = ld32(entry + K0), pod: i32 = ld32(entry + K1), remote: i32 = ld32(entry + K2), ports: i32 = ld32(entry + K3);
  const forward: i32 = find(nat, k0, remote, pod, ports);
  if (forward === 0) return;
  const reverse: i32 = find(nat, k0 | TUPLE_IN, ld32(forward + X_ADDR), remote, ld32(forward + X_PORT) | (ports << 16));
  if (reverse !== 0) remove(nat, reverse);
  remove(nat, forward);
}

/** The same of IPv6 (nat.DeleteMapping6). */
function removeMapping6(nat: i32, entry: i32): void {
  const k0: i32 = ld32(entry + K0), pod: i32 = entry + C6_TAIL + TAIL_DADDR, remote: i32 = entry + C6_TAIL + TAIL_SADDR, ports: i32 = ld32(entry + K3);
  const forward: i32 = find6(nat, k0, remote, pod, ports);
  if (forward === 0) return;
  const reverse: i32 = find6(nat, k0 | TUPLE_IN, forward + X6_ADDR, remote, ld32(forward + X6_PORT) | (ports << 16));
  if (reverse !== 0) remove(nat, reverse);
  remove(nat, forward);
}
