#!/usr/bin/env node
import { EXIT_OUR_FAULT } from "./exit-code.ts";
import { drained, processTerminal } from "./terminal.ts";

const args = process.argv.slice(2);
const terminal = processTerminal();

/** For what no command could catch: a fault on another thread, or of a stream. */
function die(error: unknown): void {
  import("./failure-report.ts")
    .then(({ reportFailure }) => process.exit(reportFailure(error, args, terminal)))
    .catch(() => process.exit(EXIT_OUR_FAULT));
}

async function run(): Promise<void> {
  const { runCommandLine } = await import("./program.ts");
  const exitCode = await runCommandLine(args, terminal);
  // exit() does not wait for pipes; what an interrupted read of standard input holds open would keep the process alive without it.
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  process.exit(exitCode);
}

process.on("uncaughtException", die);
process.on("unhandledRejection", die);
void run();
