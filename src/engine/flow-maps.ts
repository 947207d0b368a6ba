// The nodes' conntrack and NAT maps at the end of a run, out of the shards that hold them.
import { type FlowMap, FLOW_MAPS, type FlowMaps, type MapFill, type MapRecord } from "../observe/map-records.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { conntrackMap, conntrackRecord, entryNode, MAPS4, MAPS6, type MapFamily, natRecord } from "./map-entries.ts";
import { entriesOf } from "./table-entries.ts";

interface FoundEntry {
  readonly shard: number;
  readonly family: MapFamily;
  readonly isNat: boolean;
  /** Address of the entry. */
  readonly at: number;
  /** Node and map in one number, in the order of the listing. */
  readonly cell: number;
}

/** At most about `limit` entries: where there are more, each map gives its share of them, and one at least. */
export function flowMaps(memory: ClusterMemory, nodes: number, clock: number, limit: number): FlowMaps {
  const counts = new Float64Array(nodes * FLOW_MAPS.length);
  let total = 0;
  for (const { cell } of found(memory)) {
    counts[cell] = (counts[cell] ?? 0) + 1;
    total++;
  }
  const shares = counts.map((count) => (total <= limit || count === 0 ? count : limit === 0 ? 0 : Math.max(1, Math.floor((count * limit) / total))));
  const fills: MapFill[] = [];
  for (const [cell, entries] of counts.entries()) {
    const map = FLOW_MAPS[cell % FLOW_MAPS.length];
    if (entries > 0 && map !== undefined) fills.push({ node: Math.floor(cell / FLOW_MAPS.length), map, entries, listed: shares[cell] ?? 0 });
  }
  return { clock, fills, records: records(memory, shares) };
}

function* records(memory: ClusterMemory, shares: Float64Array): Generator<MapRecord> {
  const left = shares.slice(), kept: FoundEntry[] = [];
  for (const entry of found(memory)) {
    const room = left[entry.cell] ?? 0;
    if (room === 0) continue;
    left[entry.cell] = room - 1;
    kept.push(entry);
  }
  // Sorting is stable: within a map entries stay in the order of shards and of their making.
  for (const { shard, family, isNat, at } of kept.sort((a, b) => a.cell - b.cell)) {
    yield isNat ? natRecord(memory.arena, shard, family, at) : conntrackRecord(memory.arena, shard, family, at);
  }
}

function* found({ arena, shards }: ClusterMemory): Generator<FoundEntry> {
  for (const shard of shards) {
    for (const family of [MAPS4, MAPS6]) {
      for (const at of entriesOf(arena.view, shard + family.conntrack)) {
        yield { shard, family, isNat: false, at, cell: cellOf(entryNode(arena, at), conntrackMap(arena, family, at)) };
      }
      for (const at of entriesOf(arena.view, shard + family.nat)) {
        yield { shard, family, isNat: true, at, cell: cellOf(entryNode(arena, at), family.natMap) };
      }
    }
  }
}

function cellOf(node: number, map: FlowMap): number { return node * FLOW_MAPS.length + FLOW_MAPS.indexOf(map); }
