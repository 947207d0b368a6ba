// What the commands that list a model's objects and maps take in common.
import { Option, type Command } from "commander";
import type { Semantics } from "../engine/replay-options.ts";

export interface InspectOptions {
  readonly cluster?: readonly string[];
  readonly state?: string;
  readonly node?: string;
  readonly output?: string;
  readonly semantics?: Semantics;
}

export const SOURCE_HELP = `
The model: --cluster names manifests, as for replay. --state names the folder that
\`egwsim replay --out DIR\` wrote: its conntrack and NAT entries, and the manifests
that the replay was given, which must not have changed since.

Exit code 0: listed. 2 and 3 as for replay.`;

/** Adds --cluster, --state, --node and -o; `formats` beside text, which is the default. */
export function withInspectOptions(command: Command, formats: readonly string[] = ["json"]): Command {
  return command
    .option("-c, --cluster <path...>", "manifests: files or folders of YAML or JSON, a sysdump")
    .option("--state <dir>", "the folder that a replay wrote")
    .option("--node <name>", "the node whose agent is asked; without it all of them")
    .addOption(new Option("-o, --output <format>", `${formats.join(", ")}; without it a table`).choices(formats))
    .addOption(new Option("--semantics <which>", "default: cilium-1.19, with --state the replay's").choices(["cilium-1.19", "intent"]))
    .addHelpText("after", SOURCE_HELP);
}
