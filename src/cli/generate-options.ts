// The options of `egwsim generate`, and their way from words to the generator's settings. What a number may be is checked by
// the generator itself (src/generate/options.ts), so that there is one set of limits.
import type { InputProblem } from "../cluster/input-error.ts";
import { GENERATE_DEFAULTS, type GenerateOptions, type ProtocolMix } from "../generate/options.ts";
import { UsageError } from "./failure.ts";

const GROUPS = { traffic: "Traffic:", cluster: "Cluster:", output: "Output:" } as const;

interface GenerateOptionSpec {
  /** Long name without dashes. */
  readonly name: string;
  readonly flags: string;
  readonly group: (typeof GROUPS)[keyof typeof GROUPS];
  readonly help: string;
}

const D = GENERATE_DEFAULTS;
const { tcp, udp, icmp } = D.protocolMix;

export const GENERATE_OPTIONS: readonly GenerateOptionSpec[] = [
  { name: "packets", flags: "--packets <n>", group: GROUPS.traffic, help: `frames in the capture (default: ${D.packets})` },
  { name: "frame-size", flags: "--frame-size <bytes|imix>", group: GROUPS.traffic, help: `bytes on the wire with the frame check sequence, or imix (default: ${String(D.frameSize)})` },
  { name: "flows", flags: "--flows <n>", group: GROUPS.traffic, help: `flows that run at the same time (default: ${D.flows})` },
  { name: "distribution", flags: "--distribution <name>", group: GROUPS.traffic, help: `how the packets spread over the flows: uniform, zipf (default: ${D.distribution})` },
  { name: "protocol-mix", flags: "--protocol-mix <tcp:udp:icmp>", group: GROUPS.traffic, help: `shares of the flows (default: ${tcp}:${udp}:${icmp})` },
  { name: "ip-family", flags: "--ip-family <4|6|dual>", group: GROUPS.traffic, help: `family of the flows; with 6 and dual the cluster has addresses of both (default: ${D.ipFamily})` },
  { name: "replies", flags: "--replies <share>", group: GROUPS.traffic, help: `share of the packets that are replies, 0 to 0.9 (default: ${D.replies})` },
  { name: "new-flow-rate", flags: "--new-flow-rate <share>", group: GROUPS.traffic, help: `share of the packets, 0 to 1, after which a new flow takes an old one's place (default: ${D.newFlowRate})` },
  { name: "packets-per-second", flags: "--packets-per-second <n>", group: GROUPS.traffic, help: `mean rate on the capture's clock (default: ${D.packetsPerSecond})` },
  { name: "remotes", flags: "--remotes <n>", group: GROUPS.traffic, help: `addresses outside the cluster (default: ${D.remotes})` },
  { name: "pods", flags: "--pods <n>", group: GROUPS.cluster, help: `pods (default: ${D.pods})` },
  { name: "nodes", flags: "--nodes <n>", group: GROUPS.cluster, help: `nodes, the gateways among them (default: ${D.nodes})` },
  { name: "gateways", flags: "--gateways <n>", group: GROUPS.cluster, help: `gateway nodes (default: ${D.gateways})` },
  { name: "policies", flags: "--policies <n>", group: GROUPS.cluster, help: `egress policies; one group of pods has none (default: ${D.policies})` },
  { name: "prefixes", flags: "--prefixes <n>", group: GROUPS.cluster, help: `destination prefixes over all policies (default: ${D.prefixes})` },
  { name: "out", flags: "-o, --out <dir>", group: GROUPS.output, help: "folder to write to (required)" },
  { name: "force", flags: "--force", group: GROUPS.output, help: "write into a folder that is not empty" },
  { name: "seed", flags: "--seed <n>", group: GROUPS.output, help: `the same options and seed give the same bytes (default: ${D.seed})` },
  { name: "format", flags: "--format <format>", group: GROUPS.output, help: "what standard output gets: text, json (default: text)" },
  { name: "quiet", flags: "-q, --quiet", group: GROUPS.output, help: "say nothing where all went well" },
];

/** Words by long option name; flags are true. */
export type GenerateWords = Readonly<Record<string, string | true>>;

export interface GenerateWishes {
  readonly options: GenerateOptions;
  readonly format: "text" | "json";
  readonly quiet: boolean;
}

/** Throws one UsageError with every word that is no number, no mix or no known name. */
export function readGenerateWords(words: GenerateWords): GenerateWishes {
  const problems: InputProblem[] = [];
  const refuse = (name: string, message: string, cure: string): undefined => {
    problems.push({ at: null, subject: `--${name}`, message, cure });
    return undefined;
  };
  const text = (name: string): string | undefined => {
    const word = words[name];
    return typeof word === "string" ? word : undefined;
  };
  const number = (name: string, example: number): number | undefined => {
    const word = text(name);
    if (word === undefined) return undefined;
    return /^\d{1,16}(\.\d{1,9})?$/.test(word) ? Number(word) : refuse(name, `"${word}" is no number`, `for example ${example}`);
  };
  const choice = <T extends string>(name: string, allowed: readonly T[]): T | undefined => {
    const word = text(name);
    if (word === undefined) return undefined;
    return allowed.find((each) => each === word) ?? refuse(name, `"${word}" is none of ${allowed.join(", ")}`, "");
  };
  const frameSize = (): GenerateOptions["frameSize"] => (text("frame-size") === "imix" ? "imix" : number("frame-size", 64));
  const protocolMix = (): ProtocolMix | undefined => {
    const word = text("protocol-mix");
    if (word === undefined) return undefined;
    const match = /^(\d{1,9}):(\d{1,9}):(\d{1,9})$/.exec(word);
    if (match === null) return refuse("protocol-mix", `"${word}" is not three whole numbers with colons between them`, `for example ${tcp}:${udp}:${icmp}`);
    return { tcp: Number(match[1]), udp: Number(match[2]), icmp: Number(match[3]) };
  };

  const out = text("out");
  if (out === undefined || out.trim() === "") refuse("out", "no folder is named", "for example --out ./generated");
  const given = {
    out: out ?? "", force: words["force"] === true, seed: number("seed", D.seed), packets: number("packets", D.packets), frameSize: frameSize(),
    flows: number("flows", D.flows), pods: number("pods", D.pods), nodes: number("nodes", D.nodes), gateways: number("gateways", D.gateways),
    policies: number("policies", D.policies), prefixes: number("prefixes", D.prefixes), remotes: number("remotes", D.remotes),
    distribution: choice("distribution", ["uniform", "zipf"]), protocolMix: protocolMix(), ipFamily: choice("ip-family", ["4", "6", "dual"]), replies: number("replies", D.replies),
    newFlowRate: number("new-flow-rate", D.newFlowRate), packetsPerSecond: number("packets-per-second", D.packetsPerSecond),
  };
  const format = choice("format", ["text", "json"]) ?? "text";
  if (problems.length > 0) throw new UsageError(problems, "generate");
  return { options: withoutAbsent(given), format, quiet: words["quiet"] === true };
}

/** What was not said is left out, so that the generator's defaults hold. */
function withoutAbsent<T extends { readonly out: string }>(given: T): GenerateOptions {
  return { ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)), out: given.out };
}
