// Whole replays of generated captures. Rounds go over all settings in turn, so that a slow minute of the machine hits each of
// them and not one.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { runGenerate } from "../../src/generate/generate.ts";
import { inFolder } from "../lib/clean-up.ts";
import { spreadOf, type Spread } from "../lib/median.ts";
import { folderFor } from "../lib/room.ts";
import { rounds } from "../lib/rounds.ts";
import { type Measured, replayed } from "./replayed.ts";

export interface ReplaySetting {
  readonly frames: "64" | "imix" | "1500";
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

/** The captures' other options; with `packets` and the frame size they say what was replayed. */
export const CAPTURE_OPTIONS = { flows: 20_000, pods: 200, nodes: 10, gateways: 2, policies: 4, prefixes: 16, remotes: 256, seed: 1 } as const;
/** How much longer the captures are that show whether memory grows with the input, and what a second worker brings. */
const LONGER = 4;
const ALL_WORKERS = availableParallelism();
const FRAMES = ["64", "imix", "1500"] as const;
/** Bytes of a record, in and in all captures written together. */
const RECORD_BYTES = { "64": 76 + 280, imix: 360 + 1130, "1500": 1512 + 4590 } as const;

function settings(packets: number): ReplaySetting[] {
  const all: ReplaySetting[] = [];
  for (const frames of FRAMES)
    for (const kernel of ["wasm", "ts"] as const)
      for (const workers of new Set([1, ALL_WORKERS])) for (const write of ["none", "all"] as const) all.push({ frames, packets, kernel, workers, write });
  const longer = { packets: packets * LONGER, kernel: "wasm", write: "none" } as const;
  return [...all, ...[1, 2].map((workers) => ({ ...longer, frames: "64", workers }) as const), { ...longer, frames: "imix", workers: ALL_WORKERS }];
}

export interface ReplayResult {
  readonly figures: readonly ReplayFigures[];
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
}

/** No round begins that would end after so many seconds. */
export async function runReplays(packets: number, wantedRounds: number, limitSeconds: number, say: (text: string) => void): Promise<ReplayResult> {
  const inputs = FRAMES.reduce((sum, frames) => sum + RECORD_BYTES[frames] * packets, 0) + LONGER * packets * (76 + 360);
  const room = folderFor(inputs);
  if ("why" in room) return { figures: [], skipped: [{ what: "replays", why: room.why }] };
  return inFolder(room.folder, "egwsim-bench-", async (folder) => {
    const wanted = settings(packets);
    for (const name of new Set(wanted.map(({ frames, packets: size }) => `${frames}-${size}`))) {
      const [frames, size] = name.split("-");
      await runGenerate({ ...CAPTURE_OPTIONS, out: join(folder, name), frameSize: frames === "imix" ? frames : Number(frames), packets: Number(size) });
    }
    const measured = wanted.map((): Measured[] => []);
    await rounds(wantedRounds, limitSeconds, (round) => {
      for (const [k, setting] of wanted.entries()) {
        say(`replays, round ${round} of ${wantedRounds}: ${setting.frames} ${setting.kernel} ${setting.workers} ${setting.write}`);
        measured[k]?.push(replay(folder, setting));
      }
      return Promise.resolve();
    });
    return { figures: wanted.map((setting, k) => figures(setting, measured[k] ?? [])), skipped: [] };
  });
}

function replay(folder: string, setting: ReplaySetting): Measured {
  const input = join(folder, `${setting.frames}-${setting.packets}`);
  const result = replayed({ capture: join(input, "capture.pcap"), cluster: join(input, "cluster") }, join(folder, "out"), setting);
  if (result.packets !== setting.packets) throw new Error(`${result.packets} packets were replayed, not ${setting.packets}`);
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
