// What --help and --version load, and no more: everything else is imported when it is needed.
import { Command, CommanderError } from "commander";
import { EXIT_CODE_HELP, EXIT_COULD_NOT_RUN, EXIT_NOTHING, type ExitCode } from "./exit-code.ts";
import { addBpfCommand } from "./bpf-command.ts";
import { addEndpointCommand } from "./endpoint-command.ts";
import { addExplainCommand } from "./explain-command.ts";
import { addGenerateCommand } from "./generate-command.ts";
import { addGetCommand } from "./get-command.ts";
import { addReplayCommand } from "./replay-command.ts";
import { packageVersion } from "./package-version.ts";
import { addStatusCommand } from "./status-command.ts";
import { addTapCommand } from "./tap-command.ts";
import type { Terminal } from "./terminal.ts";

/** Runs one command line (without node and script) to its exit code; everything it says goes to the terminal given. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT_NOTHING;
  const program = new Command("egwsim")
    .description("A userspace stand-in for the eBPF datapath of Cilium's egress gateway.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help; also egwsim COMMAND --help")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", `\n${EXIT_CODE_HELP}`)
    .configureOutput({
      writeOut: terminal.out, writeErr: terminal.err, outputError: () => undefined, getOutHelpWidth: () => terminal.outColumns ?? 80, getErrHelpWidth: () => terminal.columns,
      getOutHasColors: () => false, getErrHasColors: () => false,
    })
    .exitOverride();
  const setExitCode = (code: ExitCode): void => {
    exitCode = code;
  };
  for (const add of [addReplayCommand, addExplainCommand, addTapCommand, addStatusCommand, addBpfCommand, addEndpointCommand, addGetCommand]) add(program, terminal, setExitCode);
  try {
    await addGenerateCommand(program, terminal, args.includes("generate"), setExitCode);
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_NOTHING;
    // Called without a command: commander has written the help to standard error.
    if (error instanceof CommanderError && error.code === "commander.help") return EXIT_COULD_NOT_RUN;
    const { reportFailure } = await import("./failure-report.ts");
    return reportFailure(error, args, terminal);
  }
}
