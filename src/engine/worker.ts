// A worker: one long-running piscina task that takes chunks in order until it is told to end.
import { ChunkWork } from "./chunk-work.ts";
import { milliseconds } from "./milliseconds.ts";
import {
  COMMAND_END, CONTROL_DONE, CONTROL_POSTED, CONTROL_SLOT, SLOT_COMMAND, SLOT_NOW, slotOf, SLOT_WORDS, type WorkerTask, type WorkerTiming,
} from "./worker-protocol.ts";
import { wasmKernelOn } from "./wasm-kernel.ts";

export default async function work(task: WorkerTask): Promise<WorkerTiming> {
  const { memory, worker, port, addresses } = task;
  const kernel = task.kernel === "wasm" ? wasmKernelOn(memory) : (await import("./kernel-instance.ts")).kernelOn(memory, "ts");
  const control = new Int32Array(task.control), chunks = new ChunkWork(kernel, memory, addresses);
  const endProfile = task.profile === null ? null : await (await import("./cpu-profile.ts")).startCpuProfile(task.profile);
  if (task.warmUp !== null) (await import("./warm-up.ts")).warmUp(kernel, memory, task.warmUp, addresses);
  let idleTime = 0;
  port.postMessage("begun");
  for (let chunk = 1; ; chunk++) {
    const waited = milliseconds();
    for (let posted = Atomics.load(control, CONTROL_POSTED); posted < chunk; posted = Atomics.load(control, CONTROL_POSTED))
      Atomics.wait(control, CONTROL_POSTED, posted);
    idleTime += milliseconds() - waited;
    const slot = slotOf(chunk), at = CONTROL_SLOT + slot * SLOT_WORDS, command = control[at + SLOT_COMMAND] ?? 0;
    if (command === COMMAND_END) break;
    chunks.run(command, slot, control[at + SLOT_NOW] ?? 0);
    Atomics.store(control, CONTROL_DONE + worker, chunk);
    Atomics.notify(control, CONTROL_DONE + worker);
  }
  await endProfile?.();
  return { kernel: chunks.kernelTime / 1000, idle: idleTime / 1000, batches: [chunks.batches.counts] };
}
