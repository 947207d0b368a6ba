// How cost grows: one thing is varied, the rest stays as it is. The kernel's WebAssembly on whole paths; workers on whole replays.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { replayed } from "../e2e/replayed.ts";
import { runGenerate } from "../../src/generate/generate.ts";
import { inFolder } from "../lib/clean-up.ts";
import { spreadOf, type Spread } from "../lib/median.ts";
import { folderFor, freeMemory } from "../lib/room.ts";
import { runPaths, STANDARD, type Traffic } from "../kernel/paths.ts";

export interface CurvePoint {
  readonly curve: string;
  /** What was done: a path of the standard ones, walked through every hook where it says so; a replay. */
  readonly path: string;
  readonly x: number;
  readonly nanoseconds: Spread;
}

export interface GrowthSettings {
  readonly rounds: number;
  /** Points beyond this are left out, to try the rest with. */
  readonly largest: number;
  /** Seconds after which no further point is begun. */
  readonly limitSeconds: number;
}

export interface CurveResult {
  readonly points: readonly CurvePoint[];
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
}

const BASE: Traffic = { ...STANDARD, flows: 16_384, packets: 120_000, prefixes: 1000, remotes: 4096 };
/** Every flow shows up several times; of millions twice, or the input alone would fill the memory. */
const flowsOf = (flows: number): Traffic => ({
  ...BASE, flows, packets: Math.max(120_000, flows * (flows > 500_000 ? 2 : 4)), remotes: Math.min(131_072, Math.max(1024, flows >> 2)),
});
/** Few prefixes, or there would be millions of entries; and a flow at least for every pod. */
const podsOf = (pods: number): Traffic => ({
  ...BASE, pods, nodes: 50, policies: Math.min(4, pods), prefixes: 16, flows: Math.max(16_384, pods), packets: Math.max(120_000, 4 * pods),
});

const CURVES: readonly (readonly [name: string, values: readonly number[], traffic: (x: number) => Traffic, walked: boolean])[] = [
  ["flows, uniform", [1, 1000, 16_384, 65_536, 262_144, 1_048_576, 4_194_304], flowsOf, false],
  ["flows, Zipf", [1000, 65_536, 1_048_576, 4_194_304], (x) => ({ ...flowsOf(x), distribution: "zipf" }), false],
  // One pod for each policy, so that there are as many entries as prefixes.
  ["policy prefixes", [10, 1000, 10_000, 100_000, 1_000_000], (x) => ({ ...BASE, prefixes: x, pods: 9, policies: 8, remotes: 131_072 }), true],
  ["nodes", [1, 4, 10, 100, 1000], (x) => ({ ...BASE, nodes: x, gateways: Math.min(2, x), pods: Math.max(200, x) }), true],
  ["pods", [1, 200, 5000, 50_000], podsOf, true],
  ["remote endpoints", [1, 64, 4096, 131_072], (x) => ({ ...BASE, remotes: x }), true],
];
/** Fewer new flows than these are over before V8 has compiled what works on them, so that others go before them. */
const ENOUGH_TO_WARM = 65_536;
const WORKERS_PACKETS = 2_000_000, WORKERS_CURVE = "workers";
/** What a prepared run keeps of each packet in memory: its frame, and descriptors in up to three sets. */
const PACKET_BYTES = 512;
const FIXED_BYTES = 3 * 2 ** 30;

export async function runCurves({ rounds, largest, limitSeconds }: GrowthSettings, say: (text: string) => void): Promise<CurveResult> {
  const points: CurvePoint[] = [], skipped: { what: string; why: string }[] = [], start = performance.now();
  for (const [curve, values, traffic, alsoWalked] of CURVES) {
    for (const x of values.filter((value) => value <= largest)) {
      const what = `growth with ${curve}: ${x.toLocaleString("en-US")}`, options = traffic(x);
      const wanted = FIXED_BYTES + (options.packets ?? 0) * PACKET_BYTES;
      if (performance.now() - start > limitSeconds * 1000) skipped.push({ what, why: `the ${limitSeconds} s for all curves were over` });
      else if (freeMemory() < wanted) skipped.push({ what, why: `it wants ${(wanted / 2 ** 30).toFixed(0)} GiB of memory` });
      else {
        for (const walked of alsoWalked ? [false, true] : [false]) {
          say(`${what}${walked ? ", walked" : ""}`);
          const { figures } = await runPaths(options, ["wasm"], { rounds, walked, newFlowRounds: (options.flows ?? 0) > ENOUGH_TO_WARM ? 1 : 2 });
          for (const { path, nanoseconds } of figures) points.push({ curve, path: walked ? `${path}, walked` : path, x, nanoseconds });
        }
      }
    }
  }
  const workers = await workersCurve(rounds, Math.min(WORKERS_PACKETS, largest * 64), say);
  return { points: [...points, ...workers.points], skipped: [...skipped, ...workers.skipped] };
}

/** From one worker to one for each CPU; the main thread reads and hands out as ever. */
async function workersCurve(rounds: number, packets: number, say: (text: string) => void): Promise<CurveResult> {
  const room = folderFor(packets * 76);
  if ("why" in room) return { points: [], skipped: [{ what: `growth with ${WORKERS_CURVE}`, why: room.why }] };
  return inFolder(room.folder, "egwsim-growth-", async (folder) => {
    const input = await runGenerate({ ...BASE, out: join(folder, "in"), packets, flows: Math.min(packets, 16_384), frameSize: "64" });
    const samples = Array.from({ length: availableParallelism() }, (): number[] => []);
    for (let round = 1; round <= rounds; round++) {
      for (const [k, own] of samples.entries()) {
        say(`growth with ${WORKERS_CURVE}, round ${round} of ${rounds}: ${k + 1}`);
        own.push(1e9 / replayed(input, join(folder, "out"), { kernel: "wasm", workers: k + 1, write: "none" }).timing.packetsPerSecond);
      }
    }
    const points = samples.map((own, k) => ({ curve: WORKERS_CURVE, path: "replay, nothing written", x: k + 1, nanoseconds: spreadOf(own) }));
    return { points, skipped: [] };
  });
}
