// What is told of a run that has ended, whatever its frames came from: flows.jsonl, report.json, the screen, the exit code.
import { InputError } from "../cluster/input-error.ts";
import type { Assumption, Finding, IgnoredKind } from "../cluster/finding.ts";
import type { DatapathTables } from "../control/tables.ts";
import type { KernelBuild, ReplayEnd, ReplayOptions } from "../engine/replay-options.ts";
import { tableDigest } from "../inspect/table-digest.ts";
import { FlowCounter } from "../observe/flow-totals.ts";
import { writeFlowLines } from "../observe/flows-jsonl.ts";
import { githubAnnotations } from "../observe/github-annotations.ts";
import { makePaint } from "../observe/paint.ts";
import type { Report } from "../observe/report-shape.ts";
import { buildReport, reportJson } from "../observe/report.ts";
import { renderScreen } from "../observe/screen.ts";
import { writeState } from "../observe/state-jsonl.ts";
import { tableNames } from "../observe/table-names.ts";
import { exitCodeOf, EXIT_OUR_FAULT, type ExitCode } from "./exit-code.ts";
import { failureJson, failureOf, failureText } from "./failure.ts";
import { removeStaleOutputs, replaceFile } from "./out-folder.ts";
import { wantsColour, type Terminal } from "./terminal.ts";

/** What loading a cluster and compiling it gives. */
export interface CompiledCluster {
  readonly tables: DatapathTables;
  readonly findings: readonly Finding[];
  readonly assumptions: readonly Assumption[];
  readonly ignored: readonly IgnoredKind[];
  readonly fileCount: number;
}

/** How a report is to be told. */
export interface TellSettings {
  /** As typed, for the names of the files. */
  readonly outDir: string | null;
  readonly format: "text" | "json";
  readonly quiet: boolean;
  readonly noColor: boolean;
}

/** What ran. */
export interface RunFacts {
  readonly options: Report["options"];
  readonly settings: TellSettings & Pick<ReplayOptions, "write" | "semantics">;
  readonly cluster: CompiledCluster;
  /** An existing folder; null: nothing is written. */
  readonly folder: string | null;
  readonly kernel: KernelBuild;
  readonly workers: number;
  readonly version: string;
  readonly nodeVersion: string;
  /** What state.jsonl is to hold: entries of the maps at most, and the --cluster paths; null: none is written. */
  readonly state: { readonly entries: number; readonly cluster: readonly string[] } | null;
}

export async function reportRun(end: ReplayEnd, facts: RunFacts, terminal: Terminal): Promise<ExitCode> {
  const { settings, cluster, folder } = facts;
  const names = tableNames(cluster.tables);
  const counter = new FlowCounter(names);
  const files = [...end.files];
  if (folder !== null && settings.write.has("flows")) {
    await replaceFile(folder, "flows.jsonl", (write) => writeFlowLines(end.flows, names, counter.add.bind(counter), write));
    files.push("flows.jsonl");
  } else {
    for (const flow of end.counted) counter.add(flow);
  }
  if (folder !== null && facts.state !== null && settings.write.has("state")) {
    const run = { version: facts.version, semantics: settings.semantics, cluster: [...facts.state.cluster], tables: tableDigest(cluster.tables) };
    const nodes = cluster.tables.nodes.map(({ name }) => name), { entries } = facts.state;
    await replaceFile(folder, "state.jsonl", (write) => writeState(run, end.maps(entries), nodes, write));
    files.push("state.jsonl");
  }
  if (folder !== null) files.push("report.json");

  const report = buildReport({
    version: facts.version, semantics: settings.semantics, options: facts.options, tables: cluster.tables,
    clusterFileCount: cluster.fileCount, result: end.result, flowTotals: counter.totals(), findings: cluster.findings,
    assumptions: cluster.assumptions, ignoredKinds: cluster.ignored, files, kernel: facts.kernel, workers: facts.workers,
    nodeVersion: facts.nodeVersion,
  });
  if (folder !== null) {
    await replaceFile(folder, "report.json", (write) => write(reportJson(report)));
    await removeStaleOutputs(folder, files);
  }
  show(report, settings, terminal);
  return exitCodeOf(report);
}

/** The report on standard output, then on standard error what ended the run before its input did. */
function show(report: Report, settings: TellSettings, terminal: Terminal): void {
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
