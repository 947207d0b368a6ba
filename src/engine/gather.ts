// Reads a finished run out of the memory: counters and tallies.
import { K0, K1, K2, K3, S_CT, S_FLOW, S_NAT, T_EVICTED, T_LIVE } from "../kernel/layout.ts";
import {
  NC_COUNT, TL_BYTES, TL_FIRST, TL_PACKETS, TL_PASS, U_FLOWS, U_FWD_BYTES, U_FWD_PACKETS, U_REPLY_BYTES, U_REPLY_PACKETS, U_SIZE,
  X_MASQUERADE, X_MASQUERADE6, X_NOTES, X_TALLIES, X_TOTALS, X_USE, NC_REPLY_FIRST_DIFFERENT,
} from "../kernel/pipeline/layout-batch.ts";
import { S_CT6, S_FLOW6, S_NAT6 } from "../kernel/layout6.ts";
import type { DatapathTables } from "../control/tables.ts";
import type { DropCount, MasqueradeUse, PassedCount, PolicyUse, SnatPortUse, Tally } from "../observe/run-result.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { MasqueradeKey } from "./image/cluster-image.ts";
import { snatPortUse } from "./port-use.ts";
import { entriesOf } from "./table-entries.ts";
import { HOOK_NAMES } from "./trace-comment.ts";

export class Gathering {
  readonly #memory: ClusterMemory;
  readonly #tables: DatapathTables;

  constructor(memory: ClusterMemory, tables: DatapathTables) {
    this.#memory = memory;
    this.#tables = tables;
  }

  get #view(): DataView {
    return this.#memory.arena.view;
  }

  #f64(at: number): number {
    return this.#view.getFloat64(at, true);
  }

  #contextSum(field: number, offset: number): number {
    return this.#memory.workers.reduce((sum, worker) => sum + this.#f64(this.#view.getInt32(worker.context + field, true) + offset), 0);
  }

  /** Packets and bytes by outcome number (OUT_…). */
  outcome(number: number): Tally {
    return { packets: this.#contextSum(X_TOTALS, number * 16), bytes: this.#contextSum(X_TOTALS, number * 16 + 8) };
  }

  note(number: number): number {
    if (number < 0 || number >= NC_COUNT) throw new RangeError(`no counter ${number}`);
    if (number !== NC_REPLY_FIRST_DIFFERENT) return this.#contextSum(X_NOTES, number * 8);
    const firsts = this.#memory.workers.map((worker) => this.#f64(this.#view.getInt32(worker.context + X_NOTES, true) + number * 8));
    return firsts.reduce((least, first) => (first !== 0 && (least === 0 || first < least) ? first : least), 0);
  }

  endings(): { drops: DropCount[]; passes: PassedCount[] } {
    const found = new Map<string, { kind: number; hook: number; code: number; node: number; policy: number; denied: number; packets: number; bytes: number; first: number }>();
    for (const worker of this.#memory.workers) {
      for (const entry of entriesOf(this.#view, this.#view.getInt32(worker.context + X_TALLIES, true))) {
        const k0 = this.#view.getInt32(entry + K0, true), node = this.#view.getInt32(entry + K1, true), policy = this.#view.getInt32(entry + K2, true);
        const packets = this.#f64(entry + TL_PACKETS), bytes = this.#f64(entry + TL_BYTES), first = this.#f64(entry + TL_FIRST);
        const denied = this.#view.getInt32(entry + K3, true) - 1, key = `${k0} ${node} ${policy} ${denied}`, seen = found.get(key);
        if (seen === undefined) found.set(key, { kind: k0 >> 16, hook: (k0 >> 8) & 0xff, code: k0 & 0xff, node, policy, denied, packets, bytes, first });
        else found.set(key, { ...seen, packets: seen.packets + packets, bytes: seen.bytes + bytes, first: Math.min(seen.first, first) });
      }
    }
    const drops: DropCount[] = [], passes: PassedCount[] = [];
    for (const { kind, hook, code, node, policy, denied, packets, bytes, first } of [...found.values()].sort((a, b) => a.first - b.first)) {
      const name = HOOK_NAMES[hook] ?? "to-container";
      if (kind === TL_PASS) passes.push({ hook: name, node, packets, bytes, firstPacket: first });
      else drops.push({ code, hook: name, node, policy, networkPolicy: denied, packets, bytes, firstPacket: first });
    }
    return { drops, passes: mergePasses(passes) };
  }

  policyUse(): PolicyUse[] {
    return this.#memory.image.uses
      .map((use, index) => ({ ...use, ...this.#useCounters(X_USE, index) }))
      .filter((use) => use.flows > 0 || use.forward.packets > 0 || use.reply.packets > 0);
  }

  masqueradeUse(): MasqueradeUse[] {
    const { masquerades, masquerades6 } = this.#memory.image;
    const usesOf = (keys: readonly MasqueradeKey[], field: number): MasqueradeUse[] => keys.flatMap(({ node, address }, index) =>
      [false, true].map((excluded) => ({ node, sourceIp: address, excluded, ...this.#useCounters(field, index * 2 + (excluded ? 1 : 0)) })));
    return [...usesOf(masquerades, X_MASQUERADE), ...usesOf(masquerades6, X_MASQUERADE6)]
      .filter((use) => use.forward.packets > 0 || use.reply.packets > 0);
  }

  #useCounters(field: number, index: number): { flows: number; forward: Tally; reply: Tally } {
    const sum = (offset: number): number => this.#contextSum(field, index * U_SIZE + offset);
    return {
      flows: sum(U_FLOWS),
      forward: { packets: sum(U_FWD_PACKETS), bytes: sum(U_FWD_BYTES) },
      reply: { packets: sum(U_REPLY_PACKETS), bytes: sum(U_REPLY_BYTES) },
    };
  }

  tableTotals(): { conntrack: number; nat: number; flows: number; evictedConntrack: number; evictedNat: number } {
    const sum = (field: number, ...tables: readonly number[]): number =>
      this.#memory.shards.reduce((total, shard) => tables.reduce((all, table) => all + this.#view.getInt32(shard + table + field, true), total), 0);
    return {
      conntrack: sum(T_LIVE, S_CT, S_CT6), nat: sum(T_LIVE, S_NAT, S_NAT6), flows: sum(T_LIVE, S_FLOW, S_FLOW6),
      evictedConntrack: sum(T_EVICTED, S_CT, S_CT6), evictedNat: sum(T_EVICTED, S_NAT, S_NAT6),
    };
  }

  snatPorts(): SnatPortUse[] {
    return snatPortUse(this.#memory, this.#tables.config);
  }
}

/** Passes carry no policy; rows that differ in nothing else are one. */
function mergePasses(passes: readonly PassedCount[]): PassedCount[] {
  const merged = new Map<string, PassedCount>();
  for (const pass of passes) {
    const key = `${pass.hook} ${pass.node}`, seen = merged.get(key);
    merged.set(key, seen === undefined ? pass : { ...seen, packets: seen.packets + pass.packets, bytes: seen.bytes + pass.bytes, firstPacket: Math.min(seen.firstPacket, pass.firstPacket) });
  }
  return [...merged.values()];
}
