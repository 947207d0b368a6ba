import {
  B_ENTRY, B_FRAME, B_LEN, B_NODE, B_NOW, B_NSEC, B_REMOTE, B_SEC, B_SEQ_HI, B_SEQ_LO, B_SHARD, B_VNI, B_WIRE_LEN,
} from "../kernel/pipeline/layout-batch.ts";
import type { Steering } from "./steer.ts";

/** Writes the descriptor at byte address `at` for the packet that `steering` was last asked about. `sequence` counts packets
 * from 1, `seconds` and `nanoseconds` are the packet's time, `now` the datapath's clock in seconds. */
export function putDescriptor(
  words: Int32Array, at: number, steering: Steering, frame: number, length: number, wire: number, sequence: number, seconds: number, nanoseconds: number, now: number,
): void {
  const word = at >> 2;
  words[word + (B_FRAME >> 2)] = frame;
  words[word + (B_LEN >> 2)] = length;
  words[word + (B_WIRE_LEN >> 2)] = wire;
  words[word + (B_SEC >> 2)] = seconds | 0;
  words[word + (B_NSEC >> 2)] = nanoseconds;
  words[word + (B_SEQ_LO >> 2)] = sequence | 0;
  words[word + (B_SEQ_HI >> 2)] = Math.floor(sequence / 4_294_967_296);
  words[word + (B_ENTRY >> 2)] = steering.entry;
  words[word + (B_NODE >> 2)] = steering.node;
  words[word + (B_SHARD >> 2)] = steering.shard;
  words[word + (B_NOW >> 2)] = now;
  words[word + (B_VNI >> 2)] = steering.vni;
  words[word + (B_REMOTE >> 2)] = steering.remote;
}
