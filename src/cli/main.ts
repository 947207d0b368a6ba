#!/usr/bin/env node
import module from "node:module";
import { EXIT_OUR_FAULT } from "./exit-code.ts";
import { runCommandLine } from "./program.ts";
import { drained, processTerminal } from "./terminal.ts";

// Keeps compiled code between runs (module.enableCompileCache, Node 22.1 and later; Node 20 lacks it). Most of a short run is
// loading modules: 235 of 460 ms for a replay of 787 packets.
(module as { readonly enableCompileCache?: () => unknown }).enableCompileCache?.();

const args = process.argv.slice(2);
const terminal = processTerminal();

/** For what no command could catch: a fault on another thread, or of a stream. */
function die(error: unknown): void {
  import("./failure-report.ts")
    .then(({ reportFailure }) => process.exit(reportFailure(error, args, terminal)))
    .catch(() => process.exit(EXIT_OUR_FAULT));
}

process.on("uncaughtException", die);
process.on("unhandledRejection", die);

const exitCode = await runCommandLine(args, terminal);
// exit() does not wait for pipes; what an interrupted read of standard input holds open would keep the process alive without it.
await Promise.all([drained(process.stdout), drained(process.stderr)]);
process.exit(exitCode);
