// Keeps every node's conntrack and NAT maps to their configured sizes, at barriers fixed by the capture's order.
import { QUOTA_MAPS } from "../kernel/pipeline/layout-batch.ts";
import { S_CT, S_NAT, T_LIVE } from "../kernel/layout.ts";
import { S_CT6, S_NAT6 } from "../kernel/layout6.ts";
import type { DatapathConfig } from "../control/tables.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { CHUNK_PACKETS } from "./memory-plan.ts";

/** At most this many packets between two looks; fewer where a map is small. */
const LONGEST_INTERVAL = 262_144;

export class MapQuotas {
  readonly #memory: ClusterMemory;
  readonly #nodes: number;
  /** By map: entries of one node. The maps of either family are as large. */
  readonly #limits: readonly number[];
  readonly #interval: number;
  #nextLook: number;

  constructor(memory: ClusterMemory, nodes: number, config: DatapathConfig) {
    this.#memory = memory;
    this.#nodes = nodes;
    const family = [config.ctMapTcpMax, config.ctMapAnyMax, config.natMapMax];
    this.#limits = [...family, ...family];
    this.#interval = Math.max(CHUNK_PACKETS, Math.min(LONGEST_INTERVAL, Math.floor(Math.min(...this.#limits) / 4)));
    this.#nextLook = this.#interval;
  }

  /** Is it time for a look, after this many packets of the capture? */
  isDue(packets: number): boolean {
    if (packets < this.#nextLook) return false;
    this.#nextLook = packets + this.#interval;
    return true;
  }

  /** Could any node be over a limit at all? All chunks must be finished. */
  mayBeOver(): boolean {
    const { shards, arena } = this.#memory;
    const live = (table: number): number => shards.reduce((sum, shard) => sum + arena.get32(shard + table + T_LIVE), 0);
    const [tcp = 0, any = 0, nat = 0] = this.#limits, conntrack = Math.min(tcp, any);
    return live(S_CT) > conntrack || live(S_NAT) > nat || live(S_CT6) > conntrack || live(S_NAT6) > nat;
  }

  /** Clears the counts that the workers will fill. */
  clear(): void {
    const { arena, quotas, shards } = this.#memory;
    arena.bytes.fill(0, quotas, quotas + shards.length * this.#cells * 4);
  }

  get #cells(): number {
    return this.#nodes * QUOTA_MAPS;
  }

  /** Turns counts into what each shard must give up: its share of its node's excess. False when nobody is over. */
  share(): boolean {
    const { arena, quotas, shards } = this.#memory, cells = this.#cells;
    let isOver = false;
    for (let cell = 0; cell < cells; cell++) {
      const at = (shard: number): number => quotas + (shard * cells + cell) * 4;
      let total = 0;
      for (let shard = 0; shard < shards.length; shard++) total += arena.get32(at(shard));
      const excess = total - (this.#limits[cell % QUOTA_MAPS] ?? 0);
      let seen = 0;
      for (let shard = 0; shard < shards.length; shard++) {
        const before = excess <= 0 ? 0 : Math.floor((excess * seen) / total);
        seen += arena.get32(at(shard));
        arena.put32(at(shard), excess <= 0 ? 0 : Math.floor((excess * seen) / total) - before);
      }
      if (excess > 0) isOver = true;
    }
    return isOver;
  }
}
