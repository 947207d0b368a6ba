// The same file-to-file work by others: W1, pods' frames in, the tunnel's frames out; policy look-up, a flow table, VXLAN. Rounds
// go over all of them in turn; what they write is compared byte for byte with egwsim's overlay.pcap.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { runGenerate } from "../../src/generate/generate.ts";
import { tablesOf } from "../kernel/prepared-run.ts";
import { spreadOf, type Spread } from "../lib/median.ts";
import { peerPlan } from "./plan.ts";

export interface PeerFigures {
  readonly who: string;
  readonly frames: "64" | "imix";
  /** Packets of the input by the process's whole time, its start included. */
  readonly packetsPerSecond: Spread;
  /** User and system time of all threads, median. */
  readonly cpuSecondsPerMillion: number;
  readonly sameBytes: "yes" | "no" | "other work";
}

export interface PeerResult {
  readonly figures: readonly PeerFigures[];
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
}

interface Peer {
  readonly who: string;
  readonly sameWork: boolean;
  command(input: { capture: string; cluster: string; plan: string }, folder: string): { readonly args: readonly string[]; readonly output: string };
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const main = here("../../../dist/cli/main.js");
const SHARED = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

const egwsim = (kernel: string): Peer => ({
  who: `egwsim, ${kernel}`, sameWork: true,
  command: ({ capture, cluster }, folder) => ({
    args: [process.execPath, main, "replay", capture, "--cluster", cluster, "--out", join(folder, kernel), "--force", "--write", "overlay", "--workers", "1", "--kernel", kernel, "--quiet"],
    output: join(folder, kernel, "overlay.pcap"),
  }),
});

function peersHere(folder: string): { readonly peers: readonly Peer[]; readonly skipped: PeerResult["skipped"] } {
  const peers: Peer[] = [egwsim("wasm"), egwsim("ts")], skipped: { what: string; why: string }[] = [], program = join(folder, "plain");
  peers.push({ who: "plain Node.js, Buffers and Maps", sameWork: true, command: ({ capture, plan }, out) => ({ args: [process.execPath, here("./plain-node.js"), plan, capture, join(out, "node.pcap")], output: join(out, "node.pcap") }) });
  const compiled = spawnSync("cc", ["-O3", "-march=native", "-o", program, here("../../../bench/peers/plain.c")], { encoding: "utf8" });
  if (compiled.error !== undefined) skipped.push({ what: "plain C loop", why: "cc is not installed" });
  else if (compiled.status !== 0) skipped.push({ what: "plain C loop", why: `cc refused it: ${compiled.stderr.trim().slice(0, 200)}` });
  else peers.push({ who: "plain C loop", sameWork: true, command: ({ capture, plan }, out) => ({ args: [program, plan, capture, join(out, "c.pcap")], output: join(out, "c.pcap") }) });
  if (spawnSync("tcprewrite", ["--version"]).error !== undefined) skipped.push({ what: "tcprewrite", why: "it is not installed (Debian: tcpreplay)" });
  else {
    peers.push({
      who: "tcprewrite --srcipmap --fixcsum, stateless", sameWork: false,
      command: ({ capture }, out) => ({ args: ["tcprewrite", "--srcipmap=10.0.0.0/8:192.168.0.0/16", "--fixcsum", `--infile=${capture}`, `--outfile=${join(out, "tcprewrite.pcap")}`], output: join(out, "tcprewrite.pcap") }),
    });
  }
  return { peers, skipped };
}

export async function runPeers(packets: number, rounds: number, say: (text: string) => void): Promise<PeerResult> {
  const folder = mkdtempSync(join(SHARED, "egwsim-peers-"));
  try {
    const { peers, skipped } = peersHere(folder), figures: PeerFigures[] = [];
    for (const frames of ["64", "imix"] as const) {
      const { capture, cluster } = await runGenerate({
        out: join(folder, `in-${frames}`), packets, frameSize: frames, flows: 52_000, pods: 200, nodes: 10, gateways: 2, policies: 4, prefixes: 500, remotes: 4096,
        replies: 0, seed: 1, distribution: "uniform", protocolMix: { tcp: 80, udp: 20, icmp: 0 },
      });
      const plan = join(folder, "plan");
      writeFileSync(plan, peerPlan(await tablesOf(cluster)));
      const samples = peers.map((): { seconds: number; cpu: number; digest: string }[] => []);
      for (let round = 1; round <= rounds; round++) {
        for (const [k, peer] of peers.entries()) {
          say(`peers, round ${round} of ${rounds}: ${frames} ${peer.who}`);
          samples[k]?.push(measured(peer, { capture, cluster, plan }, folder));
        }
      }
      const ours = samples[0]?.[0]?.digest;
      for (const [k, { who, sameWork }] of peers.entries()) {
        const own = samples[k] ?? [];
        figures.push({
          who, frames, packetsPerSecond: spreadOf(own.map(({ seconds }) => packets / seconds)), cpuSecondsPerMillion: (spreadOf(own.map(({ cpu }) => cpu)).median * 1e6) / packets,
          sameBytes: !sameWork ? "other work" : own.every(({ digest }) => digest === ours) ? "yes" : "no",
        });
      }
    }
    return { figures, skipped };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function measured(peer: Peer, input: { capture: string; cluster: string; plan: string }, folder: string): { seconds: number; cpu: number; digest: string } {
  const { args, output } = peer.command(input, folder), [file = "", ...rest] = args;
  const cpuBefore = childrenCpu(), before = performance.now();
  const { status, stderr } = spawnSync(file, rest, { encoding: "utf8" });
  const seconds = (performance.now() - before) / 1000, cpu = childrenCpu() - cpuBefore;
  if (status === null || status > 1) throw new Error(`${peer.who} ended with ${status}: ${stderr}`);
  const digest = createHash("sha256").update(readFileSync(output)).digest("hex");
  rmSync(output);
  return { seconds, cpu, digest };
}

/** User and system seconds of all children that have ended (Linux; elsewhere 0). */
function childrenCpu(): number {
  if (!existsSync("/proc/self/stat")) return 0;
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
