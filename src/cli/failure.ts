// What went wrong, as text or JSON, and the exit code that goes with it.
import { formatSourceRef } from "../cluster/source.ts";
import { InputError, type InputProblem } from "../cluster/input-error.ts";
import { SystemFault, systemFault } from "../io/system-fault.ts";
import { printable, printableJson, printableLines } from "../observe/printable.ts";
import { EXIT_COULD_NOT_RUN, EXIT_OUR_FAULT, type ExitCode } from "./exit-code.ts";

/** usage: the command line or the defaults file; input: what they name; system: the machine refused; fault: ours. */
export type FailureKind = "usage" | "input" | "system" | "fault";

export interface Failure {
  readonly kind: FailureKind;
  readonly exitCode: ExitCode;
  readonly problems: readonly InputProblem[];
  readonly stack: string | null;
  /** Where kind is "usage": the command whose --help tells more. */
  readonly command?: string;
}

/** A fault in how the command was called, known before any input was looked at. */
export class UsageError extends InputError {
  /** The command whose --help tells more. */
  readonly command: string;

  constructor(problems: readonly InputProblem[], command = "replay") {
    super(problems);
    this.command = command;
  }
}

/** What node:fs throws; node's own ERR_… errors have no syscall and are faults of ours. */
const isSystemError = (error: unknown): error is NodeJS.ErrnoException & { code: string; syscall: string } =>
  error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error && typeof error.syscall === "string";

/** Sorts anything that was thrown. */
export function failureOf(thrown: unknown): Failure {
  const error = isSystemError(thrown) ? systemFault(thrown.path ?? thrown.syscall, thrown.syscall, thrown) : thrown;
  if (error instanceof InputError) {
    const kind = error instanceof UsageError ? "usage" : error instanceof SystemFault ? "system" : "input";
    const failure: Failure = { kind, exitCode: EXIT_COULD_NOT_RUN, problems: error.problems, stack: error.stack ?? null };
    return error instanceof UsageError ? { ...failure, command: error.command } : failure;
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind: "fault", exitCode: EXIT_OUR_FAULT, stack: error instanceof Error ? (error.stack ?? null) : null,
    problems: [{
      at: null, subject: "egwsim", message,
      cure: "this is a fault of egwsim, not of your input: please report it with the command line and, if you may, the input",
    }],
  };
}

const HEADINGS: Readonly<Record<FailureKind, string>> = {
  usage: "cannot run this", input: "cannot use the input", system: "the system refused", fault: "internal fault",
};

const NEXT_STEPS: Readonly<Record<FailureKind, string>> = {
  usage: "`egwsim COMMAND --help` lists the options and what they take.", input: "", system: "EGWSIM_DEBUG=1 shows where it happened.",
  fault: "EGWSIM_DEBUG=1 shows where it happened.",
};

const placeOf = (problem: InputProblem): string => (problem.at === null ? problem.subject : formatSourceRef(problem.at));

/** Four parts: what, the details, how to solve it, where to look next. */
export function failureText(failure: Failure, debug: boolean): string {
  const { kind, problems } = failure;
  const lines = [`egwsim: ${HEADINGS[kind]}${problems.length > 1 ? ` (${problems.length} problems)` : ""}`];
  for (const problem of problems) {
    lines.push(`  ${printable(placeOf(problem))}: ${printable(problem.message)}`);
    if (problem.cure !== "") lines.push(`    ${printable(problem.cure)}`);
  }
  if (debug && failure.stack !== null) lines.push(printableLines(failure.stack));
  else if (NEXT_STEPS[kind] !== "") lines.push(NEXT_STEPS[kind].replace("COMMAND", failure.command ?? "COMMAND"));
  return `${lines.join("\n")}\n`;
}

/** One JSON object on one line, for --format json. */
export function failureJson(failure: Failure, debug: boolean): string {
  const problems = failure.problems.map((problem) => ({ place: placeOf(problem), at: problem.at, message: problem.message, cure: problem.cure }));
  const error = { kind: failure.kind, exitCode: failure.exitCode, problems, ...(debug ? { stack: failure.stack } : {}) };
  return `${printableJson(JSON.stringify({ error }))}\n`;
}
