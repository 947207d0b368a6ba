// The kernel alone on whole paths: what the first packet of a flow costs, and every later one, forth and back, by build. Builds
// take turns pass by pass, so that a slow minute of the machine hits each of them.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { GenerateOptions } from "../../src/generate/options.ts";
import { runGenerate } from "../../src/generate/generate.ts";
import { DEFAULT_MAX_FLOWS } from "../../src/cli/option-list.ts";
import { kernelOn } from "../../src/engine/kernel-instance.ts";
import { inFolder } from "../lib/clean-up.ts";
import { type Spread, spreadOf } from "../lib/median.ts";
import { buildNative, NativeRun } from "./native.ts";
import { type PacketSet, PreparedRun, tablesOf } from "./prepared-run.ts";

export type PathBuild = "wasm" | "ts" | "native";

export interface PathFigures {
  readonly path: string;
  readonly build: PathBuild;
  /** What the traffic was, and whether packets were walked through every hook though their way was known. */
  readonly traffic: Readonly<Record<string, string | number>>;
  readonly nanoseconds: Spread;
  /** Times of the native build in the same rounds. */
  readonly toNative: number | null;
}

export interface PathResult {
  readonly figures: readonly PathFigures[];
  /** Why the native yardstick is missing. */
  readonly nativeReason: string | null;
}

/** What the generator is told, but where to write. */
export type Traffic = Omit<GenerateOptions, "out">;

export interface PathSettings {
  /** Passes over the packets of established flows. */
  readonly rounds: number;
  /** Flows are new once in a memory, so that each of these makes and fills one for every build. Of several the first only warms. */
  readonly newFlowRounds?: number;
  readonly walked?: boolean;
}

/** The bench's standard paths: 64-byte frames of 65,536 flows, 10,000 policy prefixes, at a million packets a second. */
export const STANDARD = {
  packets: 400_000, flows: 65_536, pods: 200, nodes: 10, gateways: 2, policies: 4, prefixes: 10_000, remotes: 16_384, replies: 0.5, seed: 1,
  packetsPerSecond: 1_000_000, distribution: "uniform",
} as const;

const PATHS: readonly (readonly [PacketSet, string])[] = [
  ["new flows", "first packet of a flow"], ["forward", "source and gateway"], ["replies", "reply: gateway and source"],
];
/** Fewer packets than these show what a first call costs, and not what a packet does. */
const FEWEST = 64;
const wasm = new URL("../../../dist/kernel/kernel.wasm", import.meta.url);

interface Runner {
  readonly build: PathBuild;
  readonly run: PreparedRun;
  pass(set: PacketSet): number[] | Promise<number[]>;
}

export function runPaths(traffic: Traffic, builds: readonly PathBuild[], settings: PathSettings): Promise<PathResult> {
  return inFolder(tmpdir(), "egwsim-paths-", (folder) => pathsIn(folder, traffic, builds, settings));
}

async function pathsIn(
  folder: string, traffic: Traffic, builds: readonly PathBuild[], { rounds, newFlowRounds = 1, walked = false }: PathSettings,
): Promise<PathResult> {
  const native = builds.includes("native") ? buildNative() : { reason: "" };
  const yardsticks: NativeRun[] = [];
  try {
    const { capture, cluster } = await runGenerate({ ...traffic, frameSize: "64", protocolMix: { tcp: 80, udp: 20, icmp: 0 }, out: join(folder, "traffic") });
    const tables = await tablesOf(cluster);
    const maxFlows = Math.max(DEFAULT_MAX_FLOWS, 2 * (traffic.flows ?? 0));
    const prepared = (): Promise<PreparedRun> => PreparedRun.of({ capture, tables, write: new Set(["overlay", "external"]), maxFlows, flowWays: !walked });
    const runnersFromNothing = async (): Promise<Runner[]> => {
      const runners: Runner[] = [];
      for (const build of builds) {
        if (build === "native") {
          if (!("program" in native)) continue;
          yardsticks.pop()?.end();
          const run = await prepared(), started = new NativeRun(native.program, run, folder);
          yardsticks.push(started);
          runners.push({ build, run, pass: (set) => started.pass(set) });
        } else {
          const run = await prepared();
          // The TypeScript build has one memory per thread: it is made last and keeps its own.
          const kernel = kernelOn(run.memory.arena.memory, build, pathToFileURL(wasm.pathname));
          if (build === "ts") run.warm(kernel);
          runners.push({ build, run, pass: (set) => run.pass(kernel, set) });
        }
      }
      return runners;
    };
    const samples = new Map<string, number[]>();
    const measure = async (runners: readonly Runner[], set: PacketSet, keep: boolean): Promise<void> => {
      for (const { build, run, pass } of runners) {
        const packets = run.packetsOf(set), each = (await pass(set)).map((nanoseconds, chunk) => nanoseconds / (packets[chunk] ?? 1));
        if (!keep || each.length === 0 || packets.reduce((sum, count) => sum + count, 0) < FEWEST) continue;
        const key = `${set} ${build}`;
        samples.set(key, [...(samples.get(key) ?? []), spreadOf(each).median]);
      }
    };
    let runners = await runnersFromNothing();
    await measure(runners, "new flows", newFlowRounds === 1);
    for (let again = 1; again < newFlowRounds; again++) {
      runners = await runnersFromNothing();
      await measure(runners, "new flows", true);
    }
    for (let k = 0; k < 3; k++) await measure(runners, "established", false);
    for (let round = 0; round < rounds; round++) for (const [set] of PATHS) if (set !== "new flows") await measure(runners, set, true);
    const figures = PATHS.flatMap(([set, path]) => runners.flatMap(({ build }) => {
      const own = samples.get(`${set} ${build}`), beside = samples.get(`${set} native`);
      if (own === undefined) return [];
      const about = Object.fromEntries(Object.entries({ ...traffic, walked: walked ? "yes" : "no" }).filter((entry): entry is [string, string | number] => typeof entry[1] !== "object" && typeof entry[1] !== "boolean" && entry[1] !== undefined));
      return [{ path, build, traffic: about, nanoseconds: spreadOf(own), toNative: beside === undefined || build === "native" ? null : spreadOf(own.map((ns, k) => ns / (beside[k] ?? ns))).median }];
    }));
    return { figures, nativeReason: "reason" in native && native.reason !== "" ? native.reason : null };
  } finally {
    yardsticks.pop()?.end();
  }
}
