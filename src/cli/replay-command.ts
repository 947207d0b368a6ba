// `egwsim replay`: its options and help. Everything that takes time to load is imported when the command really runs.
import { Option, type Command } from "commander";
import { EXIT_CODE_HELP, type ExitCode } from "./exit-code.ts";
import { REPLAY_EPILOGUE, REPLAY_OPTIONS, type OptionSpec } from "./option-list.ts";
import type { RawSetting } from "./raw-setting.ts";
import type { Terminal } from "./terminal.ts";

export type SetExitCode = (code: ExitCode) => void;

export function addReplayCommand(program: Command, terminal: Terminal, setExitCode: SetExitCode): void {
  const command = program
    .command("replay")
    .summary("send captures through the simulated datapath and report what became of every packet")
    .description("Sends every frame of the captures through the simulated datapath of each node on its way and reports which traffic leaves through which gateway, with which source address, and what gets dropped.")
    .usage("CAPTURE... --cluster PATH... [options]")
    .argument("[capture...]", "pcap or pcapng files, gzipped or not; folders of them; - for standard input; several are merged by time stamp")
    .addHelpText("after", `\n${REPLAY_EPILOGUE}\n${EXIT_CODE_HELP}`);
  for (const spec of REPLAY_OPTIONS) {
    const option = new Option(spec.flags, spec.help).helpGroup(spec.group);
    if (spec.env !== undefined) option.env(spec.env);
    if (spec.kind === "list" && !option.variadic) option.argParser(appended);
    command.addOption(option);
  }
  command.action(async (captures: string[]) => {
    const given = commandLineSettings(command);
    const config = given.get("config")?.value;
    const [{ loadConfigFile }, { readReplaySettings }, { runReplayCommand }, { replayMachinery }, { listenForInterrupt }, { availableParallelism }] = await Promise.all([
      import("./config-file.ts"), import("./replay-settings.ts"), import("./replay-run.ts"), import("./replay-machinery.ts"),
      import("./interrupt.ts"), import("node:os"),
    ]);
    const file = await loadConfigFile(config === undefined || config === true ? null : (config[0] ?? ""), terminal.cwd);
    const settings = readReplaySettings(captures, new Map([...file, ...given]), availableParallelism());
    const interrupt = listenForInterrupt(terminal.err);
    try {
      setExitCode(await runReplayCommand(settings, replayMachinery(), terminal, interrupt));
    } finally {
      interrupt.release();
    }
  });
}

/** A list option that takes one word and may be repeated: unlike a variadic one it swallows no capture named after it. */
function appended(word: string, before: unknown): string[] {
  return Array.isArray(before) ? [...before.map(String), word] : [word];
}

/** Settings of the command line and of the environment (commander let the former win). */
export function commandLineSettings(command: Command): Map<string, RawSetting> {
  const settings = new Map<string, RawSetting>();
  for (const option of command.options) {
    const spec = REPLAY_OPTIONS.find(({ flags }) => flags === option.flags);
    const source = command.getOptionValueSource(option.attributeName());
    if (spec === undefined || source === undefined || source === "default") continue;
    const value = rawValue(spec, command.getOptionValue(option.attributeName()));
    const subject = source === "env" && spec.env !== undefined ? spec.env : `--${spec.name}`;
    settings.set(spec.name, { value, subject, at: null });
  }
  return settings;
}

function rawValue(spec: OptionSpec, value: unknown): RawSetting["value"] {
  if (spec.kind === "flag") return true;
  return Array.isArray(value) ? value.map(String) : [String(value)];
}
