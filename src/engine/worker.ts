// A worker: one long-running piscina task that takes chunks in order until it is told to end.
import { performance } from "node:perf_hooks";
import { X_CURSORS, X_LIMITS } from "../kernel/pipeline/layout-batch.ts";
import { BatchTimes } from "./batch-times.ts";
import { SLOT_COUNT, STREAM_BYTES } from "./memory-plan.ts";
import {
  COMMAND_BATCH, COMMAND_END, CONTROL_POSTED, CONTROL_SLOT, SLOT_COMMAND, SLOT_NOW, SLOT_WORDS, type WorkerTask, type WorkerTiming,
} from "./worker-protocol.ts";
import { runShardCommand } from "./shard-command.ts";
import { wasmKernelOn } from "./wasm-kernel.ts";

export default async function work(task: WorkerTask): Promise<WorkerTiming> {
  const { memory, port, addresses } = task;
  const kernel = task.kernel === "wasm" ? wasmKernelOn(memory) : (await import("./kernel-instance.ts")).kernelOn(memory, "ts");
  const control = new Int32Array(task.control), words = new Int32Array(memory.buffer);
  const endProfile = task.profile === null ? null : await (await import("./cpu-profile.ts")).startCpuProfile(task.profile);
  if (task.warmUp !== null) (await import("./warm-up.ts")).warmUp(kernel, memory, task.warmUp, addresses);
  const batches = new BatchTimes();
  let kernelTime = 0, idleTime = 0;
  for (let chunk = 1; ; chunk++) {
    const waited = performance.now();
    for (let posted = Atomics.load(control, CONTROL_POSTED); posted < chunk; posted = Atomics.load(control, CONTROL_POSTED))
      Atomics.wait(control, CONTROL_POSTED, posted);
    const started = performance.now();
    idleTime += started - waited;
    const slot = chunk % SLOT_COUNT, at = CONTROL_SLOT + slot * SLOT_WORDS;
    const command = control[at + SLOT_COMMAND];
    if (command === COMMAND_END) break;
    if (command === COMMAND_BATCH) {
      for (const [stream, start] of (addresses.streams[slot] ?? []).entries()) {
        words[(addresses.context + X_CURSORS) / 4 + stream] = start;
        words[(addresses.context + X_LIMITS) / 4 + stream] = start + (STREAM_BYTES[stream] ?? 0);
      }
      kernel.processBatch(addresses.context, addresses.descriptors[slot] ?? 0, words[(addresses.counts[slot] ?? 0) / 4] ?? 0);
    } else {
      runShardCommand(kernel, addresses, command ?? 0, control[at + SLOT_NOW] ?? 0);
    }
    const took = performance.now() - started;
    kernelTime += took;
    if (command === COMMAND_BATCH) batches.add(took);
    port.postMessage(chunk);
  }
  port.close();
  await endProfile?.();
  return { kernel: kernelTime / 1000, idle: idleTime / 1000, batches: [batches.counts] };
}
