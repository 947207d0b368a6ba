import { BUILDS, type Build } from "./test-bed.ts";

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

/** Operations of a call of `run`. */
export const ROUNDS = 4096;

/** A question to both builds of the kernel. */
export function ofBuilds(name: string, parameters: string, run: (build: Build) => number): Question {
  return { name, parameters, operations: ROUNDS, builds: BUILDS, run: (build) => run(build === "ts" ? "ts" : "wasm") };
}
