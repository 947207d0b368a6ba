// The bench's results as Markdown tables, for the screen and for the README.
import type { CompileFigures } from "../compile/run.ts";
import type { ReplayFigures } from "../e2e/replay.ts";
import type { CurvePoint } from "../growth/curves.ts";
import type { MemoryPoint } from "../growth/memory.ts";
import type { PathFigures } from "../kernel/paths.ts";
import type { PeerFigures } from "../peers/peers.ts";
import type { Answer } from "../micro/question.ts";
import type { Spread } from "./median.ts";
import type { TargetRow } from "./targets.ts";

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, k) => (k < 2 ? "---" : "---:"))), ...rows.map(line)].join("\n");
};

const millions = (perSecond: number): string => (perSecond / 1e6).toFixed(2);
const spread = ({ median, min, max }: Spread, text: (value: number) => string): string => `${text(median)} (${text(min)}–${text(max)})`;
const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

const frameNames: Readonly<Record<string, string>> = { "64": "64 bytes", imix: "IMIX", "1500": "1500 bytes" };
const framesText = (frames: string): string => frameNames[frames] ?? frames;
const count = (value: number): string => value.toLocaleString("en-US");

export function replayTable(figures: readonly ReplayFigures[]): string {
  const head = ["capture", "kernel", "workers", "captures written", "million packets/s", "kernel ns/packet", "process, s", "peak memory"];
  return table(head, figures.map((each) => [
    `${count(each.packets)} × ${framesText(each.frames)}`, each.kernel, String(each.workers), each.write,
    spread(each.packetsPerSecond, millions), spread(each.kernelNanoseconds, (ns) => ns.toFixed(0)), spread(each.processSeconds, (s) => s.toFixed(2)), mebibytes(each.peakBytes),
  ]));
}

export function compileTable(figures: readonly CompileFigures[]): string {
  const head = ["command", "nodes, pods, policies", "policy map", "entries", "found it full", "lines printed", "CPU, s", "process, s", "peak memory"];
  return table(head, figures.map((each) => [
    each.command, `${count(each.nodes)}, ${count(each.pods)}, ${count(each.policies)}`, each.mapMax === null ? "default" : count(each.mapMax), count(each.entries), count(each.lost),
    count(each.lines), spread(each.cpuSeconds, (s) => s.toFixed(1)), spread(each.seconds, (s) => s.toFixed(1)), mebibytes(each.peakBytes),
  ]));
}

export function pathsTable(figures: readonly PathFigures[]): string {
  const nanoseconds = (ns: number): string => ns.toFixed(0);
  return table(["path of a 64-byte frame", "build", "ns/packet", "times the native build"], figures.map((each) => [
    each.path, each.build, spread(each.nanoseconds, nanoseconds), each.toNative === null ? "" : each.toNative.toFixed(2),
  ]));
}

export function peersTable(figures: readonly PeerFigures[]): string {
  const head = ["who", "capture", "million packets/s", "CPU s per million", "times the C loop's CPU", "start, s", "same bytes as egwsim"];
  return table(head, figures.map((each) => [
    each.who, `${count(each.packets)} × ${framesText(each.frames)}`, spread(each.packetsPerSecond, millions), each.cpuSecondsPerMillion.toFixed(2),
    each.timesLoop === null ? "" : spread(each.timesLoop, (times) => times.toFixed(2)), each.startSeconds === null ? "" : each.startSeconds.toFixed(2), each.sameBytes,
  ]));
}

export function targetsTable(rows: readonly TargetRow[]): string {
  const said = (answer: boolean | null, otherwise: string): string => (answer === null ? otherwise : answer ? "yes" : "**no**");
  const head = ["target", "wanted", "measured", "met", "in absolute figures"];
  return table(head, rows.map(({ target, wanted, measured, met, absolute }) => [target, wanted, measured, said(met, "?"), said(absolute, "")]));
}

export function growthTable(points: readonly CurvePoint[]): string {
  return table(["growth with", "path", "", "ns/packet"], points.map((each) => [
    each.curve, each.path, count(each.x), spread(each.nanoseconds, (ns) => ns.toFixed(0)),
  ]));
}

export function memoryTable(points: readonly MemoryPoint[]): string {
  const bytes = (value: number | null): string => (value === null ? "" : value.toFixed(0));
  return table(["memory by", "how many", "capture", "peak memory", "bytes each, layout", "bytes each, measured", "evicted"], points.map((each) => [
    each.of, count(each.x), mebibytes(each.captureBytes), mebibytes(each.peakBytes), bytes(each.layoutBytes), bytes(each.measuredBytes), count(each.evicted),
  ]));
}

export function microTable(answers: readonly Answer[]): string {
  const nanoseconds = (ns: number): string => (ns < 100 ? ns.toFixed(1) : ns.toFixed(0));
  return table(["operation", "on", "build", "ns/operation"], answers.map((each) => [each.name, each.parameters, each.build, spread(each, nanoseconds)]));
}
