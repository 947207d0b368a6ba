import { InputError, type InputProblem } from "../cluster/input-error.ts";

/** Shares of the flows, by protocol; only their proportion counts. */
export interface ProtocolMix {
  readonly tcp: number;
  readonly udp: number;
  readonly icmp: number;
}

/** Of the traffic; dual: a flow in two is IPv6. The cluster has IPv6 beside IPv4 wherever there is IPv6 traffic: the underlay
 * is IPv4. */
export type IpFamilies = "4" | "6" | "dual";

/** Bytes on the wire with the frame check sequence, as RFC 2544 counts them: a capture holds four bytes fewer. "imix" draws
 * 64, 594 and 1518 in the proportion 7:4:1. */
export type FrameSize = "64" | "imix" | number;

export interface GenerateSettings {
  /** Folder to write to; made where it is absent. */
  readonly out: string;
  /** Write into a folder that holds files. */
  readonly force: boolean;
  /** 0 to 2^53 - 1; the same settings and seed give the same bytes. */
  readonly seed: number;
  readonly packets: number;
  readonly frameSize: FrameSize;
  /** Flows that run at the same time. */
  readonly flows: number;
  readonly pods: number;
  /** All nodes, the gateways among them; pods run on the others as long as there are others. */
  readonly nodes: number;
  readonly gateways: number;
  /** The pods are dealt out to one group per policy and one group that no policy selects. */
  readonly policies: number;
  /** Destination prefixes over all policies; each policy's prefixes cover all remotes exactly once. */
  readonly prefixes: number;
  /** Addresses outside the cluster. */
  readonly remotes: number;
  /** How the packets spread over the flows. */
  readonly distribution: "uniform" | "zipf";
  readonly protocolMix: ProtocolMix;
  readonly ipFamily: IpFamilies;
  /** Share of the packets that are replies, 0 to 0.9, in the form in which the pod gets them. 0 leaves out SYN-ACKs too. */
  readonly replies: number;
  /** Share of the packets, 0 to 1, after which a flow ends and another one takes its place. */
  readonly newFlowRate: number;
  /** Mean rate on the capture's clock. */
  readonly packetsPerSecond: number;
}

/** What the caller says; everything but the folder has a default. */
export type GenerateOptions = Pick<GenerateSettings, "out"> & Partial<Omit<GenerateSettings, "out">>;

export const GENERATE_DEFAULTS: Omit<GenerateSettings, "out"> = {
  force: false,
  seed: 1,
  packets: 100_000,
  frameSize: "imix",
  flows: 1000,
  pods: 100,
  nodes: 10,
  gateways: 2,
  policies: 4,
  prefixes: 16,
  remotes: 64,
  distribution: "zipf",
  protocolMix: { tcp: 80, udp: 15, icmp: 5 },
  ipFamily: "4",
  replies: 0.4,
  newFlowRate: 0,
  packetsPerSecond: 100_000,
};

export const SMALLEST_FRAME = 64;
/** A device MTU of 9000 less the tunnel's 50, the Ethernet header and the frame check sequence added. */
export const LARGEST_FRAME = 9000 - 50 + 14 + 4;
/** 198.18.0.0/15, the network that RFC 2544 (appendix C.2.2) sets aside for measurements. */
export const MAX_REMOTES = 1 << 17;
/** An ICMP echo identifier has 16 bits, and a pod's flows are told apart by it. */
const MAX_FLOWS_PER_POD = 1 << 16;
const MAX_FLOWS = 1 << 23;
const MAX_NODES = 4096;
const MAX_PODS = 1 << 18;
const MAX_POLICIES = 1024;

/** Fills in the defaults. Throws InputError that names every setting out of range. */
export function resolveSettings(options: GenerateOptions): GenerateSettings {
  const given = withoutUndefined(options);
  const settings: GenerateSettings = { ...GENERATE_DEFAULTS, ...(given.policies === 0 ? { prefixes: 0 } : {}), ...given };
  const problems: InputProblem[] = [];
  const refuse = (option: string, message: string, cure: string): void => {
    problems.push({ at: null, subject: option, message, cure });
  };
  const wantInteger = (option: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most) {
      refuse(option, `${value} is not a whole number from ${least} to ${most}`, "");
    }
  };
  const wantShare = (option: string, value: number, most: number): void => {
    if (!(value >= 0 && value <= most)) refuse(option, `${value} is not a share from 0 to ${most}`, "");
  };

  if (settings.out === "") refuse("--out", "no folder is named", "Name the folder to write to.");
  wantInteger("--seed", settings.seed, 0, Number.MAX_SAFE_INTEGER);
  wantInteger("--packets", settings.packets, 1, 2 ** 32 - 1);
  wantInteger("--flows", settings.flows, 1, MAX_FLOWS);
  wantInteger("--pods", settings.pods, 1, MAX_PODS);
  wantInteger("--nodes", settings.nodes, 1, MAX_NODES);
  wantInteger("--gateways", settings.gateways, 0, settings.nodes);
  wantInteger("--policies", settings.policies, 0, MAX_POLICIES);
  wantInteger("--remotes", settings.remotes, 1, MAX_REMOTES);
  if (settings.policies === 0 && settings.prefixes !== 0) {
    refuse("--prefixes", `${settings.prefixes} prefixes belong to no policy`, "Ask for a policy, or leave the prefixes out.");
  } else wantInteger("--prefixes", settings.prefixes, 0, settings.policies * MAX_REMOTES);
  wantInteger("--packets-per-second", settings.packetsPerSecond, 1, 1_000_000_000);
  if (typeof settings.frameSize === "number") wantInteger("--frame-size", settings.frameSize, SMALLEST_FRAME, LARGEST_FRAME);
  else if (settings.frameSize !== "64" && settings.frameSize !== "imix") {
    refuse("--frame-size", `${String(settings.frameSize)} is no frame size`, `Use imix or a number from ${SMALLEST_FRAME} to ${LARGEST_FRAME}.`);
  }
  if (settings.distribution !== "uniform" && settings.distribution !== "zipf") {
    refuse("--distribution", `${String(settings.distribution)} is no distribution`, "Use uniform or zipf.");
  }
  if (!["4", "6", "dual"].includes(settings.ipFamily)) {
    refuse("--ip-family", `${String(settings.ipFamily)} is no choice of families`, "Use 4, 6 or dual.");
  }
  wantShare("--replies", settings.replies, 0.9);
  wantShare("--new-flow-rate", settings.newFlowRate, 1);
  const { tcp, udp, icmp } = settings.protocolMix;
  if (!(tcp >= 0 && udp >= 0 && icmp >= 0 && tcp + udp + icmp > 0 && Number.isFinite(tcp + udp + icmp))) {
    refuse("--protocol-mix", `${tcp}:${udp}:${icmp} are no shares`, "Give three numbers of 0 or more, one of them above 0.");
  }
  if (settings.policies > 0 && settings.gateways === 0) {
    refuse("--gateways", "0 gateways cannot serve a policy", "Ask for a gateway, or for 0 policies.");
  }
  if (settings.policies > settings.pods) {
    refuse("--policies", `${settings.policies} policies want a pod each, and there are ${settings.pods}`, "Ask for more pods.");
  }
  if (settings.prefixes < settings.policies) {
    refuse("--prefixes", `${settings.prefixes} prefixes are too few for ${settings.policies} policies`, "Each policy needs one.");
  }
  if (settings.flows > settings.packets) {
    refuse("--flows", `${settings.flows} flows cannot show up in ${settings.packets} packets`, "Ask for as many packets at least.");
  }
  if (Math.ceil(settings.flows / settings.pods) > MAX_FLOWS_PER_POD) {
    refuse("--flows", `more than ${MAX_FLOWS_PER_POD} flows for one pod`, "Ask for more pods.");
  }
  if (problems.length > 0) throw new InputError(problems);
  return settings;
}

/** An option that was not given may be present as undefined; it must not hide the default. */
function withoutUndefined(options: GenerateOptions): GenerateOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as unknown as GenerateOptions;
}
