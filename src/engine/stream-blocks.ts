import { X_CURSORS, X_LIMITS } from "../kernel/pipeline/layout-batch.ts";
import { STREAM_BYTES } from "./memory-plan.ts";

/** Has a context's streams begin anew, each at its block of STREAM_BYTES; `blocks`: their addresses, by stream. */
export function beginStreams(words: Int32Array, context: number, blocks: readonly number[]): void {
  for (const [stream, start] of blocks.entries()) {
    words[((context + X_CURSORS) >> 2) + stream] = start;
    words[((context + X_LIMITS) >> 2) + stream] = start + (STREAM_BYTES[stream] ?? 0);
  }
}
