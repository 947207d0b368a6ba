// What the datapath tells the sketch of a walk (layout-way.ts), and what ends the ways learnt from sketches.
import { ld32, mul, st32 } from "../mem.ts";
import { P_SHARD } from "../layout.ts";
import { P_SKETCH, S_EPOCH, SK_CHANGED, SK_CT, SK_CT_COUNT, SK_STATE } from "../layout-way.ts";

/** A conntrack entry was found for the packet, in direction `dir`. */
export function sketchEntry(pkt: i32, entry: i32, dir: i32): void {
  const sketch: i32 = ld32(pkt + P_SKETCH);
  if (sketch === 0) return;
  const count: i32 = ld32(sketch + SK_CT_COUNT);
  st32(sketch + SK_CT_COUNT, count + 1);
  if (count >= 2) return;
  st32(sketch + SK_CT + mul(count, 8), entry);
  st32(sketch + SK_CT + mul(count, 8) + 4, dir);
}

/** The packet made or changed an entry of conntrack or NAT: the next of its flow may meet something else. */
export function sketchChange(pkt: i32): void {
  const sketch: i32 = ld32(pkt + P_SKETCH);
  if (sketch !== 0) st32(sketch + SK_STATE, SK_CHANGED);
}

/** Ends all ways of a shard: entries they rely on go, or lose their mark of use. */
export function endWays(shard: i32): void { st32(shard + S_EPOCH, ld32(shard + S_EPOCH) + 1); }

/** The same for the shard of a packet. */
export function endWaysOf(pkt: i32): void { endWays(ld32(pkt + P_SHARD)); }
