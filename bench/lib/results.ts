import type { CompileFigures } from "../compile/run.ts";
import type { ReplayFigures } from "../e2e/replay.ts";
import type { PathFigures } from "../kernel/paths.ts";
import type { CurvePoint } from "../growth/curves.ts";
import type { MemoryPoint } from "../growth/memory.ts";
import type { Answer } from "../micro/question.ts";
import type { PeerFigures } from "../peers/peers.ts";
import type { Machine } from "./machine.ts";

/** What a file under bench/results holds. */
export interface BenchResults {
  readonly format: "egwsim-bench/3";
  /** YYYY-MM-DD, UTC. */
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  /** Load average of the machine over the minute before: what else ran. */
  readonly loadBefore: number | null;
  readonly captureOptions: Readonly<Record<string, number>>;
  readonly micro: readonly Answer[];
  readonly paths: readonly PathFigures[];
  readonly replay: readonly ReplayFigures[];
  readonly peers: readonly PeerFigures[];
  readonly growth: readonly CurvePoint[];
  readonly memory: readonly MemoryPoint[];
  /** What was left out, and why. */
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
}

/** What a file under bench/results/compile holds. */
export interface CompileResults {
  readonly format: "egwsim-bench-compile/1";
  /** YYYY-MM-DD, UTC. */
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly compile: readonly CompileFigures[];
}

const about = ({ machine: { cpu, cpus, memory, system, node }, commit, date }: Pick<BenchResults, "machine" | "commit" | "date">): string =>
  `${cpu}, ${cpus} CPUs, ${memory} GiB, ${system}; Node.js ${node}; commit ${commit}; ${date}`;

export function aboutCompile(results: CompileResults): string {
  return `${about(results)}. Median (min–max) of ${results.compile[0]?.rounds ?? 0} rounds, each in a process of its own; clusters as JSON.`;
}

export function aboutResults(results: BenchResults): string {
  const { captureOptions, replay, peers, loadBefore, skipped } = results;
  const options = Object.entries(captureOptions).map(([name, value]) => `--${name} ${value}`).join(" ");
  const left = skipped.map(({ what, why }) => ` Skipped: ${what}: ${why}.`).join("");
  const rounds = [["replays", replay[0]?.rounds], ["peers", peers[0]?.rounds]].flatMap(([part, count]) => (count === undefined ? [] : [`${part}: ${count}`])).join(", ");
  return `${about(results)}${loadBefore === null ? "" : `; load average before ${loadBefore.toFixed(1)}`}. ` +
    `Median (min–max) of interleaved rounds${rounds === "" ? "" : ` (${rounds})`}; captures by \`egwsim generate ${options}\`.${left}`;
}
