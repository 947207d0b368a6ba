// What a stage tells about a packet beside its verdict, and whether it may do better than Cilium 1.19.
import { ld32, st32 } from "../mem.ts";
import { N_FLAGS, NF_REPAIR, P_NODE, P_NOTES } from "../layout.ts";

/** Adds a NOTE_… bit to the packet's notes. */
export function note(pkt: i32, bit: i32): void { st32(pkt + P_NOTES, ld32(pkt + P_NOTES) | bit); }

/** Does the packet's node repair the recorded defects of 1.19 (semantics other than the default)? */
export function repairs(pkt: i32): boolean { return (ld32(ld32(pkt + P_NODE) + N_FLAGS) & NF_REPAIR) !== 0; }
