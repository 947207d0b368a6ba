import { ld32, mul, st32 } from "../mem.ts";
import { NOTE_NAT_RETRIES_OVER_HALF, P_SHARD, S_FORCED, S_FORCED_COUNT, S_FORCED_NEXT, S_SEED } from "../layout.ts";
import { hash1, hash4 } from "../table/hash.ts";
import { DROP_NAT_NO_MAPPING } from "../verdict.ts";
import { note } from "./note.ts";

/** SNAT_COLLISION_RETRIES; the fill-up signal is given above half of them. */
export const SNAT_TRIES: i32 = 32;

/** 16 random bits (get_prandom_u32 cut to u16): a hash of seed, tuple and attempt, so that one flow more or another
 * number of workers never changes a flow's port. A queue of forced draws goes first; a forced value is the port that the
 * draw must lead to, marked by bit 16. */
export function drawPort(pkt: i32, k0: i32, daddr: i32, saddr: i32, ports: i32, attempt: i32): i32 {
  const shard: i32 = ld32(pkt + P_SHARD);
  const next: i32 = ld32(shard + S_FORCED_NEXT);
  if (next < ld32(shard + S_FORCED_COUNT)) {
    st32(shard + S_FORCED_NEXT, next + 1);
    return ld32(ld32(shard + S_FORCED) + (next << 2)) | 0x10000;
  }
  return hash1(hash4(k0, daddr, saddr, ports) ^ mul(ld32(shard + S_SEED) + attempt, 0x9e3779b1 | 0)) & 0xffff;
}

/** __snat_clamp_port_range: maps 16 bits onto [min, max], slightly biased. */
export function clampPort(min: i32, max: i32, value: i32): i32 {
  if ((value & 0x10000) !== 0) return value & 0xffff;
  return min + (mul(value & 0xffff, max - min + 1) >>> 16);
}

/** Counts how many tries a mapping took in the histogram at `histogram`. 0, or drop 167 where all of them failed. */
export function countTries(pkt: i32, histogram: i32, tries: i32): i32 {
  const at: i32 = histogram + (tries << 2);
  st32(at, ld32(at) + 1);
  if (tries > SNAT_TRIES >>> 1) note(pkt, NOTE_NAT_RETRIES_OVER_HALF);
  return tries === SNAT_TRIES ? DROP_NAT_NO_MAPPING : 0;
}
