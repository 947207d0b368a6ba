// The suite's targets, held against a result. Nanoseconds of a shared machine mean little, so that figures of the kernel are
// taken as ratios to the C loop of the same run: the targets were set on a machine where that took 160 ns of CPU a packet.
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
  { who: "egwsim, wasm", frames: "64", rate: 4.5, what: "file to file, 64 bytes, one hop written" },
  { who: "egwsim, wasm", frames: "imix", rate: 2.2, what: "file to file, IMIX, one hop written" },
  { who: "egwsim, wasm, both hops written", frames: "64", rate: 2.5, what: "file to file, 64 bytes, both hops written" },
] as const;

const missing = (target: string, wanted: string): TargetRow => ({ target, wanted, measured: "not in this result", met: null, absolute: null });
const hundredths = (value: number): string => value.toFixed(2);
const atMost = (value: number): string => `≤ ${hundredths(value)}`, atLeast = (value: number): string => `≥ ${hundredths(value)}`;

export function targetRows({ paths, peers, replay }: BenchResults): TargetRow[] {
  const loop = (frames: "64" | "imix") => peers.find((each) => each.who === "plain C loop" && each.frames === frames && each.packets >= LEAST_PACKETS);
  const loopNanoseconds = (loop("64")?.cpuSecondsPerMillion ?? NaN) * 1000;
  const native = [FORWARD, REPLY, NEW_FLOW].map((path): TargetRow => {
    const target = `kernel, ${path}: times the native build`, ratio = paths.find((each) => each.path === path && each.build === "wasm")?.toNative ?? null;
    return ratio === null ? missing(target, atMost(NATIVE_RATIO)) : { target, wanted: atMost(NATIVE_RATIO), measured: hundredths(ratio), met: ratio <= NATIVE_RATIO, absolute: null };
  });
  const kernel = KERNEL_TARGETS.map(({ path, build, nanoseconds }): TargetRow => {
    const target = `kernel (${build}), ${path}: times the C loop's CPU`, most = nanoseconds / ANCHOR.nanoseconds, wanted = `${atMost(most)} (${nanoseconds} ns where it takes ${ANCHOR.nanoseconds})`;
    const own = paths.find((each) => each.path === path && each.build === build)?.nanoseconds;
    if (own === undefined || Number.isNaN(loopNanoseconds)) return missing(target, wanted);
    return { target, wanted, measured: `${spread(own, loopNanoseconds)}: ${own.median.toFixed(0)} ns, the loop ${loopNanoseconds.toFixed(0)}`, met: own.median / loopNanoseconds <= most, absolute: own.median <= nanoseconds };
  });
  const files = FILE_TARGETS.map(({ who, frames, rate, what }): TargetRow => {
    const target = `${what}: times the C loop's rate`, least = rate / ANCHOR.rate[frames], wanted = `${atLeast(least)} (${rate} of ${ANCHOR.rate[frames]} million/s)`;
    const own = peers.find((each) => each.who === who && each.frames === frames)?.packetsPerSecond, other = loop(frames)?.packetsPerSecond.median;
    if (own === undefined || other === undefined) return missing(target, wanted);
    return { target, wanted, measured: `${spread(own, other)}: ${hundredths(own.median / 1e6)} of ${hundredths(other / 1e6)} million/s`, met: own.median / other >= least, absolute: own.median >= rate * 1e6 };
  });
  return [...native, ...kernel, ...files, twoWorkers(replay)];
}

/** The longest capture that both were measured on, nothing written. */
function twoWorkers(replay: BenchResults["replay"]): TargetRow {
  const target = "replay, nothing written: two workers, times one", wanted = atLeast(TWO_WORKERS);
  const measured = replay.filter(({ kernel, write, workers }) => kernel === "wasm" && write === "none" && workers === 2).sort((a, b) => b.packets - a.packets).flatMap((two) => {
    const one = replay.find(({ frames, packets, kernel, write, workers }) => kernel === "wasm" && write === "none" && workers === 1 && frames === two.frames && packets === two.packets);
    return one === undefined ? [] : [{ two, one }];
  })[0];
  if (measured === undefined) return missing(target, wanted);
  const ratio = measured.two.packetsPerSecond.median / measured.one.packetsPerSecond.median;
  return { target, wanted, measured: `${hundredths(ratio)}: ${measured.two.packets.toLocaleString("en-US")} packets of ${measured.two.frames === "64" ? "64 bytes" : measured.two.frames}`, met: ratio >= TWO_WORKERS, absolute: null };
}

function spread({ median, min, max }: Spread, unit: number): string {
  return `${hundredths(median / unit)} (${hundredths(min / unit)}–${hundredths(max / unit)})`;
}
