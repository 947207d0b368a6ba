import type { InputProblem } from "../cluster/input-error.ts";
import type { KernelBuild, OutputKind, Semantics } from "../engine/replay-options.ts";
import type { DeviceWish } from "../live/live-options.ts";
import type { Emission, Role } from "../live/sides.ts";
import { readDeviceWish } from "./device-wish.ts";
import { UsageError } from "./failure.ts";
import { readWrite } from "./replay-settings.ts";

/** What commander makes of the command line. */
export interface TapWords {
  readonly role: Role;
  readonly cluster: readonly string[];
  readonly node?: readonly string[];
  readonly semantics: Semantics;
  readonly pods?: string;
  readonly outside?: string;
  readonly emit: Emission;
  readonly tunnelDevice?: string;
  readonly user?: string;
  readonly watch?: boolean;
  readonly reconcileDelay: number;
  readonly out?: string;
  readonly force?: boolean;
  readonly write?: string;
  readonly tracePackets: number;
  readonly maxFlows: number;
  readonly format: "text" | "json";
  readonly quiet?: boolean;
  readonly color: boolean;
  readonly duration?: number;
  readonly workers: number;
  readonly kernel?: KernelBuild;
  readonly seed: number;
}

/** The checked wishes of one call of `egwsim tap`. */
export interface TapSettings extends Omit<TapWords, "node" | "pods" | "outside" | "tunnelDevice" | "out" | "write" | "color"> {
  readonly nodes: readonly string[];
  readonly pods: DeviceWish | null;
  readonly outside: DeviceWish | null;
  readonly tunnelDevice: DeviceWish | null;
  readonly outDir: string | null;
  readonly write: ReadonlySet<OutputKind>;
  readonly quiet: boolean;
  readonly noColor: boolean;
}

/** Throws one UsageError with every problem. */
export function readTapSettings(words: TapWords): TapSettings {
  const problems: InputProblem[] = [];
  const device = (text: string | undefined, option: string): DeviceWish | null => (text === undefined ? null : readDeviceWish(text, option, problems));
  const pods = device(words.pods, "--pods"), outside = device(words.outside, "--outside"), tunnelDevice = device(words.tunnelDevice, "--tunnel-device");
  const missing = (option: string, cure: string): void => { problems.push({ at: null, subject: option, message: `--role ${words.role} needs it`, cure }); };
  if (pods === null && words.role !== "gateway") missing("--pods", "for example --pods tap:egw-pods");
  if (outside === null && words.role !== "source") missing("--outside", "for example --outside tap:egw-out");
  if (words.emit === "tap" && tunnelDevice === null && outside === null)
    problems.push({ at: null, subject: "--emit tap", message: "there is no device for tunnel packets", cure: "name one with --tunnel-device or --outside" });
  if (words.emit !== "tap" && tunnelDevice !== null)
    problems.push({ at: null, subject: "--tunnel-device", message: `it is not used with --emit ${words.emit}`, cure: "add --emit tap, or leave it out" });
  const names = [pods, outside, tunnelDevice].flatMap((each) => (each === null ? [] : [each.name]));
  if (new Set(names).size < names.length) problems.push({ at: null, subject: "devices", message: "one device is named twice", cure: "each side has its own" });
  const write = readWrite(words.write === undefined ? undefined : { value: [words.write], subject: "--write", at: null }, problems);
  if (problems.length > 0) throw new UsageError(problems, "tap");
  const { node, out, color, ...rest } = words;
  return { ...rest, nodes: node ?? [], pods, outside, tunnelDevice, outDir: out ?? null, write, quiet: words.quiet === true, noColor: !color };
}
