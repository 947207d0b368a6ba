// `egwsim endpoint list`, in the shape of `cilium-dbg endpoint list`.
import type { Command } from "commander";
import { EXIT_NOTHING } from "./exit-code.ts";
import { type InspectOptions, withInspectOptions } from "./inspect-options.ts";
import type { SetExitCode } from "./replay-command.ts";
import type { Terminal } from "./terminal.ts";

export function addEndpointCommand(program: Command, terminal: Terminal, setExitCode: SetExitCode): void {
  const endpoint = program.command("endpoint").summary("list the pods of a node as its agent knows them").description("Endpoints of the model.");
  withInspectOptions(endpoint.command("list").alias("ls"))
    .option("--no-headers", "no header lines")
    .description("Lists a node's pods with identity, labels and addresses; the agent's own endpoints (host, health) are not of the model.")
    .action(async (options: InspectOptions & { headers: boolean }) => {
      const [{ EndpointLists }, { openModel, printListings, selectedNodes }] = await Promise.all([import("../inspect/endpoint-list.ts"), import("./inspect-run.ts")]);
      const model = await openModel(options, terminal), lists = new EndpointLists(model.control);
      await printListings(selectedNodes(model).map((node) => lists.listing(node, !options.headers)), model.node !== null, options.output, terminal);
      setExitCode(EXIT_NOTHING);
    });
}
