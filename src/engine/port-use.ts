// How many SNAT ports are taken per egress IP, remote end and protocol: what can run out. A busy gateway has tens of thousands of
// remote ends and the report tells of the 32 fullest, so that they are counted as the words they are, and only those few are named.
import { K0, K1, K2, K3, S_NAT, T_LIVE, TUPLE_IN } from "../kernel/layout.ts";
import { S_NAT6, TAIL_DADDR, TAIL_SADDR, X6_TAIL } from "../kernel/layout6.ts";
import type { DatapathConfig } from "../control/tables.ts";
import type { Address, SnatPortUse } from "../observe/run-result.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { getAddress6 } from "./image/address6.ts";
import { addressOf, wirePort } from "./image/arena.ts";
import { hashWord } from "./image/static-hash.ts";
import { entriesOf } from "./table-entries.ts";

/** What Cilium's nat-stats shows (pkg/maps/nat/stats). */
const PORT_USE_ROWS = 32;
const ICMP = 1, ICMP6 = 58;
const NO_SLOT = -1;

/** Offsets of the words that entries of one use share, but for the remote port, which is the upper half of K3. */
const SHARED4 = [K0, K1, K2];
const SHARED6 = [K0, ...Array.from({ length: 4 }, (_, k) => X6_TAIL + TAIL_DADDR + 4 * k), ...Array.from({ length: 4 }, (_, k) => X6_TAIL + TAIL_SADDR + 4 * k)];

/** Fullest first. */
export function snatPortUse(memory: ClusterMemory, config: DatapathConfig): SnatPortUse[] {
  const { snatMinPort, snatMaxPort } = config, best = new Fullest();
  countUses(memory, S_NAT, SHARED4, (view, entry, inUse) =>
    best.see(view, entry, inUse, addressOf(view.getInt32(entry + K1, true)), addressOf(view.getInt32(entry + K2, true))));
  countUses(memory, S_NAT6, SHARED6, (view, entry, inUse) =>
    best.see(view, entry, inUse, getAddress6(view, entry + X6_TAIL + TAIL_DADDR), getAddress6(view, entry + X6_TAIL + TAIL_SADDR)));
  return best.uses.map((use) => ({ ...use, capacity: use.protocol === ICMP || use.protocol === ICMP6 ? 65_536 : snatMaxPort - snatMinPort + 1 }));
}

/** Tells of each use in a NAT table of all shards: an entry that stands for it, and how many there are. */
function countUses({ arena: { view }, shards }: ClusterMemory, table: number, shared: readonly number[], tell: (view: DataView, entry: number, inUse: number) => void): void {
  const live = shards.reduce((sum, shard) => sum + view.getInt32(shard + table + T_LIVE, true), 0);
  if (live === 0) return;
  const mask = 2 ** Math.ceil(Math.log2(live * 2)) - 1, slots = new Int32Array(mask + 1).fill(NO_SLOT), entries = new Int32Array(live), counts = new Int32Array(live);
  let uses = 0;
  for (const shard of shards) {
    for (const entry of entriesOf(view, shard + table)) {
      if ((view.getInt32(entry + K0, true) & TUPLE_IN) === 0) continue;
      let hash = view.getUint16(entry + K3 + 2, true);
      for (const offset of shared) hash = hashWord(hash ^ view.getInt32(entry + offset, true));
      let slot = hash & mask, use = slots[slot] as number;
      while (use !== NO_SLOT && !isSameUse(view, entry, entries[use] as number, shared)) {
        slot = (slot + 1) & mask;
        use = slots[slot] as number;
      }
      if (use === NO_SLOT) {
        use = uses++;
        slots[slot] = use;
        entries[use] = entry;
      }
      counts[use]! += 1;
    }
  }
  for (let use = 0; use < uses; use++) tell(view, entries[use] as number, counts[use] as number);
}

function isSameUse(view: DataView, a: number, b: number, shared: readonly number[]): boolean {
  if (view.getUint16(a + K3 + 2, true) !== view.getUint16(b + K3 + 2, true)) return false;
  for (const offset of shared) if (view.getInt32(a + offset, true) !== view.getInt32(b + offset, true)) return false;
  return true;
}

type PortUse = Omit<SnatPortUse, "capacity">;

/** The fullest uses seen so far, in order. */
class Fullest {
  readonly uses: PortUse[] = [];

  see(view: DataView, entry: number, inUse: number, egressIp: Address, remote: Address): void {
    const last = this.uses.at(PORT_USE_ROWS - 1);
    if (last !== undefined && inUse < last.inUse) return;
    const k0 = view.getInt32(entry + K0, true);
    const use = { node: k0 >>> 16, protocol: (k0 >> 8) & 0xff, egressIp, remote, remotePort: wirePort(view.getUint16(entry + K3 + 2, true)), inUse };
    if (last !== undefined && byFill(last, use) <= 0) return;
    if (last !== undefined) this.uses.pop();
    const after = this.uses.findIndex((other) => byFill(use, other) < 0);
    this.uses.splice(after === -1 ? this.uses.length : after, 0, use);
  }
}

function byFill(a: PortUse, b: PortUse): number {
  return b.inUse - a.inUse || byAddress(a.egressIp, b.egressIp) || byAddress(a.remote, b.remote) || a.remotePort - b.remotePort || a.protocol - b.protocol || a.node - b.node;
}

/** IPv4 before IPv6, as numbers within a family. */
function byAddress(a: Address, b: Address): number {
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
