import type { InputProblem } from "../cluster/input-error.ts";
import { closestName } from "../cluster/spelling.ts";
import { TRACE_ALL_PACKETS, type KernelBuild, type OutputKind, type Semantics } from "../engine/replay-options.ts";
import { readCapturePoints, type CapturePoints } from "./capture-point.ts";
import { UsageError } from "./failure.ts";
import { DEFAULT_MAX_FLOWS, DEFAULT_SEED, DEFAULT_STATE_ENTRIES, DEFAULT_TRACE_PACKETS, MAX_WORKERS, OUTPUT_KINDS } from "./option-list.ts";
import { settingProblem, type RawSetting, type RawSettings } from "./raw-setting.ts";

/** The checked wishes of one call of `egwsim replay`. */
export interface ReplaySettings {
  /** As typed: files, folders or "-". */
  readonly captures: readonly string[];
  readonly cluster: readonly string[];
  readonly points: CapturePoints;
  readonly captureInterface: string | null;
  readonly assumeOpener: "pod" | "outside";
  readonly semantics: Semantics;
  readonly outDir: string | null;
  readonly force: boolean;
  readonly write: ReadonlySet<OutputKind>;
  readonly tracePackets: number;
  readonly maxFlows: number;
  /** Conntrack and NAT entries that state.jsonl holds. */
  readonly stateEntries: number;
  readonly format: "text" | "json";
  readonly quiet: boolean;
  readonly noColor: boolean;
  readonly workers: number;
  /** True where the number was asked for, not derived from the machine. */
  readonly exactWorkers: boolean;
  /** null: WebAssembly where it was built. */
  readonly kernel: KernelBuild | null;
  readonly seed: number;
  readonly profile: boolean;
}

const CLUSTER_CURE = "for example --cluster ./cluster; a folder of YAML or JSON, or single files";

/** Checks everything and throws one UsageError with every problem. `cpus` decides the default number of workers. */
export function readReplaySettings(captures: readonly string[], raw: RawSettings, cpus: number): ReplaySettings {
  const problems: InputProblem[] = [];

  const text = (name: string): string | null => {
    const setting = raw.get(name);
    if (setting === undefined || setting.value === true) return null;
    const last = setting.value.at(-1) ?? "";
    if (last.trim() === "") problems.push(settingProblem(setting, "the value is empty", ""));
    return last;
  };
  const choice = <T extends string>(name: string, allowed: readonly T[]): T | null => {
    const setting = raw.get(name), value = text(name);
    if (setting === undefined || value === null) return null;
    const found = allowed.find((word) => word === value);
    if (found === undefined) problems.push(notOneOf(setting, value, allowed));
    return found ?? null;
  };
  const wholeNumber = (name: string, least: number, most: number, example: number): number | null => {
    const setting = raw.get(name), value = text(name);
    if (setting === undefined || value === null) return null;
    const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    if (number >= least && number <= most) return number;
    problems.push(settingProblem(setting, `"${value}" is not a whole number from ${least} to ${most}`, `for example ${example}`));
    return null;
  };
  const isOn = (name: string): boolean => raw.get(name)?.value === true;
  const list = (name: string): readonly string[] => {
    const value = raw.get(name)?.value;
    return value === undefined || value === true ? [] : value;
  };

  const cluster = list("cluster");
  if (captures.length === 0) {
    const swallowed = cluster.length > 1 || cluster.some((path) => /\.(pcap|pcapng|cap|dmp)(\.gz)?$/i.test(path) || path === "-");
    problems.push({
      at: null, subject: "CAPTURE", message: "no capture is named",
      cure: swallowed
        ? `--cluster took every word after it: put the captures first, or write \`--cluster ${cluster[0] ?? ""} -- ${cluster.slice(1).join(" ") || "CAPTURE"}\``
        : "name a pcap or pcapng file, a folder of them, or - for standard input",
    });
  }
  if (captures.filter((path) => path === "-").length > 1) {
    problems.push({ at: null, subject: "CAPTURE", message: "standard input (-) is named more than once", cure: "name it once" });
  }
  if (cluster.length === 0) problems.push({ at: null, subject: "--cluster", message: "no manifests are named", cure: CLUSTER_CURE });

  const write = readWrite(raw.get("write"), problems);
  const outDir = text("out");
  const writeSetting = raw.get("write");
  if (outDir === null && writeSetting !== undefined && writeSetting.at === null && write.size > 0) {
    problems.push(settingProblem(writeSetting, "there is no folder to write into", "add --out DIR"));
  }

  const profile = raw.get("profile");
  if (outDir === null && profile?.value === true) problems.push(settingProblem(profile, "there is no folder to write profiles into", "add --out DIR"));

  const traceAll = text("trace-packets") === "all";
  const settings: ReplaySettings = {
    captures, cluster, outDir, write,
    points: readCapturePoints(raw.get("capture-point"), problems),
    captureInterface: text("capture-interface"),
    assumeOpener: choice("assume-opener", ["pod", "outside"]) ?? "pod",
    semantics: choice("semantics", ["cilium-1.19", "intent"]) ?? "cilium-1.19",
    force: isOn("force"),
    tracePackets: traceAll ? TRACE_ALL_PACKETS : (wholeNumber("trace-packets", 0, 1e12, DEFAULT_TRACE_PACKETS) ?? DEFAULT_TRACE_PACKETS),
    maxFlows: wholeNumber("max-flows", 0, 100_000_000, DEFAULT_MAX_FLOWS) ?? DEFAULT_MAX_FLOWS,
    stateEntries: wholeNumber("state-entries", 0, 10_000_000, DEFAULT_STATE_ENTRIES) ?? DEFAULT_STATE_ENTRIES,
    format: choice("format", ["text", "json"]) ?? "text",
    quiet: isOn("quiet"),
    noColor: isOn("no-color"),
    workers: wholeNumber("workers", 1, MAX_WORKERS, 2) ?? Math.max(1, Math.min(cpus - 1, 4)),
    exactWorkers: raw.has("workers"),
    kernel: choice("kernel", ["ts", "wasm"]),
    seed: wholeNumber("seed", 0, 0xffffffff, DEFAULT_SEED) ?? DEFAULT_SEED,
    profile: isOn("profile"),
  };
  if (problems.length > 0) throw new UsageError(problems);
  return settings;
}

function notOneOf(setting: RawSetting, value: string, allowed: readonly string[]): InputProblem {
  const nearest = closestName(value, allowed);
  return settingProblem(setting, `"${value}" is none of ${allowed.join(", ")}`, nearest === null ? "" : `did you mean ${nearest}?`);
}

/** Absent: everything. "none" stands alone. */
export function readWrite(setting: RawSetting | undefined, problems: InputProblem[]): ReadonlySet<OutputKind> {
  if (setting === undefined || setting.value === true) return new Set(OUTPUT_KINDS);
  const words = setting.value.flatMap((text) => text.split(",")).map((word) => word.trim()).filter((word) => word !== "");
  const kinds = new Set<OutputKind>();
  for (const word of words) {
    const kind = OUTPUT_KINDS.find((known) => known === word);
    if (kind !== undefined) kinds.add(kind);
    else if (word !== "none") problems.push(notOneOf(setting, word, [...OUTPUT_KINDS, "none"]));
  }
  if (words.length === 0) problems.push(settingProblem(setting, "the list is empty", `give some of ${OUTPUT_KINDS.join(",")}, or none`));
  if (words.includes("none") && kinds.size > 0) problems.push(settingProblem(setting, "none stands beside other words", "give none alone"));
  return kinds;
}
