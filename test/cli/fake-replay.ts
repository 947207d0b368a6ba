// A machinery that replays nothing and hands back a made-up end, and a terminal that keeps what was said.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Interrupt } from "../../src/cli/interrupt.ts";
import type { ReplayMachinery } from "../../src/cli/replay-run.ts";
import { readReplaySettings, type ReplaySettings } from "../../src/cli/replay-settings.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import type { ReplayEnd, ReplayOptions } from "../../src/engine/replay-options.ts";
import type { RunResult } from "../../src/observe/run-result.ts";
import { FLOW, QUIET_RUN, TABLES } from "../observe/sample-run.ts";

export interface Recording {
  out: string;
  err: string;
}

export function fakeTerminal(cwd: string, changes: Partial<Terminal> = {}): Terminal & { readonly said: Recording } {
  const said: Recording = { out: "", err: "" };
  return {
    said, cwd, env: {}, outIsTerminal: false, errIsTerminal: false, columns: 80,
    out: (text) => void (said.out += text), err: (text) => void (said.err += text), ...changes,
  };
}

export const NOT_INTERRUPTED: Interrupt = { isAsked: () => false, release: () => undefined };

/** The maps of a run that left nothing in them. */
export const NO_MAPS: ReplayEnd["maps"] = () => ({ clock: 0, fills: [], records: [] });

export function fakeMachinery(result: RunResult = QUIET_RUN, changes: Partial<ReplayMachinery> = {}): ReplayMachinery & { readonly asked: ReplayOptions[] } {
  const asked: ReplayOptions[] = [];
  return {
    asked,
    expandCaptures: async (paths) => paths,
    prepare: () => undefined,
    compileCluster: async () => ({ tables: TABLES, findings: [], assumptions: [], ignored: [], fileCount: 1 }),
    replay: async (options, hooks) => {
      asked.push(options);
      hooks.onProgress(500, 1000, 5);
      if (options.outDir !== null && options.write.has("pod")) writeFileSync(join(options.outDir, "pod.pcap"), "frames");
      return { result, flows: [FLOW], counted: [FLOW], maps: NO_MAPS, files: options.outDir !== null && options.write.has("pod") ? ["pod.pcap"] : [] };
    },
    kernelIsBuilt: () => true,
    version: "0.1.0",
    nodeVersion: "v20.20.2",
    ...changes,
  };
}

/** Settings as the command line would give them. */
export function settingsOf(captures: readonly string[], options: Readonly<Record<string, string | true | readonly string[]>> = {}): ReplaySettings {
  const raw = Object.entries({ cluster: ["./cluster"], ...options }).map(([name, value]) =>
    [name, { value: typeof value === "string" ? [value] : value, subject: `--${name}`, at: null }] as const);
  return readReplaySettings(captures, new Map(raw), 2);
}
