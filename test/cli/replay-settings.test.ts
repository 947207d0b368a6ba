import { expect, test } from "vitest";
import { InputError } from "../../src/cluster/input-error.ts";
import { readReplaySettings } from "../../src/cli/replay-settings.ts";
import { TRACE_ALL_PACKETS } from "../../src/engine/replay-options.ts";
import { settingsOf } from "./fake-replay.ts";

function problemsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof InputError) return error.problems.map(({ subject, message, cure }) => [subject, message, cure].filter((part) => part !== "").join(" | "));
    throw error;
  }
  return [];
}

test("without options the defaults are those of the help", () => {
  expect(settingsOf(["a.pcap"])).toMatchObject({
    captures: ["a.pcap"], cluster: ["./cluster"], outDir: null, force: false, tracePackets: 10000, maxFlows: 1000000, format: "text", quiet: false,
    noColor: false, workers: 1, kernel: null, seed: 1, assumeOpener: "pod", semantics: "cilium-1.19", captureInterface: null,
    points: { everywhere: "pod", perFile: [] },
  });
  expect([...settingsOf(["a.pcap"]).write]).toEqual(["pod", "overlay", "external", "trace", "flows", "state"]);
});

test("the default number of workers is that of the CPUs, from 1 to 4", () => {
  const workers = (cpus: number): number => readReplaySettings(["a"], new Map([["cluster", { value: ["c"], subject: "--cluster", at: null }]]), cpus).workers;
  expect([0, 1, 3, 64].map(workers)).toEqual([1, 1, 2, 4]);
});

test("values are read as what they mean", () => {
  const settings = settingsOf(["a.pcap"], { out: "out", write: ["pod,trace", "flows"], "trace-packets": "all", workers: "16", seed: "4294967295", "max-flows": "0" });
  expect([...settings.write]).toEqual(["pod", "trace", "flows"]);
  expect(settings).toMatchObject({ tracePackets: TRACE_ALL_PACKETS, workers: 16, seed: 4294967295, maxFlows: 0 });
  expect(settingsOf(["a.pcap"], { write: "none" }).write.size).toBe(0);
});

test("every problem is told at once, each with a cure", () => {
  expect(problemsOf(() => settingsOf([], { cluster: [], workers: "0", kernel: "wams", write: "pod,overlays", seed: "-1", "capture-point": "nod", format: "yaml" }))).toEqual([
    "CAPTURE | no capture is named | name a pcap or pcapng file, a folder of them, or - for standard input",
    "--cluster | no manifests are named | for example --cluster ./cluster; a folder of YAML or JSON, or single files",
    '--write | "overlays" is none of pod, overlay, external, trace, flows, state, none | did you mean overlay?',
    "--write | there is no folder to write into | add --out DIR",
    '--capture-point | "nod" begins with no capture point | give pod, node, pod=FILE or node=FILE',
    '--format | "yaml" is none of text, json',
    '--workers | "0" is not a whole number from 1 to 16 | for example 2',
    '--kernel | "wams" is none of ts, wasm | did you mean wasm?',
    '--seed | "-1" is not a whole number from 0 to 4294967295 | for example 1',
  ]);
});

test.each(["1e3", "0x10", " 1", "1.0", "", "99999999999999999999", "١"])("%j is no number of workers", (text) => {
  expect(problemsOf(() => settingsOf(["a.pcap"], { workers: text })).length).toBeGreaterThan(0);
});

test("captures that --cluster swallowed are noticed", () => {
  const problems = problemsOf(() => settingsOf([], { cluster: ["./cluster", "monday.pcap"] }));
  expect(problems).toEqual([
    "CAPTURE | no capture is named | --cluster took every word after it: put the captures first, or write `--cluster ./cluster -- monday.pcap`",
  ]);
});

test("none cannot stand beside other outputs, and standard input only once among captures", () => {
  expect(problemsOf(() => settingsOf(["-", "-"], { out: "o", write: "none,pod" }))).toEqual([
    "CAPTURE | standard input (-) is named more than once | name it once",
    "--write | none stands beside other words | give none alone",
  ]);
});

test("a list of outputs in the defaults file is no error where nothing is written", () => {
  const raw = new Map([
    ["cluster", { value: ["c"], subject: "cluster", at: null }],
    ["write", { value: ["pod"], subject: "write", at: { file: "egwsim.config.yaml", line: 2, column: 8 } }],
  ]);
  expect(readReplaySettings(["a.pcap"], raw, 2).outDir).toBeNull();
});
