// What a file under bench/results/start holds, and how it is shown.
import type { Machine } from "../lib/machine.ts";
import type { Spread } from "../lib/median.ts";
import { table } from "../lib/tables.ts";

export interface StartFigures {
  readonly what: string;
  /** From the start of the process to its end. */
  readonly milliseconds: Spread;
}

export interface StartResults {
  readonly format: "egwsim-bench-start/1";
  /** YYYY-MM-DD, UTC. */
  readonly date: string;
  readonly commit: string;
  readonly machine: Machine;
  /** Load average of the machine over the minute before: what else ran. */
  readonly loadBefore: number;
  readonly rounds: number;
  /** The first is Node.js without a program. */
  readonly start: readonly StartFigures[];
}

export function aboutStart({ machine, commit, date, loadBefore, rounds }: StartResults): string {
  return `${machine.cpu}, ${machine.cpus} CPUs; Node.js ${machine.node}; commit ${commit}; ${date}; load average before ${loadBefore.toFixed(1)}. ` +
    `Median (min–max) of ${rounds} interleaved rounds, from the start of the process to its end.`;
}

export function startTable(figures: readonly StartFigures[]): string {
  const whole = (value: number): string => value.toFixed(0), bare = figures[0]?.milliseconds;
  return table(["process", "ms", "least, over Node.js itself"], figures.map(({ what, milliseconds: { median, min, max } }, k) => [
    what, `${whole(median)} (${whole(min)}–${whole(max)})`, k === 0 || bare === undefined ? "" : whole(min - bare.min),
  ]));
}
