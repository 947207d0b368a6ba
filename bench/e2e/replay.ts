// Whole replays of generated captures. Rounds go over all settings in turn, so that a slow minute of the machine hits each of
// them and not one.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runGenerate } from "../../src/generate/generate.ts";
import { spreadOf, type Spread } from "../lib/median.ts";

export interface ReplaySetting {
  readonly frames: "64" | "imix";
  readonly packets: number;
  readonly kernel: "wasm" | "ts";
  readonly workers: number;
  readonly write: "all" | "none";
}

export interface ReplayFigures extends ReplaySetting {
  readonly rounds: number;
  readonly packetsPerSecond: Spread;
  /** Nanoseconds of the workers' time per packet that the kernel took. */
  readonly kernelNanoseconds: Spread;
  /** Seconds from the start of the process to its end, the report written. */
  readonly processSeconds: Spread;
  /** Largest resident set of any round, bytes. */
  readonly peakBytes: number;
}

interface Measured {
  readonly packets: number;
  readonly timing: { readonly packetsPerSecond: number; readonly kernelSeconds: number };
  readonly processSeconds: number;
  readonly peakBytes: number;
}

/** The captures' other options; with `packets` and the frame size they say what was replayed. */
export const CAPTURE_OPTIONS = { flows: 20_000, pods: 200, nodes: 10, gateways: 2, policies: 4, prefixes: 16, remotes: 256, seed: 1 } as const;
/** How much longer the second capture is that shows whether memory grows with the input. */
const LONGER = 4;

const child = fileURLToPath(new URL("./measured-replay.js", import.meta.url));
const program = new URL("../../../dist/cli/program.js", import.meta.url).href;

function settings(packets: number): ReplaySetting[] {
  const all: ReplaySetting[] = [];
  for (const frames of ["64", "imix"] as const)
    for (const kernel of ["wasm", "ts"] as const)
      for (const workers of [1, 2]) for (const write of ["none", "all"] as const) all.push({ frames, packets, kernel, workers, write });
  return [...all, { frames: "imix", packets: packets * LONGER, kernel: "wasm", workers: 2, write: "none" }];
}

export async function runReplays(packets: number, rounds: number, say: (text: string) => void): Promise<ReplayFigures[]> {
  const folder = mkdtempSync(join(tmpdir(), "egwsim-bench-"));
  try {
    const wanted = settings(packets);
    const captures = new Map<string, string>();
    for (const { frames, packets: size } of wanted) {
      const out = join(folder, `${frames}-${size}`);
      if (captures.has(out)) continue;
      captures.set(out, frames);
      await runGenerate({ ...CAPTURE_OPTIONS, out, frameSize: frames, packets: size });
    }
    const measured = wanted.map((): Measured[] => []);
    for (let round = 1; round <= rounds; round++) {
      for (const [k, setting] of wanted.entries()) {
        say(`round ${round} of ${rounds}: ${setting.frames} ${setting.kernel} ${setting.workers} ${setting.write}`);
        measured[k]?.push(replay(folder, setting));
      }
    }
    return wanted.map((setting, k) => figures(setting, measured[k] ?? []));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function replay(folder: string, { frames, packets, kernel, workers, write }: ReplaySetting): Measured {
  const input = join(folder, `${frames}-${packets}`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [
    child, program, join(input, "capture.pcap"), join(input, "cluster"), join(folder, "out"), String(workers), kernel, write,
  ], { encoding: "utf8" });
  if (status !== 0) throw new Error(`a measured replay ended with ${status}: ${stderr}`);
  const result = JSON.parse(stdout) as Measured;
  if (result.packets !== packets) throw new Error(`${result.packets} packets were replayed, not ${packets}`);
  return result;
}

function figures(setting: ReplaySetting, measured: readonly Measured[]): ReplayFigures {
  return {
    ...setting, rounds: measured.length,
    packetsPerSecond: spreadOf(measured.map(({ timing }) => timing.packetsPerSecond)),
    kernelNanoseconds: spreadOf(measured.map(({ timing, packets }) => (timing.kernelSeconds * 1e9) / packets)),
    processSeconds: spreadOf(measured.map(({ processSeconds }) => processSeconds)),
    peakBytes: Math.max(...measured.map(({ peakBytes }) => peakBytes)),
  };
}
