import { existsSync } from "node:fs";
import { chown, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { InputError } from "../cluster/input-error.ts";
import { loadCluster } from "../cluster/load.ts";
import { compileTables } from "../control/compile.ts";
import type { KernelBuild } from "../engine/replay-options.ts";
import type { UserIds } from "../live/live-options.ts";
import { runLive } from "../live/run-live.ts";
import { userToBe } from "../live/user.ts";
import type { Report } from "../observe/report-shape.ts";
import type { ExitCode } from "./exit-code.ts";
import { failureOf, failureText, UsageError } from "./failure.ts";
import type { Interrupt } from "./interrupt.ts";
import { LiveLine } from "./live-line.ts";
import { DEFAULT_STATE_ENTRIES, OUTPUT_KINDS } from "./option-list.ts";
import { makeOutFolder, outFolderProblems } from "./out-folder.ts";
import { packageVersion } from "./package-version.ts";
import { type CompiledCluster, reportRun } from "./run-report.ts";
import type { TapSettings } from "./tap-settings.ts";
import type { Terminal } from "./terminal.ts";

const wasmFile = new URL("../kernel/kernel.wasm", import.meta.url);

/** Runs live until it is stopped, then reports. Throws InputError where nothing could be run. */
export async function runTapCommand(settings: TapSettings, terminal: Terminal, interrupt: Interrupt): Promise<ExitCode> {
  const kernel = kernelBuild(settings.kernel), user = userToBe(settings.user ?? null, process.getuid?.(), terminal.env);
  const problems = settings.outDir === null ? [] : await outFolderProblems(settings.outDir, terminal.cwd, settings.force === true, []);
  if (problems.length > 0) throw new UsageError(problems, "tap");
  const compile = async (): Promise<CompiledCluster> => compileTables(await loadCluster(settings.cluster), { semantics: settings.semantics });
  let cluster = await compile(), candidate = cluster;
  const folder = settings.outDir === null ? null : await outFolder(settings.outDir, terminal.cwd, user);
  const line = settings.quiet ? null : new LiveLine(terminal, settings.format === "text");
  const end = await runLive({
    ...settings, tables: cluster.tables, outDir: folder, kernel, assumeOpener: "pod", emission: settings.emit, user: user ?? { name: "", uid: 0, gid: 0 },
    duration: settings.duration ?? null, watched: settings.watch === true ? settings.cluster : [],
  }, {
    onReady: (nodes, devices) => line?.ready(nodes, devices, user?.name ?? null),
    onStatistics: (statistics) => line?.update(statistics),
    recompile: async () => {
      candidate = await compile();
      return candidate.tables;
    },
    onReload: (epoch, failure) => {
      if (failure === null) {
        cluster = candidate;
        line?.reloaded(epoch);
      } else terminal.err(`manifests not taken over, those in force stay:\n${failureText(failureOf(failure), false)}`);
    },
    shouldStop: () => interrupt.isAsked(),
  }, user !== null);
  line?.end();
  return await reportRun(end, {
    options: reportedOptions(settings), settings, cluster: { ...cluster, tables: end.tables }, folder, kernel, workers: end.workers ?? 1, version: packageVersion(), nodeVersion: process.version,
    state: { entries: DEFAULT_STATE_ENTRIES, cluster: [...settings.cluster] },
  }, terminal);
}

function kernelBuild(wanted: KernelBuild | undefined): KernelBuild {
  const built = existsSync(wasmFile);
  if (wanted === "wasm" && !built)
    throw new InputError([{ at: null, subject: "--kernel wasm", message: "the WebAssembly kernel was not built here", cure: "run `npm run build`, or take --kernel ts" }]);
  return wanted ?? (built ? "wasm" : "ts");
}

/** A folder that this run makes belongs to whom the files will be written by; one that was there stays whose it is. */
async function outFolder(dir: string, cwd: string, user: UserIds | null): Promise<string> {
  const isNew = !existsSync(resolve(cwd, dir)), folder = await makeOutFolder(dir, cwd);
  if (user === null) return folder;
  if (isNew) await chown(folder, user.uid, user.gid);
  const { uid, gid, mode } = await stat(folder);
  const mayWrite = user.uid === 0 || (mode & (uid === user.uid ? 0o200 : gid === user.gid ? 0o020 : 0o002)) !== 0;
  if (mayWrite) return folder;
  throw new InputError([{
    at: null, subject: `--out ${dir}`, message: `the folder cannot be written by ${user.name}, who goes on when the devices are open`,
    cure: `name one that is not there yet, \`chown ${user.name}\` it, or run as its owner: --user NAME`,
  }]);
}

function reportedOptions(settings: TapSettings): Report["options"] {
  return {
    captures: [], cluster: [...settings.cluster], captureInterface: null, assumeOpener: "pod", seed: settings.seed,
    write: OUTPUT_KINDS.filter((kind) => settings.outDir !== null && settings.write.has(kind)), tracePackets: settings.tracePackets, maxFlows: settings.maxFlows,
    stateEntries: DEFAULT_STATE_ENTRIES,
  };
}
