#!/usr/bin/env node
import { EXIT_OUR_FAULT } from "./exit-code.ts";
import { processTerminal } from "./terminal.ts";

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
  // What an interrupted read of standard input holds open would keep the process alive.
  process.exit(exitCode);
}

process.on("uncaughtException", die);
process.on("unhandledRejection", die);
void run();
