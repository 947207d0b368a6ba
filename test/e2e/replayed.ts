// Runs whole replays for the tests: as the command does, with its files, or for the numbers alone.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { replayMachinery } from "../../src/cli/replay-machinery.ts";
import { runReplayCommand } from "../../src/cli/replay-run.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import type { CaptureInput, ReplayOptions } from "../../src/engine/replay-options.ts";
import { runReplay } from "../../src/engine/run-replay.ts";
import { reportSchema, type Report } from "../../src/observe/report-shape.ts";
import type { FlowRecord, RunResult } from "../../src/observe/run-result.ts";
import { fakeTerminal, NOT_INTERRUPTED, settingsOf } from "../cli/fake-replay.ts";

export const FIXTURES = fileURLToPath(new URL("../../fixtures", import.meta.url));
export const CLUSTER = join(FIXTURES, "cluster");
/** Four nodes and five pods with addresses of both families. */
export const DUAL_STACK = join(FIXTURES, "cluster-dual");
/** The worker threads run from the built output; `npm test` builds first. */
export const UNBUILT = existsSync(new URL("../../dist/kernel/kernel.wasm", import.meta.url)) ? "" : "not built: npm run build";

export const edge = (name: string): string => join(FIXTURES, "edge", name);

/** A folder that goes when the tests of a file are through. */
export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), "egwsim-test-"));
  #count = 0;

  file(name: string, contents: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, contents);
    return path;
  }

  /** A new folder. */
  place(): string {
    const path = join(this.folder, `place-${++this.#count}`);
    mkdirSync(path);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Written {
  readonly code: number;
  /** Standard output and standard error. */
  readonly out: string;
  readonly err: string;
  readonly report: Report;
  readonly folder: string;
  file(name: string): Buffer;
}

/** Options by their names on the command line. */
export type Words = Readonly<Record<string, string | true | readonly string[]>>;

/** The replay command with the kernel of the built output; the report is checked against its schema. */
export async function replayInto(folder: string, captures: readonly string[], cluster: string, words: Words = {}): Promise<Written> {
  const terminal = fakeTerminal(process.cwd());
  const settings = settingsOf(captures, { cluster: [cluster], out: folder, force: true, ...words });
  const code = await runReplayCommand(settings, { ...replayMachinery(), kernelIsBuilt: () => UNBUILT === "" }, terminal, NOT_INTERRUPTED);
  const report = reportSchema.parse(JSON.parse(readFileSync(join(folder, "report.json"), "utf8")));
  return { code, ...terminal.said, report, folder, file: (name) => readFileSync(join(folder, name)) };
}

export async function tablesOf(...cluster: readonly string[]): Promise<DatapathTables> {
  return compileTables(await loadCluster(cluster), { semantics: "cilium-1.19" }).tables;
}

export interface Outcome {
  readonly result: RunResult;
  readonly flows: readonly FlowRecord[];
  readonly workers: number | undefined;
}

/** The engine alone, nothing written. */
export async function replay(tables: DatapathTables, captures: readonly (string | CaptureInput)[], changes: Partial<ReplayOptions> = {}): Promise<Outcome> {
  const options: ReplayOptions = {
    captures: captures.map((capture) => (typeof capture === "string" ? { path: capture, point: "pod" } : capture)), tables, outDir: null, write: new Set(),
    workers: 1, exactWorkers: true, kernel: "wasm", captureInterface: null, assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0,
    maxFlows: 1_000_000, ...changes,
  };
  const end = await runReplay(options, { onProgress: () => undefined, shouldStop: () => false });
  const flows: FlowRecord[] = [];
  for await (const flow of end.flows) flows.push(flow);
  return { result: end.result, flows, workers: end.workers };
}

/** Everything of a result that must not depend on how it was computed. */
export function withoutTiming(result: RunResult): Omit<RunResult, "timing"> {
  const { timing: _timing, ...rest } = result;
  return rest;
}
