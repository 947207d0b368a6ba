import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../cluster/input-error.ts";
import { planAddresses } from "./address-plan.ts";
import { CaptureFile } from "./capture-file.ts";
import { writeCluster } from "./cluster-files.ts";
import { LARGEST_FRAME, resolveSettings, type GenerateOptions, type GenerateSettings } from "./options.ts";
import { SeededRandom } from "./random.ts";
import { IMIX_SHARES, IMIX_SIZES, Traffic } from "./traffic.ts";

export type { FrameSize, GenerateOptions, GenerateSettings, ProtocolMix } from "./options.ts";
export { GENERATE_DEFAULTS } from "./options.ts";

export interface GenerateSummary {
  /** Paths as they were written. */
  readonly capture: string;
  readonly cluster: string;
  readonly clusterFiles: readonly string[];
  readonly packets: number;
  /** Of the frames, without the capture's own headers. */
  readonly bytes: number;
  readonly replies: number;
  /** Flows begun, those that took an ended one's place included. */
  readonly flows: number;
  readonly packetsByProtocol: { readonly tcp: number; readonly udp: number; readonly icmp: number };
  /** Seconds of traffic on the capture's clock. */
  readonly duration: number;
  /** One line for a README or the screen: what was made, and from which seed. */
  readonly line: string;
}

/** 2026-01-01T00:00:00Z; a fixed time, so that the same seed gives the same bytes. */
const FIRST_SECOND = 1_767_225_600;
const NANOSECONDS = 1_000_000_000;
const CAPTURE_NAME = "capture.pcap";
const CLUSTER_NAME = "cluster";

/** Makes a capture (classic pcap, nanoseconds, as seen at the pods) and the cluster that it fits, in constant memory for any
 * number of packets. Throws InputError for settings out of range and for a folder in use. */
export async function runGenerate(options: GenerateOptions): Promise<GenerateSummary> {
  const settings = resolveSettings(options);
  const plan = planAddresses(settings);
  const capture = join(settings.out, CAPTURE_NAME);
  const cluster = join(settings.out, CLUSTER_NAME);
  await claimFolder(settings);
  await mkdir(cluster, { recursive: true });
  const clusterFiles = await writeCluster(cluster, settings, plan);
  const random = new SeededRandom(settings.seed);
  const traffic = new Traffic(settings, plan, random);
  const { bytes, duration } = await writeCapture(capture, settings, traffic, random);
  return {
    capture,
    cluster,
    clusterFiles,
    packets: traffic.packets,
    bytes,
    replies: traffic.replies,
    flows: traffic.flows,
    packetsByProtocol: traffic.packetsByProtocol,
    duration,
    line: describe(settings, traffic, duration),
  };
}

async function claimFolder(settings: GenerateSettings): Promise<void> {
  const { out, force } = settings;
  const refuse = (message: string, cure: string): never => {
    throw new InputError([{ at: null, subject: out, message, cure }]);
  };
  try {
    await mkdir(out, { recursive: true });
    if (!force && (await readdir(out)).length > 0) refuse("the folder is not empty", "Name another one, or use --force to write into it.");
  } catch (error) {
    if (error instanceof InputError) throw error;
    refuse(`cannot be used as a folder (${error instanceof Error ? error.message : String(error)})`, "Name a folder that can be written to.");
  }
}

async function writeCapture(
  path: string,
  settings: GenerateSettings,
  traffic: Traffic,
  random: SeededRandom,
): Promise<{ bytes: number; duration: number }> {
  const capture = await CaptureFile.create(path);
  const meanGap = NANOSECONDS / settings.packetsPerSecond;
  let seconds = FIRST_SECOND;
  let nanoseconds = 0;
  let bytes = 0;
  try {
    for (let packet = 0; packet < settings.packets; packet++) {
      if (!capture.hasRoom(LARGEST_FRAME)) await capture.flush();
      const length = traffic.writeNext(capture.block, capture.frameAt);
      capture.commit(length, seconds, nanoseconds);
      bytes += length;
      if (packet + 1 === settings.packets) break;
      nanoseconds += Math.round(2 * meanGap * random.unit());
      while (nanoseconds >= NANOSECONDS) {
        nanoseconds -= NANOSECONDS;
        seconds += 1;
      }
    }
    await capture.flush();
  } finally {
    await capture.close();
  }
  return { bytes, duration: seconds - FIRST_SECOND + nanoseconds / NANOSECONDS };
}

function describe(settings: GenerateSettings, traffic: Traffic, duration: number): string {
  const count = (n: number, noun: string): string => `${n.toLocaleString("en-US")} ${noun}${n === 1 ? "" : "s"}`;
  const frames = settings.frameSize === "imix"
    ? `IMIX frames (${IMIX_SIZES.join(", ")} bytes ${IMIX_SHARES.join(":")})`
    : `${settings.frameSize}-byte frames`;
  const policies = settings.policies === 1 ? "1 policy" : `${settings.policies.toLocaleString("en-US")} policies`;
  return `${CAPTURE_NAME}: ${count(traffic.packets, "packet")} in ${frames}, ${count(traffic.flows, "flow")} (${settings.distribution}), ` +
    `${duration.toFixed(1)} s of traffic; ${CLUSTER_NAME}: ${count(settings.nodes, "node")} (${settings.gateways} of them gateways), ` +
    `${count(settings.pods, "pod")}, ${policies} with ${settings.prefixes} destination prefixes, ${count(settings.remotes, "remote")}; seed ${settings.seed}`;
}
