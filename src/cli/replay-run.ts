import { InputError, type InputProblem } from "../cluster/input-error.ts";
import { TRACE_ALL_PACKETS, type CaptureInput, type KernelBuild, type ReplayEnd, type ReplayHooks, type ReplayOptions, type Semantics } from "../engine/replay-options.ts";
import { milliseconds } from "../engine/milliseconds.ts";
import type { Report } from "../observe/report-shape.ts";
import { assignCapturePoints } from "./capture-point.ts";
import type { ExitCode } from "./exit-code.ts";
import type { Interrupt } from "./interrupt.ts";
import { OUTPUT_KINDS } from "./option-list.ts";
import { makeOutFolder, outFolderProblems } from "./out-folder.ts";
import { ProgressLine } from "./progress-line.ts";
import type { ReplaySettings } from "./replay-settings.ts";
import { type CompiledCluster, reportRun } from "./run-report.ts";
import type { Terminal } from "./terminal.ts";

/** The parts that a replay is made of, handed in so that the command line can be tested without them. */
export interface ReplayMachinery {
  /** Files of the captures named; a folder gives the captures in it. Throws InputError. */
  expandCaptures(paths: readonly string[]): Promise<readonly string[]>;
  /** Throws InputError with every problem of the manifests. */
  compileCluster(paths: readonly string[], semantics: Semantics): Promise<CompiledCluster>;
  /** Lets what the replay will need start while the manifests are read. */
  prepare(options: Pick<ReplayOptions, "captures" | "workers" | "exactWorkers">): void;
  replay(options: ReplayOptions, hooks: ReplayHooks): Promise<ReplayEnd>;
  kernelIsBuilt(): boolean;
  readonly version: string;
  readonly nodeVersion: string;
}

/** Runs a replay to its report. Throws InputError where nothing could be run. */
export async function runReplayCommand(
  settings: ReplaySettings, machinery: ReplayMachinery, terminal: Terminal, interrupt: Interrupt,
): Promise<ExitCode> {
  const { captures, cluster, kernel } = await prepare(settings, machinery, terminal.cwd);
  const folder = settings.outDir === null ? null : await makeOutFolder(settings.outDir, terminal.cwd);
  const end = await replayWithProgress({
    captures, tables: cluster.tables, outDir: folder, write: settings.write, workers: settings.workers, exactWorkers: settings.exactWorkers, kernel,
    captureInterface: settings.captureInterface, assumeOpener: settings.assumeOpener, semantics: settings.semantics,
    seed: settings.seed, tracePackets: settings.tracePackets, maxFlows: settings.maxFlows, profileDir: settings.profile ? folder : null,
  }, settings, machinery, terminal, interrupt);

  return await reportRun(end, {
    options: reportedOptions(settings, captures), settings, cluster, folder, kernel, workers: end.workers ?? settings.workers,
    version: machinery.version, nodeVersion: machinery.nodeVersion, state: { entries: settings.stateEntries, cluster: [...settings.cluster] },
  }, terminal);
}

interface Prepared {
  readonly captures: readonly CaptureInput[];
  readonly cluster: CompiledCluster;
  readonly kernel: KernelBuild;
}

/** Everything that can be wrong before the first packet, told in one go. */
async function prepare(settings: ReplaySettings, machinery: ReplayMachinery, cwd: string): Promise<Prepared> {
  const problems: InputProblem[] = [];
  const collecting = async <T>(work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(...error.problems);
      return null;
    }
  };
  const wantsWasm = settings.kernel === "wasm";
  const built = machinery.kernelIsBuilt();
  if (wantsWasm && !built) problems.push({ at: null, subject: "--kernel wasm", message: "the WebAssembly kernel was not built here", cure: "run `npm run build`, or take --kernel ts" });

  const paths = await collecting(() => machinery.expandCaptures(settings.captures));
  const captures = paths === null ? null : assignCapturePoints(paths, settings.points, cwd, problems);
  const { outDir } = settings;
  if (outDir !== null) {
    problems.push(...((await collecting(() => outFolderProblems(outDir, cwd, settings.force, paths ?? []))) ?? []));
  }
  if (problems.length === 0 && captures !== null) machinery.prepare({ captures, workers: settings.workers, exactWorkers: settings.exactWorkers });
  const cluster = await collecting(() => machinery.compileCluster(settings.cluster, settings.semantics));
  if (problems.length > 0 || captures === null || cluster === null) throw new InputError(problems);
  return { captures, cluster, kernel: settings.kernel ?? (built ? "wasm" : "ts") };
}

async function replayWithProgress(
  options: ReplayOptions, settings: ReplaySettings, machinery: ReplayMachinery, terminal: Terminal, interrupt: Interrupt,
): Promise<ReplayEnd> {
  const isShown = terminal.errIsTerminal && !settings.quiet && settings.format === "text";
  const line = isShown ? new ProgressLine(terminal.err, terminal.columns, milliseconds) : null;
  try {
    return await machinery.replay(options, {
      onProgress: (bytesRead, bytesTotal, packets) => line?.update(bytesRead, bytesTotal, packets),
      shouldStop: () => interrupt.isAsked(),
    });
  } finally {
    line?.erase();
  }
}

function reportedOptions(settings: ReplaySettings, captures: readonly CaptureInput[]): Report["options"] {
  return {
    captures: captures.map(({ path, point }) => ({ path, point })),
    cluster: [...settings.cluster],
    captureInterface: settings.captureInterface,
    assumeOpener: settings.assumeOpener,
    seed: settings.seed,
    write: OUTPUT_KINDS.filter((kind) => settings.outDir !== null && settings.write.has(kind)),
    tracePackets: settings.tracePackets === TRACE_ALL_PACKETS ? null : settings.tracePackets,
    maxFlows: settings.maxFlows,
    stateEntries: settings.stateEntries,
  };
}
