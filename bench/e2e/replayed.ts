// A replay in a process of its own, so that its memory and its start are its own.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Measured {
  readonly packets: number;
  readonly timing: { readonly packetsPerSecond: number; readonly kernelSeconds: number };
  /** Entries that gave way to others, conntrack and NAT. */
  readonly evicted: number;
  readonly processSeconds: number;
  readonly peakBytes: number;
}

export interface HowReplayed {
  readonly kernel: "wasm" | "ts";
  readonly workers: number;
  readonly write: "all" | "none";
}

const child = fileURLToPath(new URL("./measured-replay.js", import.meta.url));
const program = new URL("../../../dist/cli/program.js", import.meta.url).href;

export function replayed({ capture, cluster }: { readonly capture: string; readonly cluster: string }, out: string, { kernel, workers, write }: HowReplayed): Measured {
  const { status, stdout, stderr } = spawnSync(process.execPath, [child, program, capture, cluster, out, String(workers), kernel, write], { encoding: "utf8" });
  if (status !== 0) throw new Error(`a measured replay ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Measured;
}
