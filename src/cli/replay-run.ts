import { InputError, type InputProblem } from "../cluster/input-error.ts";
import type { Assumption, Finding, IgnoredKind } from "../cluster/finding.ts";
import type { DatapathTables } from "../control/tables.ts";
import { TRACE_ALL_PACKETS, type CaptureInput, type KernelBuild, type ReplayEnd, type ReplayHooks, type ReplayOptions, type Semantics } from "../engine/replay-options.ts";
import { FlowCounter } from "../observe/flow-totals.ts";
import { writeFlowLines } from "../observe/flows-jsonl.ts";
import { writeState } from "../observe/state-jsonl.ts";
import { githubAnnotations } from "../observe/github-annotations.ts";
import { makePaint } from "../observe/paint.ts";
import type { Report } from "../observe/report-shape.ts";
import { buildReport, reportJson } from "../observe/report.ts";
import { renderScreen } from "../observe/screen.ts";
import { tableNames } from "../observe/table-names.ts";
import { tableDigest } from "../inspect/table-digest.ts";
import { assignCapturePoints } from "./capture-point.ts";
import { exitCodeOf, EXIT_OUR_FAULT, type ExitCode } from "./exit-code.ts";
import { failureJson, failureOf, failureText } from "./failure.ts";
import type { Interrupt } from "./interrupt.ts";
import { OUTPUT_KINDS } from "./option-list.ts";
import { makeOutFolder, outFolderProblems, removeStaleOutputs, replaceFile } from "./out-folder.ts";
import { ProgressLine } from "./progress-line.ts";
import type { ReplaySettings } from "./replay-settings.ts";
import { wantsColour, type Terminal } from "./terminal.ts";

/** What loading a cluster and compiling it gives. */
export interface CompiledCluster {
  readonly tables: DatapathTables;
  readonly findings: readonly Finding[];
  readonly assumptions: readonly Assumption[];
  readonly ignored: readonly IgnoredKind[];
  readonly fileCount: number;
}

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

  const names = tableNames(cluster.tables);
  const counter = new FlowCounter(names);
  const count = counter.add.bind(counter);
  const files = [...end.files];
  if (folder !== null && settings.write.has("flows")) {
    await replaceFile(folder, "flows.jsonl", (write) => writeFlowLines(end.flows, names, count, write));
    files.push("flows.jsonl");
  } else {
    await writeFlowLines(end.flows, names, count, null);
  }
  if (folder !== null && settings.write.has("state")) {
    const run = { version: machinery.version, semantics: settings.semantics, cluster: [...settings.cluster], tables: tableDigest(cluster.tables) };
    const nodes = cluster.tables.nodes.map(({ name }) => name);
    await replaceFile(folder, "state.jsonl", (write) => writeState(run, end.maps(settings.stateEntries), nodes, write));
    files.push("state.jsonl");
  }
  if (folder !== null) files.push("report.json");

  const report = buildReport({
    version: machinery.version, semantics: settings.semantics, options: reportedOptions(settings, captures), tables: cluster.tables,
    clusterFileCount: cluster.fileCount, result: end.result, flowTotals: counter.totals(), findings: cluster.findings,
    assumptions: cluster.assumptions, ignoredKinds: cluster.ignored, files, kernel, workers: end.workers ?? settings.workers,
    nodeVersion: machinery.nodeVersion,
  });
  if (folder !== null) {
    await replaceFile(folder, "report.json", (write) => write(reportJson(report)));
    await removeStaleOutputs(folder, files);
  }
  show(report, settings, terminal);
  return exitCodeOf(report);
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
  const line = isShown ? new ProgressLine(terminal.err, terminal.columns, () => performance.now()) : null;
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

/** The report on standard output, then on standard error what ended the run before its input did. */
function show(report: Report, settings: ReplaySettings, terminal: Terminal): void {
  if (settings.format === "json") terminal.out(reportJson(report));
  else if (!settings.quiet) {
    terminal.out(renderScreen(report, settings.outDir, makePaint(wantsColour(terminal, settings.noColor))));
    if (terminal.env["GITHUB_ACTIONS"] === "true") terminal.out(githubAnnotations(report));
  }
  const fail = (error: unknown): void => {
    const debug = terminal.env["EGWSIM_DEBUG"] === "1";
    terminal.err(settings.format === "json" ? failureJson(failureOf(error), debug) : failureText(failureOf(error), debug));
  };
  if (exitCodeOf(report) === EXIT_OUR_FAULT) {
    fail(new Error(`counters do not add up: ${report.conservation.broken.join("; ")}`));
    return;
  }
  const faults = report.captures.flatMap(({ name, fault }) => (fault === null ? [] : [{ name, fault }]));
  if (faults.length > 0) {
    fail(new InputError(faults.map(({ name, fault }) => ({
      at: null, subject: name, message: fault, cure: "everything before the fault was processed and is in the report",
    }))));
  }
}
