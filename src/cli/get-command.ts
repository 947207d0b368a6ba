// `egwsim get cegp|nodes|pods`, in the shape of `kubectl get`.
import type { Command } from "commander";
import { EXIT_NOTHING } from "./exit-code.ts";
import { type InspectOptions, withInspectOptions } from "./inspect-options.ts";
import type { SetExitCode } from "./replay-command.ts";
import type { Terminal } from "./terminal.ts";

export interface GetOptions extends InspectOptions {
  readonly namespace?: string;
}

export function addGetCommand(program: Command, terminal: Terminal, setExitCode: SetExitCode): void {
  withInspectOptions(program.command("get"), ["wide", "yaml", "json"])
    .summary("list policies, nodes or pods of the manifests")
    .argument("<kind>", "cegp (CiliumEgressGatewayPolicy), nodes or pods")
    .argument("[name...]", "these only")
    .option("-n, --namespace <name>", "pods of this namespace; without it of all")
    .description("Lists objects of the manifests as kubectl get does; with -o wide also what the model makes of them. " +
      "--node: pods on it, policies whose gateway it is.")
    .action(async (kind: string, names: string[], options: GetOptions) => {
      const { getObjects } = await import("./get-run.ts");
      await getObjects(kind, names, options, terminal);
      setExitCode(EXIT_NOTHING);
    });
}
