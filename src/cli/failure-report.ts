import type { CommanderError } from "commander";
import type { ExitCode } from "./exit-code.ts";
import { failureJson, failureOf, failureText, UsageError } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** Tells on standard error what was thrown, in the form that the command line asks for, and gives the exit code. */
export function reportFailure(error: unknown, args: readonly string[], terminal: Terminal): ExitCode {
  const failure = failureOf(isCommanderError(error) ? usageErrorOf(error, args[0]) : error);
  const debug = terminal.env["EGWSIM_DEBUG"] === "1";
  terminal.err(wantsJsonErrors(args) ? failureJson(failure, debug) : failureText(failure, debug));
  return failure.exitCode;
}

/** Told by its code, which all of commander's errors have: commander itself is loaded with the options, not here. */
const isCommanderError = (error: unknown): error is CommanderError =>
  error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("commander.");

/** Commands that have options of their own to look up. */
const COMMANDS = ["replay", "explain", "tap", "generate", "status", "get", "bpf", "endpoint"] as const;

/** "error: unknown option '--clster'\n(Did you mean --cluster?)" as a problem with its cure. */
function usageErrorOf(error: CommanderError, command: string | undefined): UsageError {
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const hint = rest.join(" ").replace(/^\(|\)$/g, "");
  return new UsageError([{ at: null, subject: "command line", message: first, cure: hint.charAt(0).toLowerCase() + hint.slice(1) }], COMMANDS.find((known) => known === command) ?? "replay");
}

/** Whether errors are to be JSON, told from the bare words: the command line itself may be what is wrong. */
export function wantsJsonErrors(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const words = end < 0 ? args : args.slice(0, end);
  // -o is --out of the commands that write files, and --output of those that list.
  const writesFiles = words[0] === "replay" || words[0] === "tap" || words[0] === "generate";
  const [long, short] = writesFiles ? ["--format", "--format"] : ["--output", "-o"];
  return words.some((word, index) => word === `${long}=json` || ((word === long || word === short) && words[index + 1] === "json"));
}
