import type { Build } from "./test-bed.ts";

/** One question to the machine: what one operation costs, by build where both have it. */
export interface Question {
  readonly name: string;
  /** Size of the tables and so on: what the figure is a figure of. */
  readonly parameters: string;
  /** Operations that one call of `run` does. */
  readonly operations: number;
  readonly builds: readonly (Build | "main thread")[];
  /** Returns something that depends on every operation. */
  run(build: Build | "main thread"): number;
}

export interface Answer {
  readonly name: string;
  readonly parameters: string;
  readonly build: string;
  /** Nanoseconds per operation. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: number;
}
