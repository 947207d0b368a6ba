import type { ReplayFigures } from "../e2e/replay.ts";
import type { Answer } from "../micro/question.ts";
import type { Machine } from "./machine.ts";

/** What a file under bench/results holds. */
export interface BenchResults {
  readonly format: "egwsim-bench/1";
  /** YYYY-MM-DD, UTC. */
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly captureOptions: Readonly<Record<string, number>>;
  readonly micro: readonly Answer[];
  readonly replay: readonly ReplayFigures[];
}

export function aboutResults({ date, commit, machine, captureOptions, replay }: BenchResults): string {
  const options = Object.entries(captureOptions).map(([name, value]) => `--${name} ${value}`).join(" ");
  return `${machine.cpu}, ${machine.cpus} CPUs, ${machine.memory} GiB, ${machine.system}; Node.js ${machine.node}; commit ${commit}; ${date}. ` +
    `Median (min–max) of ${replay[0]?.rounds ?? 0} interleaved rounds; captures by \`egwsim generate ${options}\`.`;
}
