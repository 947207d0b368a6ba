// Counting: the one place where outcomes become numbers.
import { ld32, ldf64, mul, stf64 } from "../mem.ts";
import { D_MASQUERADE, D_MASQUERADE6, D_SIZE, D_USE, E_POLICY, N_DEVICE_COUNT, N_DEVICES, N_INDEX, P_COUNTED, P_NODE, P_POLICY } from "../layout.ts";
import { deniedBy } from "../datapath/policy.ts";
import { find, insert } from "../table/dynamic.ts";
import { sameAddress6 } from "../wire/address6.ts";
import {
  TL_BYTES, TL_FIRST, TL_PACKETS, U_FLOWS, U_FWD_BYTES, U_FWD_PACKETS, U_REPLY_BYTES, U_REPLY_PACKETS, U_SIZE, X_MASQUERADE, X_MASQUERADE6, X_NOTES,
  X_TALLIES, X_TOTALS, X_USE,
} from "./layout-batch.ts";
import { seqOf } from "./emit.ts";

function add(at: i32, amount: f64): void { stf64(at, ldf64(at) + amount); }

export function countNote(cx: i32, note: i32): void { add(ld32(cx + X_NOTES) + (note << 3), 1.0); }

export function countOutcome(cx: i32, pkt: i32, outcome: i32): void {
  const at: i32 = ld32(cx + X_TOTALS) + (outcome << 4);
  add(at, 1.0);
  add(at + 8, 0.0 + ld32(pkt + P_COUNTED));
}

/** Packets that ended in a hook, by kind (drop, pass), hook, number, node, policy and network policy. The table holds 65,536 combinations;
 * beyond them only the totals count. */
export function countTally(cx: i32, pkt: i32, kind: i32, hook: i32, code: i32): void {
  const table: i32 = ld32(cx + X_TALLIES), record: i32 = ld32(pkt + P_POLICY);
  const k0: i32 = (kind << 16) | (hook << 8) | code, node: i32 = ld32(ld32(pkt + P_NODE) + N_INDEX);
  const policy: i32 = record === 0 ? -1 : ld32(record + E_POLICY);
  const denied: i32 = deniedBy(pkt, code) + 1;
  let entry: i32 = find(table, k0, node, policy, denied);
  if (entry === 0) entry = insert(table, k0, node, policy, denied);
  if (entry === 0) return;
  if (ldf64(entry + TL_PACKETS) === 0.0) stf64(entry + TL_FIRST, seqOf(pkt));
  add(entry + TL_PACKETS, 1.0);
  add(entry + TL_BYTES, 0.0 + ld32(pkt + P_COUNTED));
}

/** Counters of a policy's use, or of a node's masquerading. */
export function useCounters(cx: i32, use: i32): i32 { return ld32(cx + X_USE) + mul(use, U_SIZE); }

/** Counters of the address (a word, or the place of an IPv6 one) that P_NODE masqueraded with: a device's, or else its own. */
export function masqueradeCounters(cx: i32, pkt: i32, six: boolean, address: i32, excluded: boolean): i32 {
  const node: i32 = ld32(pkt + P_NODE);
  const first: i32 = ld32(node + N_DEVICES), count: i32 = ld32(node + N_DEVICE_COUNT);
  let device: i32 = 0;
  if (six) while (device < count && !sameAddress6(first + mul(device, D_SIZE) + D_MASQUERADE6, address)) device = device + 1;
  else while (device < count && ld32(first + mul(device, D_SIZE) + D_MASQUERADE) !== address) device = device + 1;
  return ld32(cx + (six ? X_MASQUERADE6 : X_MASQUERADE)) + mul(((ld32(first + D_USE) + device) << 1) | (excluded ? 1 : 0), U_SIZE);
}

export function countUse(counters: i32, pkt: i32, reply: boolean): void {
  add(counters + (reply ? U_REPLY_PACKETS : U_FWD_PACKETS), 1.0);
  add(counters + (reply ? U_REPLY_BYTES : U_FWD_BYTES), 0.0 + ld32(pkt + P_COUNTED));
}

export function countFlow(counters: i32): void { add(counters + U_FLOWS, 1.0); }
