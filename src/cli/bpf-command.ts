// `egwsim bpf …`: a node's maps, in the shapes of `cilium-dbg bpf …`. What lists them is imported when a command really runs.
import type { Command } from "commander";
import { EXIT_NOTHING } from "./exit-code.ts";
import { type InspectOptions, withInspectOptions } from "./inspect-options.ts";
import type { SetExitCode } from "./replay-command.ts";
import type { Terminal } from "./terminal.ts";

export function addBpfCommand(program: Command, terminal: Terminal, setExitCode: SetExitCode): void {
  const bpf = program.command("bpf").summary("list a node's maps: egress, ipcache, ct, nat, policy")
    .description("Lists a node's maps as cilium-dbg bpf does.");
  const done = <Rest extends unknown[]>(run: (...rest: Rest) => Promise<void>) => async (...rest: Rest): Promise<void> => {
    await run(...rest);
    setExitCode(EXIT_NOTHING);
  };

  withInspectOptions(bpf.command("egress").description("the egress policy maps").command("list").alias("ls"), ["wide", "json"])
    .description("Lists the egress policy entries of each node. The egress IP is in its gateway's map only; -o wide adds pod, policy, file and line.")
    .action(done(async (options: InspectOptions) => (await import("./bpf-run.ts")).listEgress(options, terminal)));

  withInspectOptions(bpf.command("ipcache").description("addresses and their identities").command("list").alias("ls"))
    .description("Lists prefixes and addresses with identity and tunnel endpoint, as each node has them.")
    .action(done(async (options: InspectOptions) => (await import("./bpf-run.ts")).listIpcache(options, terminal)));

  withInspectOptions(bpf.command("ct").description("connection tracking").command("list").alias("ls"))
    .argument("[global]", "as with cilium-dbg; nodes have no other connection tracking maps")
    .option("-d, --time-diff", "show how long each entry has left")
    .description("Lists the connection tracking entries that a replay left.")
    .action(done(async (_which: string | undefined, options: InspectOptions & { timeDiff?: boolean }) =>
      (await import("./bpf-run.ts")).listConntrack(options, terminal)));

  withInspectOptions(bpf.command("nat").description("SNAT mappings").command("list").alias("ls"))
    .description("Lists the SNAT mappings that a replay left, both halves of each.")
    .action(done(async (options: InspectOptions) => (await import("./bpf-run.ts")).listNat(options, terminal)));

  withInspectOptions(bpf.command("policy").description("network policy maps of endpoints").command("get"))
    .argument("[endpoint]", "number of an endpoint of the node, or NAMESPACE/POD")
    .option("--all", "the maps of every endpoint")
    .option("-n, --numeric", "identities as numbers")
    .description("Shows the network policy map of an endpoint.")
    .action(done(async (endpoint: string | undefined, options: InspectOptions & { all?: boolean; numeric?: boolean }) =>
      (await import("./bpf-policy-run.ts")).getPolicyMaps(endpoint, options, terminal)));
}
