// The same work by others, W1: pods' frames in, the tunnel's frames out; policy look-up, a flow table, VXLAN. Rounds go over all of
// them in turn; what they write is compared with what egwsim writes.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runGenerate } from "../../src/generate/generate.ts";
import { tablesOf } from "../kernel/prepared-run.ts";
import { inFolder } from "../lib/clean-up.ts";
import { spreadOf, type Spread } from "../lib/median.ts";
import { folderFor } from "../lib/room.ts";
import { rounds } from "../lib/rounds.ts";
import { linuxKernel } from "./linux-kernel.ts";
import { fileDigest, translatedPackets } from "./output-digest.ts";
import { ovsDpdk } from "./ovs-dpdk.ts";
import { C_LOOP, type Measured, type Peer, type PeerFrames, type PeerInput, type Reference } from "./peer.ts";
import { peerPlan } from "./plan.ts";
import { egwsimCaptures, programs } from "./programs.ts";

export interface PeerFigures {
  readonly who: string;
  readonly frames: PeerFrames;
  readonly packets: number;
  readonly rounds: number;
  /** Of programs by their whole time, start included; of others by the time of the packets alone. */
  readonly packetsPerSecond: Spread;
  /** User and system time of all threads, median. */
  readonly cpuSecondsPerMillion: number;
  /** The CPU time of the C loop in the same rounds, how many times of that. */
  readonly timesLoop: Spread | null;
  /** Seconds that do not grow with the input: a program's whole time for 1,000 packets; of others the time until they are ready. */
  readonly startSeconds: number | null;
  readonly sameBytes: string;
}

interface Skipped { readonly what: string; readonly why: string }

export interface PeerResult {
  readonly figures: readonly PeerFigures[];
  readonly skipped: readonly Skipped[];
}

export interface PeerSettings {
  /** Of the input of programs, and of those that have no start in their time: their rate does not depend on the length. */
  readonly packets: number;
  readonly steadyPackets: number;
  readonly rounds: number;
  /** Seconds after which no further round begins, for each frame size. */
  readonly limitSeconds: number;
}

const START_PACKETS = 1000, FLOWS = 52_000;
/** Bytes of a record in the captures, in and all that one peer writes. */
const RECORD_BYTES = { "64": 76 + 126 + 76, imix: 360 + 410 + 360 } as const;

export async function runPeers(settings: PeerSettings, say: (text: string) => void): Promise<PeerResult> {
  const figures: PeerFigures[] = [], skipped: Skipped[] = [];
  for (const frames of ["64", "imix"] as const) {
    const room = folderFor(RECORD_BYTES[frames] * (settings.packets + settings.steadyPackets));
    if ("why" in room) {
      skipped.push({ what: `peers, ${frames}`, why: room.why });
      continue;
    }
    const result = await inFolder(room.folder, "egwsim-peers-", (folder) => peersOn(frames, settings, folder, say));
    figures.push(...result.figures);
    skipped.push(...result.skipped.filter(({ what }) => !skipped.some((known) => known.what === what)));
  }
  return { figures, skipped };
}

async function peersOn(frames: PeerFrames, settings: PeerSettings, folder: string, say: (text: string) => void): Promise<PeerResult> {
  const { packets, steadyPackets, rounds: wanted, limitSeconds } = settings;
  const peers: Peer[] = [], skipped: Skipped[] = [];
  for (const found of [...programs(folder), ovsDpdk(), linuxKernel(folder)]) {
    if ("peer" in found) peers.push(found.peer);
    else skipped.push(found);
  }
  const long = await inputOf(frames, packets, folder), start = await inputOf(frames, START_PACKETS, folder);
  const steady = packets <= steadyPackets || peers.every(({ startsWithin }) => startsWithin) ? long : await inputOf(frames, steadyPackets, folder);
  const references = new Map<PeerInput, Reference>();
  for (const input of new Set([long, steady])) references.set(input, await referenceOf(input, folder, input === steady));
  const samples = new Map<Peer, Measured[]>(peers.map((peer) => [peer, []])), starts = new Map<Peer, number>();
  await rounds(wanted, limitSeconds, async (round) => {
    for (const [peer, own] of samples) {
      say(`peers, round ${round} of ${wanted}: ${frames} ${peer.who}`);
      const input = peer.startsWithin ? long : steady;
      try {
        if (round === 1 && peer.startsWithin) starts.set(peer, (await peer.measure(start, folder, null)).seconds);
        own.push(await peer.measure(input, folder, round === 1 ? references.get(input) ?? null : null));
      } catch (error) {
        // A peer that fails is left out, with what it said; the others go on.
        samples.delete(peer);
        skipped.push({ what: peer.who, why: error instanceof Error ? error.message : String(error) });
      }
    }
  });
  const loop = [...samples].find(([{ who }]) => who === C_LOOP)?.[1];
  const figures = [...samples].map(([peer, own]): PeerFigures => {
    const input = peer.startsWithin ? long : steady, perMillion = own.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / input.packets), [first] = own;
    const loopPerMillion = loop?.map(({ cpuSeconds }) => (cpuSeconds * 1e6) / long.packets);
    return {
      who: peer.who, frames, packets: input.packets, rounds: own.length, packetsPerSecond: spreadOf(own.map(({ seconds }) => input.packets / seconds)),
      cpuSecondsPerMillion: spreadOf(perMillion).median,
      timesLoop: loopPerMillion === undefined ? null : spreadOf(perMillion.map((cpu, k) => cpu / (loopPerMillion[k] ?? NaN))),
      startSeconds: starts.get(peer) ?? first?.startSeconds ?? null, sameBytes: first?.output ?? "not compared",
    };
  });
  return { figures, skipped };
}

async function inputOf(frames: PeerFrames, packets: number, folder: string): Promise<PeerInput> {
  const out = join(folder, `in-${packets}`);
  mkdirSync(out);
  const { capture, cluster } = await runGenerate({
    out, packets, frameSize: frames, flows: Math.min(packets, FLOWS), pods: 200, nodes: 10, gateways: 2, policies: 4, prefixes: 500, remotes: 4096,
    replies: 0, seed: 1, distribution: "uniform", protocolMix: { tcp: 80, udp: 20, icmp: 0 },
  });
  const plan = join(out, "plan"), tables = await tablesOf(cluster);
  writeFileSync(plan, peerPlan(tables));
  return { frames, packets, capture, cluster, plan, tables };
}

async function referenceOf(input: PeerInput, folder: string, packetByPacket: boolean): Promise<Reference> {
  const out = join(folder, "reference"), { overlay, external } = egwsimCaptures(input, out);
  const egressIps = new Set(input.tables.policyEntries.map(({ egressIp }) => egressIp));
  const reference = { overlay: await fileDigest(overlay), translated: !packetByPacket ? null : await translatedPackets(overlay, external, egressIps) };
  rmSync(out, { recursive: true });
  return reference;
}
