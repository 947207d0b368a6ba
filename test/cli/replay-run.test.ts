import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InputError } from "../../src/cluster/input-error.ts";
import { runReplayCommand } from "../../src/cli/replay-run.ts";
import { reportSchema } from "../../src/observe/report-shape.ts";
import { MONDAY_RUN, QUIET_RUN } from "../observe/sample-run.ts";
import { fakeMachinery, fakeTerminal, NO_MAPS, NOT_INTERRUPTED, settingsOf } from "./fake-replay.ts";

let cwd = "";
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "egwsim-replay-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const BROKEN = { ...QUIET_RUN, interrupted: true, captures: QUIET_RUN.captures.map((capture) => ({ ...capture, fault: "record at byte 24 is cut short" })) };

test("report.json, flows.jsonl and the screen come out of one run, without leftovers", async () => {
  const terminal = fakeTerminal(cwd);
  expect(await runReplayCommand(settingsOf(["quiet.pcap"], { out: "a/out" }), fakeMachinery(), terminal, NOT_INTERRUPTED)).toBe(0);
  expect(readdirSync(join(cwd, "a/out")).sort()).toEqual(["flows.jsonl", "pod.pcap", "report.json", "state.jsonl"]);
  const report = reportSchema.parse(JSON.parse(readFileSync(join(cwd, "a/out/report.json"), "utf8")));
  expect(report.files).toEqual(["pod.pcap", "flows.jsonl", "state.jsonl", "report.json"]);
  expect(readFileSync(join(cwd, "a/out/flows.jsonl"), "utf8").trim().split("\n")).toHaveLength(report.flows.listed);
  expect(terminal.said.out).toContain(`  ${join("a/out", "report.json")}`);
  expect(terminal.said.err).toBe("");
});

test("without --out nothing is written and the flows are counted all the same", async () => {
  const terminal = fakeTerminal(cwd), machinery = fakeMachinery();
  await runReplayCommand(settingsOf(["quiet.pcap"], { format: "json" }), machinery, terminal, NOT_INTERRUPTED);
  expect(readdirSync(cwd)).toEqual([]);
  const report = reportSchema.parse(JSON.parse(terminal.said.out));
  expect([report.files, report.options.write, report.flows.listed]).toEqual([[], [], 1]);
  expect(machinery.asked[0]).toMatchObject({ outDir: null, kernel: "wasm", workers: 1, captures: [{ path: "quiet.pcap", point: "pod" }] });
});

test("a folder that is not empty is refused before any work, and --force replaces only our own files", async () => {
  mkdirSync(join(cwd, "out"));
  writeFileSync(join(cwd, "out", "notes.txt"), "mine");
  writeFileSync(join(cwd, "out", "overlay.pcap"), "of an earlier run");
  writeFileSync(join(cwd, "out", "report.json"), "old");
  const machinery = fakeMachinery();
  await expect(runReplayCommand(settingsOf(["quiet.pcap"], { out: "out" }), machinery, fakeTerminal(cwd), NOT_INTERRUPTED)).rejects.toThrow("the folder is not empty");
  expect(machinery.asked).toEqual([]);
  expect(readFileSync(join(cwd, "out", "report.json"), "utf8")).toBe("old");
  expect(await runReplayCommand(settingsOf(["quiet.pcap"], { out: "out", force: true }), machinery, fakeTerminal(cwd), NOT_INTERRUPTED)).toBe(0);
  expect(readdirSync(join(cwd, "out")).sort()).toEqual(["flows.jsonl", "notes.txt", "pod.pcap", "report.json", "state.jsonl"]);
  expect(readFileSync(join(cwd, "out", "notes.txt"), "utf8")).toBe("mine");
});

test("a run never overwrites its own input, not even with --force", async () => {
  mkdirSync(join(cwd, "out"));
  writeFileSync(join(cwd, "out", "pod.pcap"), "input");
  const settings = settingsOf([join("out", "pod.pcap")], { out: "out", force: true });
  await expect(runReplayCommand(settings, fakeMachinery(), fakeTerminal(cwd), NOT_INTERRUPTED)).rejects.toThrow("would overwrite its own input pod.pcap");
  expect(readFileSync(join(cwd, "out", "pod.pcap"), "utf8")).toBe("input");
});

test("problems of captures, manifests, folder and kernel are told together", async () => {
  writeFileSync(join(cwd, "file"), "");
  const machinery = fakeMachinery(QUIET_RUN, {
    expandCaptures: async () => { throw new InputError([{ at: null, subject: "no.pcap", message: "there is no such file", cure: "" }]); },
    compileCluster: async () => { throw new InputError([{ at: { file: "a.yaml", line: 2, column: 1 }, subject: "", message: "bad", cure: "" }]); },
    kernelIsBuilt: () => false,
  });
  const run = runReplayCommand(settingsOf(["no.pcap"], { out: "file", kernel: "wasm" }), machinery, fakeTerminal(cwd), NOT_INTERRUPTED);
  const error = await run.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InputError);
  expect(error instanceof InputError ? error.problems.map((problem) => problem.message) : []).toEqual([
    "the WebAssembly kernel was not built here", "there is no such file", "is a file", "bad",
  ]);
});

test("where WebAssembly was not built, TypeScript runs", async () => {
  const machinery = fakeMachinery(QUIET_RUN, { kernelIsBuilt: () => false });
  await runReplayCommand(settingsOf(["quiet.pcap"]), machinery, fakeTerminal(cwd), NOT_INTERRUPTED);
  expect(machinery.asked[0]?.kernel).toBe("ts");
});

test("a broken capture ends with the report so far, then the fault, then exit code 2", async () => {
  const terminal = fakeTerminal(cwd);
  expect(await runReplayCommand(settingsOf(["quiet.pcap"], { out: "out" }), fakeMachinery(BROKEN), terminal, NOT_INTERRUPTED)).toBe(2);
  expect(terminal.said.out).toContain("10 in = 6 + 4 + 0 + 0 + 0");
  expect(terminal.said.err).toContain("quiet.pcap: record at byte 24 is cut short");
  expect(existsSync(join(cwd, "out", "report.json"))).toBe(true);
  const asJson = fakeTerminal(cwd);
  await runReplayCommand(settingsOf(["quiet.pcap"], { format: "json" }), fakeMachinery(BROKEN), asJson, NOT_INTERRUPTED);
  expect(JSON.parse(asJson.said.err).error).toMatchObject({ kind: "input", exitCode: 2 });
  expect(reportSchema.parse(JSON.parse(asJson.said.out)).interrupted).toBe(true);
});

test("counters that do not add up are reported as our fault", async () => {
  const terminal = fakeTerminal(cwd);
  const result = { ...QUIET_RUN, forwarded: { packets: 5, bytes: 600 } };
  expect(await runReplayCommand(settingsOf(["quiet.pcap"]), fakeMachinery(result), terminal, NOT_INTERRUPTED)).toBe(3);
  expect(terminal.said.err).toContain("counters do not add up: received packets and the five outcomes: 10 is not 9");
});

test("a file that is being written when something fails leaves nothing half done", async () => {
  const machinery = fakeMachinery();
  async function* failing(): AsyncGenerator<never> {
    throw new Error("the flows broke off");
  }
  const breaking = { ...machinery, replay: async () => ({ result: QUIET_RUN, flows: failing(), counted: [], maps: NO_MAPS, files: [] }) };
  await expect(runReplayCommand(settingsOf(["quiet.pcap"], { out: "out" }), breaking, fakeTerminal(cwd), NOT_INTERRUPTED)).rejects.toThrow("the flows broke off");
  expect(readdirSync(join(cwd, "out"))).toEqual([]);
});

test("progress goes to a terminal only, and --quiet silences it and the screen", async () => {
  const shown = fakeTerminal(cwd, { errIsTerminal: true });
  await runReplayCommand(settingsOf(["quiet.pcap"]), fakeMachinery(), shown, NOT_INTERRUPTED);
  expect(shown.said.err).toMatch(/^\r\[#{12}\.{12}\]  50 %  5 packets, .*\u001b\[K\r\u001b\[K$/);
  const quiet = fakeTerminal(cwd, { errIsTerminal: true });
  expect(await runReplayCommand(settingsOf(["m.pcap"], { quiet: true }), fakeMachinery(MONDAY_RUN), quiet, NOT_INTERRUPTED)).toBe(1);
  expect(quiet.said).toEqual({ out: "", err: "" });
});

test("colour is for terminals that want it", async () => {
  const out = async (changes: Parameters<typeof fakeTerminal>[1], options = {}): Promise<string> => {
    const terminal = fakeTerminal(cwd, changes);
    await runReplayCommand(settingsOf(["m.pcap"], options), fakeMachinery(MONDAY_RUN), terminal, NOT_INTERRUPTED);
    return terminal.said.out;
  };
  expect(await out({ outIsTerminal: true })).toContain("\u001b[");
  expect(await out({})).not.toContain("\u001b[");
  expect(await out({ outIsTerminal: true, env: { NO_COLOR: "1" } })).not.toContain("\u001b[");
  expect(await out({ outIsTerminal: true, env: { TERM: "dumb" } })).not.toContain("\u001b[");
  expect(await out({ outIsTerminal: true }, { "no-color": true })).not.toContain("\u001b[");
});

test("in GitHub Actions drops become annotations below the screen", async () => {
  const terminal = fakeTerminal(cwd, { env: { GITHUB_ACTIONS: "true" } });
  await runReplayCommand(settingsOf(["m.pcap"]), fakeMachinery(MONDAY_RUN), terminal, NOT_INTERRUPTED);
  expect(terminal.said.out).toContain("\n::warning title=egwsim drop 194::");
});

test("a signal is passed on to the engine", async () => {
  let stopped: boolean | null = null;
  const machinery = fakeMachinery(QUIET_RUN, {
    replay: async (_options, hooks) => {
      stopped = hooks.shouldStop();
      return { result: { ...QUIET_RUN, interrupted: true }, flows: [], counted: [], maps: NO_MAPS, files: [] };
    },
  });
  const terminal = fakeTerminal(cwd);
  expect(await runReplayCommand(settingsOf(["quiet.pcap"]), machinery, terminal, { isAsked: () => true, release: () => undefined })).toBe(1);
  expect(stopped).toBe(true);
  expect(terminal.said.out).toContain("interrupted: this is the report so far");
});
