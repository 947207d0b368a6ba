// A replay in a process of its own, by the program that a user runs, so that its memory and its start are its own.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Measured {
  readonly packets: number;
  readonly timing: { readonly packetsPerSecond: number; readonly kernelSeconds: number };
  /** Entries that gave way to others, conntrack and NAT. */
  readonly evicted: number;
  /** Seconds from the process's start to its end. */
  readonly processSeconds: number;
  /** Largest resident set. */
  readonly peakBytes: number;
}

export interface HowReplayed {
  readonly kernel: "wasm" | "ts";
  readonly workers: number;
  readonly write: "all" | "none";
}

const inTree = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const main = inTree("dist/bin/main.js"), atExit = inTree("bench/e2e/at-exit.cjs");
const ALL = "pod,overlay,external,trace,flows";

export interface ReplayInput {
  readonly capture: string;
  readonly cluster: string;
}

export function replayed({ capture, cluster }: ReplayInput, out: string, { kernel, workers, write }: HowReplayed): Measured {
  const { status, stderr, output } = spawnSync(process.execPath, [
    "--require", atExit, main, "replay", capture, "--cluster", cluster, "--out", out, "--force", "--write", write === "all" ? ALL : "none",
    "--workers", String(workers), "--kernel", kernel, "--quiet",
  ], { encoding: "utf8", stdio: ["ignore", "ignore", "pipe", "pipe"] });
  if (status === null || status > 1) throw new Error(`a measured replay ended with ${status}: ${stderr}`);
  const taken = JSON.parse(output[3] ?? "") as Pick<Measured, "processSeconds" | "peakBytes">;
  const { outcomes, timing, maps } = JSON.parse(readFileSync(join(out, "report.json"), "utf8")) as
    { outcomes: { received: { packets: number } }; timing: Measured["timing"]; maps: { conntrackEvicted: number; natEvicted: number } };
  rmSync(out, { recursive: true });
  return { packets: outcomes.received.packets, timing, evicted: maps.conntrackEvicted + maps.natEvicted, ...taken };
}
