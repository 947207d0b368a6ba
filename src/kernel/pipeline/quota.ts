// Map sizes. A real node's maps have a size each; here a shard's tables hold the entries of all nodes. At barriers the
// engine counts what every node holds in all shards together, and has the oldest taken where it is too much.
import { ld32, mul, st32 } from "../mem.ts";
import { E_STATE, ES_LIVE, ES_USED_LATELY, K0, S_CT, S_NAT, T_ENTRIES, T_STRIDE, T_USED } from "../layout.ts";
import { endWays } from "../datapath/sketch.ts";
import { S_CT6, S_NAT6 } from "../layout6.ts";
import { natPartner } from "../datapath/snat.ts";
import { natPartner6 } from "../datapath/snat6.ts";
import { PROTO_TCP } from "../wire/ipv4.ts";
import { QUOTA_MAPS, QUOTA_MAPS_OF_FAMILY } from "./layout-batch.ts";
import { evict } from "../table/evict.ts";

const MAP_NAT: i32 = 2;

function cell(cells: i32, k0: i32, isNat: boolean, six: boolean): i32 {
  const map: i32 = isNat ? MAP_NAT : ((k0 >>> 8) & 0xff) === PROTO_TCP ? 0 : 1;
  return cells + ((mul(k0 >>> 16, QUOTA_MAPS) + map + (six ? QUOTA_MAPS_OF_FAMILY : 0)) << 2);
}

function countTable(table: i32, cells: i32, isNat: boolean, six: boolean): void {
  const stride: i32 = ld32(table + T_STRIDE);
  const end: i32 = ld32(table + T_ENTRIES) + mul(ld32(table + T_USED), stride);
  for (let entry: i32 = ld32(table + T_ENTRIES); entry < end; entry += stride) {
    if ((ld32(entry + E_STATE) & ES_LIVE) === 0) continue;
    const at: i32 = cell(cells, ld32(entry + K0), isNat, six);
    st32(at, ld32(at) + 1);
  }
}

/** Adds the shard's entries to the counts (words, by node and map). */
export function countEntries(shard: i32, counts: i32): void {
  countTable(shard + S_CT, counts, false, false);
  countTable(shard + S_NAT, counts, true, false);
  countTable(shard + S_CT6, counts, false, true);
  countTable(shard + S_NAT6, counts, true, true);
}

/** Takes as many entries as `excess` (words, by node and map) says: in the order they were made, those first that nothing
 * looked up since the last round; a mapping goes with both halves. */
export function evictEntries(shard: i32, excess: i32): void {
  endWays(shard);
  evictFrom(shard + S_CT, excess, false, false);
  evictFrom(shard + S_NAT, excess, true, false);
  evictFrom(shard + S_CT6, excess, false, true);
  evictFrom(shard + S_NAT6, excess, true, true);
}

function evictFrom(table: i32, excess: i32, isNat: boolean, six: boolean): void {
  evictRound(table, excess, isNat, six, true);
  evictRound(table, excess, isNat, six, false);
}

function evictRound(table: i32, excess: i32, isNat: boolean, six: boolean, onlyIdle: boolean): void {
  const stride: i32 = ld32(table + T_STRIDE);
  const end: i32 = ld32(table + T_ENTRIES) + mul(ld32(table + T_USED), stride);
  for (let entry: i32 = ld32(table + T_ENTRIES); entry < end; entry += stride) {
    const state: i32 = ld32(entry + E_STATE);
    if ((state & ES_LIVE) === 0) continue;
    const at: i32 = cell(excess, ld32(entry + K0), isNat, six);
    if (ld32(at) <= 0) continue;
    if (onlyIdle && (state & ES_USED_LATELY) !== 0) {
      st32(entry + E_STATE, ES_LIVE);
      continue;
    }
    let partner: i32 = 0;
    if (isNat) partner = six ? natPartner6(table, entry) : natPartner(table, entry);
    const gone: i32 = evict(table, entry, partner);
    st32(at, ld32(at) - gone);
  }
}
