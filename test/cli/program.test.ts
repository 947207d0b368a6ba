import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { wantsJsonErrors } from "../../src/cli/failure-report.ts";
import { packageVersion } from "../../src/cli/package-version.ts";
import { runCommandLine } from "../../src/cli/program.ts";
import { addReplayCommand, commandLineSettings } from "../../src/cli/replay-command.ts";
import { REPLAY_OPTIONS } from "../../src/cli/option-list.ts";
import { fakeTerminal } from "./fake-replay.ts";

afterEach(() => vi.unstubAllEnvs());

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal(process.cwd());
  const code = await runCommandLine(args, terminal);
  return { code, ...terminal.said };
}

/** What the words of a `replay` call come to, before they are checked. */
function settingsOf(...args: string[]): { captures: string[]; settings: Record<string, unknown> } {
  const program = new Command().exitOverride();
  addReplayCommand(program, fakeTerminal(process.cwd()), () => undefined);
  const command = program.commands[0];
  if (command === undefined) throw new Error("there is no command");
  command.action(() => undefined);
  program.parse(["replay", ...args], { from: "user" });
  return { captures: command.args, settings: Object.fromEntries([...commandLineSettings(command)].map(([name, { value, subject }]) => [name, [subject, value]])) };
}

test("help and version answer on standard output with 0, and the help holds the exit codes", async () => {
  for (const args of [["--help"], ["-h"], ["help"], ["replay", "--help"], ["help", "replay"]]) {
    const { code, out, err } = await run(...args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/Exit codes:\n {2}0 .+\n {2}1 [\s\S]+\n {2}2 [\s\S]+\n {2}3 /);
  }
  expect(await run("--version")).toEqual({ code: 0, out: `${packageVersion()}\n`, err: "" });
});

test("the help of replay names every option", async () => {
  const { out } = await run("replay", "--help");
  for (const { name } of REPLAY_OPTIONS) expect(out).toContain(`--${name}`);
});

test("without a command the help goes to standard error with 2", async () => {
  const { code, out, err } = await run();
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain("Usage: egwsim");
});

test.each([
  [["rplay"], "unknown command 'rplay'", "did you mean replay?"],
  [["replay", "--clustr", "x"], "unknown option '--clustr'", "did you mean --cluster?"],
  [["replay", "a.pcap", "--out"], "option '-o, --out <dir>' argument missing", ""],
])("%j is a usage error with what, how to solve and where to look", async (args, what, cure) => {
  const { code, out, err } = await run(...args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(what);
  expect(err).toContain(cure);
  expect(err).toContain("`egwsim replay --help` lists the options");
});

test("with --format json a usage error is one JSON object", async () => {
  const { code, err } = await run("replay", "--format", "json", "--clustr", "x");
  expect(code).toBe(2);
  expect(JSON.parse(err).error).toMatchObject({ kind: "usage", exitCode: 2, problems: [{ message: "unknown option '--clustr'", cure: "did you mean --cluster?" }] });
  expect(wantsJsonErrors(["replay", "--format=json"])).toBe(true);
  expect(wantsJsonErrors(["replay", "--", "--format=json"])).toBe(false);
});

test("options given are told from defaults, lists are kept whole, and captures may follow a list that takes one word", () => {
  expect(settingsOf("--capture-point", "node=b.pcap", "a.pcap", "b.pcap", "--capture-point", "pod", "-c", "x", "y", "--no-color", "--force")).toEqual({
    captures: ["a.pcap", "b.pcap"],
    settings: {
      cluster: ["--cluster", ["x", "y"]], "capture-point": ["--capture-point", ["node=b.pcap", "pod"]], "no-color": ["--no-color", true], force: ["--force", true],
    },
  });
  expect(settingsOf("-", "--cluster", "x", "--", "b.pcap").captures).toEqual(["-", "b.pcap"]);
});

test("a flag wins over the environment", () => {
  vi.stubEnv("EGWSIM_WORKERS", "3");
  vi.stubEnv("EGWSIM_KERNEL", "ts");
  expect(settingsOf("a.pcap", "--kernel", "wasm").settings).toEqual({ workers: ["EGWSIM_WORKERS", ["3"]], kernel: ["--kernel", ["wasm"]] });
});
