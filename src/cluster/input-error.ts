import { formatSourceRef, type SourceRef } from "./source.ts";

/** A fault in what the user gave: exit code 2. `problems` holds every fault found, not only the first. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly problems: readonly InputProblem[];
  constructor(problems: readonly InputProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

export interface InputProblem {
  readonly at: SourceRef | null;
  /** Where `at` is null: the file, option or device it is about. */
  readonly subject: string;
  readonly message: string;
  /** How to mend it; may be empty. */
  readonly cure: string;
}

export function formatProblem(problem: InputProblem): string {
  const place = problem.at === null ? problem.subject : formatSourceRef(problem.at);
  return `${place}: ${problem.message}${problem.cure === "" ? "" : `\n    ${problem.cure}`}`;
}
