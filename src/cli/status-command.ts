// `egwsim status`: what the model is, in the lines of `cilium-dbg status`, and every finding about its manifests.
import type { Command } from "commander";
import { EXIT_FINDINGS, EXIT_NOTHING } from "./exit-code.ts";
import { type InspectOptions, withInspectOptions } from "./inspect-options.ts";
import type { SetExitCode } from "./replay-command.ts";
import type { Terminal } from "./terminal.ts";

export function addStatusCommand(program: Command, terminal: Terminal, setExitCode: SetExitCode): void {
  withInspectOptions(program.command("status"))
    .summary("what the model is, and everything that was found about its manifests")
    .description("Shows the configuration, the maps' fill and each finding with what Cilium does about it and the cure. " +
      "Exit code 1: findings of severity warning or error.")
    .action(async (options: InspectOptions) => {
      const { showStatus } = await import("./status-run.ts");
      setExitCode((await showStatus(options, terminal)) ? EXIT_FINDINGS : EXIT_NOTHING);
    });
}
