// `egwsim generate`: its help, and what it says when it is done. The generator is imported when the command really runs.
import { Option, type Command } from "commander";
import { EXIT_NOTHING } from "./exit-code.ts";
import type { SetExitCode } from "./replay-command.ts";
import type { Terminal } from "./terminal.ts";

const EPILOGUE = `What is made:
  DIR/capture.pcap as taken at the pods, and DIR/cluster with the manifests that
  it fits. The frame's sizes are those of RFC 2544; imix is 64, 594 and 1518
  bytes in the proportion 7:4:1. Remote addresses are of 198.18.0.0/15 and, with
  --ip-family 6 or dual, 2001:2::/48.

Examples:
  egwsim generate --out big --packets 1000000 --frame-size 64 --flows 50000
  egwsim replay big/capture.pcap --cluster big/cluster

Exit codes:
  0  made
  2  could not run: bad usage, a folder in use, a full disk
  3  a fault of egwsim itself`;

/** Adds the command. Its options are listed only when it is called or its help is printed: `egwsim --help` stays quick. */
export async function addGenerateCommand(program: Command, terminal: Terminal, isCalled: boolean, setExitCode: SetExitCode): Promise<void> {
  const command = program
    .command("generate")
    .summary("make a seeded capture of any size and a cluster model that it fits")
    .description("Makes a capture with correct checksums and the cluster model that it fits, of any size, the same bytes for the same options and seed.")
    .usage("--out DIR [options]")
    .addHelpText("after", `\n${EPILOGUE}`);
  if (!isCalled) return;
  const { GENERATE_OPTIONS, readGenerateWords } = await import("./generate-options.ts");
  for (const { flags, help, group } of GENERATE_OPTIONS) command.addOption(new Option(flags, help).helpGroup(group));
  command.action(async () => {
    const words: Record<string, string | true> = {};
    for (const option of command.options) {
      const value: unknown = command.getOptionValue(option.attributeName());
      if (value !== undefined) words[option.name()] = value === true ? true : String(value);
    }
    await generate(readGenerateWords(words), terminal);
    setExitCode(EXIT_NOTHING);
  });
}

async function generate(wishes: import("./generate-options.ts").GenerateWishes, terminal: Terminal): Promise<void> {
  const [{ runGenerate }, { resolve }, { InputError }, { UsageError }] = await Promise.all([
    import("../generate/generate.ts"), import("node:path"), import("../cluster/input-error.ts"), import("./failure.ts"),
  ]);
  const shown = wishes.options.out;
  try {
    const summary = await runGenerate({ ...wishes.options, out: resolve(terminal.cwd, shown) });
    if (wishes.format === "json") terminal.out(`${JSON.stringify(summary)}\n`);
    else if (!wishes.quiet) terminal.out(`${summary.line}\negwsim replay ${shown}/capture.pcap --cluster ${shown}/cluster\n`);
  } catch (error) {
    // The generator names an option where one is to blame.
    if (error instanceof InputError && error.problems.every(({ subject }) => subject.startsWith("--"))) throw new UsageError(error.problems, "generate");
    throw error;
  }
}
