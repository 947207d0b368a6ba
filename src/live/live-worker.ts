import { kernelOn } from "../engine/kernel-instance.ts";
import { LiveLoop } from "./live-loop.ts";
import type { LiveEnd, LiveTask } from "./live-protocol.ts";
import { loadNative } from "./native.ts";

/** One long-running piscina task: reads, processes and writes frames until it is told to end. */
export default function work(task: LiveTask): LiveEnd {
  const loop = new LiveLoop(task, loadNative(), kernelOn(task.memory, task.kernel));
  try {
    return loop.run();
  } finally {
    task.port.close();
  }
}
