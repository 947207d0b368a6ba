// The suite's targets, held against a result. Nanoseconds of a shared machine mean little, so that figures of the kernel are
// taken as ratios to the C loop of the same run: the targets were set on a machine where that took 160 ns of CPU a packet.
import type { ReplayFigures } from "../e2e/replay.ts";
import { C_LOOP, EGWSIM, EGWSIM_BOTH_HOPS } from "../peers/peer.ts";
import type { Spread } from "./median.ts";
import type { BenchResults } from "./results.ts";

export interface TargetRow {
  readonly target: string;
  readonly wanted: string;
  readonly measured: string;
  /** Null: the result lacks what it is measured by. */
  readonly met: boolean | null;
  /** By nanoseconds and rates as they stand, whatever the machine; null where the target is a ratio of itself. */
  readonly absolute: boolean | null;
}

/** The C loop on the machine that the targets were set on: ns of CPU and million packets a second, 64 bytes and IMIX. */
const ANCHOR = { nanoseconds: 160, rate: { "64": 6.152, imix: 2.935 } } as const;
const NATIVE_RATIO = 1.4, TWO_WORKERS = 1.7;
const FORWARD = "source and gateway", REPLY = "reply: gateway and source", NEW_FLOW = "first packet of a flow";
/** In a shorter run the C loop's start weighs more than its packets. */
const LEAST_PACKETS = 1_000_000;
/** Nanoseconds there: source 60 and gateway 70; replies 70 each; the TypeScript build 100 for each of the two nodes. */
const KERNEL_TARGETS = [
  { path: FORWARD, build: "wasm", nanoseconds: 130 }, { path: REPLY, build: "wasm", nanoseconds: 140 }, { path: FORWARD, build: "ts", nanoseconds: 200 },
  { path: REPLY, build: "ts", nanoseconds: 200 }, { path: NEW_FLOW, build: "wasm", nanoseconds: 400 },
] as const;
const FILE_TARGETS = [
  { who: EGWSIM, frames: "64", rate: 4.5, what: "file to file, 64 bytes, one hop written" },
  { who: EGWSIM, frames: "imix", rate: 2.2, what: "file to file, IMIX, one hop written" },
  { who: EGWSIM_BOTH_HOPS, frames: "64", rate: 2.5, what: "file to file, 64 bytes, both hops written" },
] as const;

const missing = (target: string, wanted: string): TargetRow => ({ target, wanted, measured: "not in this result", met: null, absolute: null });
const hundredths = (value: number): string => value.toFixed(2);
const atMost = (value: number): string => `≤ ${hundredths(value)}`, atLeast = (value: number): string => `≥ ${hundredths(value)}`;

export function targetRows({ paths, peers, replay }: BenchResults): TargetRow[] {
  const loops = peers.filter(({ who, packets }) => who === C_LOOP && packets >= LEAST_PACKETS);
  const loop = (frames: "64" | "imix") => loops.find((each) => each.frames === frames);
  const loopNanoseconds = (loop("64")?.cpuSecondsPerMillion ?? NaN) * 1000;
  const native = [FORWARD, REPLY, NEW_FLOW].map((path): TargetRow => {
    const target = `kernel, ${path}: times the native build`, wanted = atMost(NATIVE_RATIO);
    const ratio = paths.find((each) => each.path === path && each.build === "wasm")?.toNative ?? null;
    return ratio === null ? missing(target, wanted) : { target, wanted, measured: hundredths(ratio), met: ratio <= NATIVE_RATIO, absolute: null };
  });
  const kernel = KERNEL_TARGETS.map(({ path, build, nanoseconds }): TargetRow => {
    const target = `kernel (${build}), ${path}: times the C loop's CPU`, most = nanoseconds / ANCHOR.nanoseconds;
    const wanted = `${atMost(most)} (${nanoseconds} ns where it takes ${ANCHOR.nanoseconds})`;
    const own = paths.find((each) => each.path === path && each.build === build)?.nanoseconds;
    if (own === undefined || Number.isNaN(loopNanoseconds)) return missing(target, wanted);
    const measured = `${spread(own, loopNanoseconds)}: ${own.median.toFixed(0)} ns, the loop ${loopNanoseconds.toFixed(0)}`;
    return { target, wanted, measured, met: own.median / loopNanoseconds <= most, absolute: own.median <= nanoseconds };
  });
  const files = FILE_TARGETS.map(({ who, frames, rate, what }): TargetRow => {
    const target = `${what}: times the C loop's rate`, anchor = ANCHOR.rate[frames], least = rate / anchor;
    const wanted = `${atLeast(least)} (${rate} of ${anchor} million/s)`;
    const own = peers.find((each) => each.who === who && each.frames === frames)?.packetsPerSecond, other = loop(frames)?.packetsPerSecond.median;
    if (own === undefined || other === undefined) return missing(target, wanted);
    const measured = `${spread(own, other)}: ${hundredths(own.median / 1e6)} of ${hundredths(other / 1e6)} million/s`;
    return { target, wanted, measured, met: own.median / other >= least, absolute: own.median >= rate * 1e6 };
  });
  return [...native, ...kernel, ...files, twoWorkers(replay)];
}

/** On the longest capture that both were measured on. */
function twoWorkers(replay: readonly ReplayFigures[]): TargetRow {
  const target = "replay, nothing written: two workers, times one", wanted = atLeast(TWO_WORKERS);
  const own = replay.filter(({ kernel, write }) => kernel === "wasm" && write === "none").sort((a, b) => b.packets - a.packets);
  const measuredWith = (workers: number, frames: string, packets: number) => own.find((each) => each.workers === workers && each.frames === frames && each.packets === packets);
  const longest = own.find(({ frames, packets }) => measuredWith(1, frames, packets) !== undefined && measuredWith(2, frames, packets) !== undefined);
  if (longest === undefined) return missing(target, wanted);
  const { frames, packets } = longest, [one, two] = [1, 2].map((workers) => measuredWith(workers, frames, packets)?.packetsPerSecond.median ?? NaN);
  const ratio = (two ?? NaN) / (one ?? NaN);
  const measured = `${hundredths(ratio)}: ${packets.toLocaleString("en-US")} packets of ${frames === "imix" ? "IMIX" : `${frames} bytes`}`;
  return { target, wanted, measured, met: ratio >= TWO_WORKERS, absolute: null };
}

function spread({ median, min, max }: Spread, unit: number): string {
  return `${hundredths(median / unit)} (${hundredths(min / unit)}–${hundredths(max / unit)})`;
}
