// How the kernel's cost grows: one thing is varied, the rest stays as it is in the standard paths. WebAssembly build.
import type { GenerateOptions } from "../../src/generate/options.ts";
import type { Spread } from "../lib/median.ts";
import { runPaths, STANDARD } from "../kernel/paths.ts";

export interface CurvePoint {
  readonly curve: string;
  /** What the kernel did: a path of the standard ones, walked through every hook where it says so. */
  readonly path: string;
  readonly x: number;
  readonly nanoseconds: Spread;
}

type Traffic = Omit<GenerateOptions, "out">;

const BASE: Traffic = { ...STANDARD, flows: 16_384, packets: 120_000, prefixes: 1000, remotes: 4096 };
/** Enough packets that every flow shows up several times. */
const flowsOf = (flows: number): Traffic => ({ ...BASE, flows, packets: Math.max(120_000, flows * 4), remotes: Math.min(131_072, Math.max(1024, flows >> 2)) });

const CURVES: readonly (readonly [name: string, values: readonly number[], traffic: (x: number) => Traffic, walked: boolean])[] = [
  ["flows, uniform", [1, 1000, 16_384, 65_536, 262_144, 1_048_576], flowsOf, false],
  ["flows, Zipf", [1000, 65_536, 1_048_576], (x) => ({ ...flowsOf(x), distribution: "zipf" }), false],
  ["policy prefixes", [10, 1000, 10_000, 100_000, 400_000], (x) => ({ ...BASE, prefixes: x, remotes: 131_072 }), true],
  ["nodes", [4, 10, 100, 1000], (x) => ({ ...BASE, nodes: x, pods: Math.max(200, x) }), true],
  ["pods", [1, 200, 5000, 50_000], (x) => ({ ...BASE, pods: x, nodes: 50 }), true],
  ["remote endpoints", [1, 64, 4096, 131_072], (x) => ({ ...BASE, remotes: x }), true],
];

export async function runCurves(rounds: number, say: (text: string) => void): Promise<CurvePoint[]> {
  const points: CurvePoint[] = [];
  for (const [curve, values, traffic, alsoWalked] of CURVES) {
    for (const x of values) {
      for (const walked of alsoWalked ? [false, true] : [false]) {
        say(`growth with ${curve}: ${x.toLocaleString("en-US")}${walked ? ", walked" : ""}`);
        const { figures } = await runPaths(traffic(x), ["wasm"], rounds, walked);
        for (const { path, nanoseconds } of figures) points.push({ curve, path: walked ? `${path}, walked` : path, x, nanoseconds });
      }
    }
  }
  return points;
}
