import { kernelOn } from "../engine/kernel-instance.ts";
import { warmUp } from "../engine/warm-up.ts";
import { LiveLoop } from "./live-loop.ts";
import type { LiveEnd, LiveTask } from "./live-protocol.ts";
import { loadNative } from "./native.ts";

/** One long-running piscina task: reads, processes and writes frames until it is told to end. */
export default function work(task: LiveTask): LiveEnd {
  const kernel = kernelOn(task.memory, task.kernel);
  if (task.warmUp !== null) warmUp(kernel, task.memory, task.warmUp, task.addresses);
  const loop = new LiveLoop(task, loadNative(), kernel);
  try {
    return loop.run();
  } finally {
    task.port.close();
  }
}
