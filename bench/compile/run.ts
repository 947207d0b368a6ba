// How the time and memory of compiling a cluster grow with its pods and policies, and what each list and explain take on the largest.
// `status` reads, checks and compiles everything and prints a page, so it stands for the compiling itself.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spreadOf, type Spread } from "../lib/median.ts";
import { type ClusterSize, writeLargeCluster } from "./large-cluster.ts";

export interface CompileFigures extends ClusterSize {
  readonly command: string;
  readonly rounds: number;
  /** Entries in the IPv4 egress policy map, and how many found it full. */
  readonly entries: number;
  readonly lost: number;
  /** Lines that the command printed. */
  readonly lines: number;
  /** Of the processor, from the start of the process to its end. */
  readonly cpuSeconds: Spread;
  readonly seconds: Spread;
  /** Largest resident set of any round. */
  readonly peakBytes: number;
}

interface Measured {
  /** The IPv4 egress policy map; only `status` tells. */
  readonly map: StatusMap | null;
  readonly lines: number;
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly peakBytes: number;
}

interface StatusMap {
  readonly entries: number;
  readonly lost: number;
}

const LARGEST: ClusterSize = { nodes: 1_000, pods: 50_000, policies: 1_000, prefixes: 4, mapMax: 262_144 };
const SIZES: readonly ClusterSize[] = [
  { ...LARGEST, nodes: 20, pods: 1_000, policies: 20 }, { ...LARGEST, nodes: 200, pods: 10_000, policies: 200 }, { ...LARGEST, pods: 25_000 },
  { ...LARGEST, policies: 100 }, LARGEST, { ...LARGEST, mapMax: null },
];

interface MeasuredCommand {
  readonly name: string;
  readonly words: readonly string[];
}

const STATUS: MeasuredCommand = { name: "status", words: ["status", "-o", "json"] };
const LISTS: readonly MeasuredCommand[] = [
  ...["bpf egress list", "bpf ipcache list", "endpoint list"].map((name) => ({ name, words: [...name.split(" "), "--node", "node-1"] })),
  { name: "get cegp", words: ["get", "cegp", "-o", "wide"] },
  { name: "explain", words: ["explain", "--from", "team-7/web-7", "--to", "203.0.113.10:443"] },
];

const child = fileURLToPath(new URL("./measured-compile.js", import.meta.url));
const program = new URL("../../../dist/cli/program.js", import.meta.url).href;

export function runCompiles(rounds: number, say: (text: string) => void): CompileFigures[] {
  const folder = mkdtempSync(join(tmpdir(), "egwsim-bench-"));
  try {
    const found: CompileFigures[] = [];
    for (const [index, size] of SIZES.entries()) {
      const cluster = join(folder, String(index));
      writeLargeCluster(cluster, size);
      const isLargest = size === LARGEST;
      for (const command of [STATUS, ...(isLargest ? LISTS : [])]) {
        say(`${size.pods} pods, ${size.policies} policies, ${size.mapMax ?? "default"} entries: ${command.name}`);
        found.push(figures(size, command.name, Array.from({ length: rounds }, () => measure(command, cluster)), found.at(-1)));
      }
      rmSync(cluster, { recursive: true });
    }
    return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function measure({ words }: MeasuredCommand, cluster: string): Measured {
  const args = [child, program, ...words, "--cluster", cluster];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`a measured command ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Measured;
}

/** `before`: what `status` said of the same cluster. */
function figures(size: ClusterSize, command: string, measured: readonly Measured[], before: CompileFigures | undefined): CompileFigures {
  const map = measured[0]?.map ?? before;
  return {
    ...size, command, rounds: measured.length, entries: map?.entries ?? 0, lost: map?.lost ?? 0, lines: measured[0]?.lines ?? 0,
    cpuSeconds: spreadOf(measured.map(({ cpuSeconds }) => cpuSeconds)), seconds: spreadOf(measured.map(({ seconds }) => seconds)),
    peakBytes: Math.max(...measured.map(({ peakBytes }) => peakBytes)),
  };
}
