import type { ReplayFigures } from "../e2e/replay.ts";
import type { PathFigures } from "../kernel/paths.ts";
import type { CurvePoint } from "../growth/curves.ts";
import type { Answer } from "../micro/question.ts";
import type { PeerFigures } from "../peers/peers.ts";
import type { Machine } from "./machine.ts";

/** What a file under bench/results holds. */
export interface BenchResults {
  readonly format: "egwsim-bench/2";
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
  /** What was left out, and why. */
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
}

export function aboutResults({ date, commit, machine, captureOptions, replay, loadBefore, skipped }: BenchResults): string {
  const options = Object.entries(captureOptions).map(([name, value]) => `--${name} ${value}`).join(" ");
  const left = skipped.map(({ what, why }) => ` Skipped: ${what}: ${why}.`).join("");
  return `${machine.cpu}, ${machine.cpus} CPUs, ${machine.memory} GiB, ${machine.system}; Node.js ${machine.node}; commit ${commit}; ${date}${loadBefore === null ? "" : `; load average before ${loadBefore.toFixed(1)}`}. ` +
    `Median (min–max) of ${replay[0]?.rounds ?? 0} interleaved rounds; captures by \`egwsim generate ${options}\`.${left}`;
}
