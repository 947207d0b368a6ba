// What memory grows with, as the layout has it and as whole replays show it; that sizes of maps hold, and that the length of a
// capture costs none.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replayed } from "../e2e/replayed.ts";
import { Arena, sharedMemory } from "../../src/engine/image/arena.ts";
import { clusterImageBytes, writeCluster } from "../../src/engine/image/cluster-image.ts";
import { runGenerate } from "../../src/generate/generate.ts";
import { C_STRIDE, X_STRIDE } from "../../src/kernel/layout.ts";
import { F_STRIDE } from "../../src/kernel/layout-flow.ts";
import { W_SIZE } from "../../src/kernel/layout-way.ts";
import { STANDARD, type Traffic } from "../kernel/paths.ts";
import { tablesOf } from "../kernel/prepared-run.ts";
import { inFolder } from "../lib/clean-up.ts";
import { folderFor } from "../lib/room.ts";

export interface MemoryPoint {
  readonly of: string;
  readonly x: number;
  readonly captureBytes: number;
  /** Largest resident set of the process. */
  readonly peakBytes: number;
  /** What each of `of` takes by the records' sizes, indexes not counted; of policy entries by the tables written. */
  readonly layoutBytes: number | null;
  /** What each took beyond the point before it. */
  readonly measuredBytes: number | null;
  /** Entries that gave way to others. */
  readonly evicted: number;
}

export interface MemoryResult {
  readonly points: readonly MemoryPoint[];
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
}

interface Series {
  readonly of: string;
  readonly values: readonly number[];
  readonly traffic: (x: number) => Traffic;
  /** Options of the cluster's cilium-config that are given this value. */
  readonly sized?: readonly string[];
  readonly layoutBytes?: (cluster: string, x: number) => number | Promise<number>;
}

const BASE = { ...STANDARD, frameSize: "64", prefixes: 16, protocolMix: { tcp: 80, udp: 20, icmp: 0 } } as const;
/** On the pod's node and on the gateway a conntrack entry each, a mapping of two halves, a flow record, a way for each direction. */
const FLOW_BYTES = 2 * C_STRIDE + 2 * X_STRIDE + F_STRIDE + 2 * W_SIZE;
const RECORD_BYTES = { "64": 76, imix: 370 } as const;

const SERIES: readonly Series[] = [
  {
    of: "flows", values: [1000, 65_536, 262_144, 1_048_576], layoutBytes: () => FLOW_BYTES,
    traffic: (x) => ({ ...BASE, flows: x, packets: Math.max(10_000, 2 * x), remotes: 131_072 }),
  },
  {
    of: "policy entries", values: [1000, 100_000, 1_000_000], layoutBytes: imageBytes,
    traffic: (x) => ({ ...BASE, flows: 1000, packets: 10_000, prefixes: x, policies: 8, pods: 9, remotes: 131_072 }),
  },
  { of: "packets, IMIX", values: [250_000, 1_000_000, 4_000_000], traffic: (x) => ({ ...BASE, flows: 20_000, packets: x, frameSize: "imix" }) },
  {
    of: "entries a map may hold, 262,144 flows", values: [4096, 65_536], traffic: () => ({ ...BASE, flows: 262_144, packets: 524_288, remotes: 131_072 }),
    sized: ["bpf-ct-global-tcp-max", "bpf-ct-global-any-max", "bpf-nat-global-max"],
  },
];

/** `largest`: points beyond it are left out, to try the rest with. */
export async function runMemory(largest: number, say: (text: string) => void): Promise<MemoryResult> {
  const points: MemoryPoint[] = [], skipped: { what: string; why: string }[] = [];
  for (const { of, values, traffic, sized = [], layoutBytes } of SERIES) {
    const own: MemoryPoint[] = [];
    for (const x of values.filter((value) => value <= largest)) {
      const options = traffic(x), room = folderFor((options.packets ?? 0) * RECORD_BYTES[options.frameSize === "imix" ? "imix" : "64"]);
      say(`memory by ${of}: ${x.toLocaleString("en-US")}`);
      if ("why" in room) {
        skipped.push({ what: `memory by ${of}: ${x.toLocaleString("en-US")}`, why: room.why });
        continue;
      }
      await inFolder(room.folder, "egwsim-memory-", async (folder) => {
        const input = await runGenerate({ ...options, out: join(folder, "in") });
        setOptions(join(input.cluster, "cilium-config.yaml"), sized, x);
        const { peakBytes, evicted } = replayed(input, join(folder, "out"), { kernel: "wasm", workers: 1, write: "none" });
        const before = own.at(-1);
        own.push({
          of, x, captureBytes: statSync(input.capture).size, peakBytes, evicted,
          layoutBytes: layoutBytes === undefined ? null : await layoutBytes(input.cluster, x),
          measuredBytes: before === undefined ? null : (peakBytes - before.peakBytes) / (x - before.x),
        });
      });
    }
    points.push(...own);
  }
  return { points, skipped };
}

/** Of all of the cluster's tables, by the policy entry. */
async function imageBytes(cluster: string): Promise<number> {
  const tables = await tablesOf(cluster), arena = new Arena(sharedMemory(clusterImageBytes(tables))), before = arena.used;
  writeCluster(arena, tables, false, 1);
  return (arena.used - before) / tables.policyEntries.length;
}

/** In place of what the generator chose; the options are the file's last part. */
function setOptions(config: string, options: readonly string[], value: number): void {
  const others = readFileSync(config, "utf8").trimEnd().split("\n").filter((line) => !options.some((option) => line.trim().startsWith(`${option}:`)));
  writeFileSync(config, `${[...others, ...options.map((option) => `  ${option}: "${value}"`)].join("\n")}\n`);
}
