// What is written, as other programs see it.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runGenerate } from "../../src/generate/generate.ts";
import { runTool, toolIsMissing } from "../io/capture-tools.ts";
import { dissect, type Dissected } from "./dissected.ts";
import { errorsAndFragments } from "./hard-traffic.ts";
import { hardTraffic6 } from "./hard-traffic6.ts";
import { captureAt, captureOf, filler, PSH_ACK, tcp } from "./packets.ts";
import { CLUSTER, DUAL_STACK, edge, FIXTURES, replayInto, Scratch, UNBUILT, type Written } from "./replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const reason = UNBUILT !== "" ? UNBUILT : toolIsMissing("tshark", "tcpdump", "capinfos", "editcap", "mergecap");
const STREAMS = ["pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng"] as const;
/** Their own end is the oddity; mergecap would stop there. */
const BROKEN = ["truncated.pcap", "oversized-record.pcap", "unknown-link-type.pcap"];
/** Outer Ethernet, IPv4, UDP and VXLAN headers. */
const TUNNEL_OVERHEAD = 50;
const CLUSTER_POD = /^10\.244\./;

/** The two defects that Cilium 1.19 has: the outer checksum of an error about an echo on its way in, and of an error that a
 * pod sends about anything with ports. */
function isRecordedDefect({ isIcmpError, faults, protocolNumbers, destination }: Dissected): boolean {
  if (!isIcmpError || faults.join() !== "icmp") return false;
  return protocolNumbers[1] === "1" ? CLUSTER_POD.test(destination) : !CLUSTER_POD.test(destination);
}

interface Checked {
  readonly packets: number;
  readonly defects: readonly Dissected[];
  /** Packets whose faults were in the input already. */
  readonly explained: number;
}

/** Every fault of a file must be in the input at the same time, or be a recorded defect. */
function expectSound(path: string, faultsOfInput: ReadonlyMap<string, ReadonlySet<string>>): Checked {
  const packets = dissect(path), defects: Dissected[] = [], unexplained: Dissected[] = [];
  for (const packet of packets) {
    if (packet.faults.length === 0) continue;
    if (isRecordedDefect(packet)) defects.push(packet);
    else if (!packet.faults.every((fault) => faultsOfInput.get(packet.time)?.has(fault) === true)) unexplained.push(packet);
  }
  expect(unexplained, path).toEqual([]);
  return { packets: packets.length, defects, explained: packets.filter(({ faults }) => faults.length > 0).length - defects.length };
}

function faultsOf(path: string): Map<string, Set<string>> {
  const faults = new Map<string, Set<string>>();
  for (const packet of dissect(path)) {
    const seen = faults.get(packet.time) ?? new Set<string>();
    for (const fault of packet.faults) seen.add(fault);
    faults.set(packet.time, seen);
  }
  return faults;
}

describe.skipIf(reason !== "")(reason === "" ? "the captures written" : `the captures written (skipped: ${reason})`, { timeout: 60_000 }, () => {
  const runs = new Map<string, { readonly written: Written; readonly input: ReadonlyMap<string, ReadonlySet<string>> }>();

  beforeAll(async () => {
    const add = async (name: string, captures: readonly string[], cluster: string): Promise<void> => {
      const merged = join(scratch.folder, `${name}-input.pcapng`);
      runTool("mergecap", ["-w", merged, ...captures.filter((path) => !BROKEN.some((broken) => path.endsWith(broken)))]);
      const written = await replayInto(scratch.place(), captures, cluster, { "trace-packets": "all", workers: "2" });
      runs.set(name, { written, input: faultsOf(merged) });
    };
    await add("recorded", readdirSync(join(FIXTURES, "captures")).map((name) => join(FIXTURES, "captures", name)), CLUSTER);
    await add("odd", readdirSync(join(FIXTURES, "edge")).map(edge), CLUSTER);
    await add("hard", [scratch.file("hard.pcap", errorsAndFragments(300))], CLUSTER);
    await add("hard IPv6", [scratch.file("hard6.pcap", captureAt(hardTraffic6(300)))], DUAL_STACK);
    const generated = await runGenerate({ out: scratch.place(), packets: 3000, flows: 900, pods: 30, nodes: 5, remotes: 3, seed: 5 });
    await add("generated", [generated.capture], generated.cluster);
    const both = await runGenerate({ out: scratch.place(), packets: 3000, flows: 900, pods: 30, nodes: 5, remotes: 3, seed: 6, ipFamily: "dual" });
    await add("generated, both families", [both.capture], both.cluster);
  }, 60_000);

  it.each(["recorded", "odd", "hard", "hard IPv6", "generated", "generated, both families"])("of %s traffic have right checksums and nothing malformed that was not so before", (name) => {
    const run = runs.get(name);
    if (run === undefined) throw new Error(`no run ${name}`);
    const { written, input } = run, inner = join(scratch.folder, `${name}-inner.pcap`);
    runTool("editcap", ["-F", "pcap", "-C", String(TUNNEL_OVERHEAD), join(written.folder, "overlay.pcap"), inner]);
    const [pod, overlay, external, trace] = STREAMS.map((stream) => expectSound(join(written.folder, stream), input));
    const unwrapped = expectSound(inner, input);
    expect(unwrapped.packets).toBe(overlay?.packets);
    for (const checked of [pod, overlay, external, trace]) expect(checked?.packets).toBeGreaterThan(100);
    const toPods = pod?.defects.filter(({ destination }) => CLUSTER_POD.test(destination)) ?? [];
    expect(toPods.length).toBe(written.report.replies.knownDefect);
    // The IPv6 traffic has no error whose checksum 1.19 gets wrong.
    if (name.startsWith("generated") || name === "hard IPv6") expect(trace?.defects).toEqual([]);
    else expect(toPods.length).toBeGreaterThan(0);
    if (name === "recorded" || name.startsWith("generated")) expect([pod?.explained, external?.explained, trace?.explained]).toEqual([0, 0, 0]);
    // What was wrong stays wrong: the datapath amends checksums and never verifies them.
    else if (name === "odd") expect([external?.defects.length, external?.explained, trace?.explained].every((count) => (count ?? 0) > 0)).toBe(true);
  });

  it("decode as VXLAN with whole inner frames, the tunnel's own headers sound", () => {
    for (const [name, { written }] of runs) {
      const packets = dissect(join(written.folder, "overlay.pcap"));
      for (const { protocols, source, destination } of packets) {
        expect(protocols, name).toMatch(/^eth:ethertype:ip:udp:vxlan:eth:ethertype:(ip|ipv6)/);
        expect(`${source} ${destination}`).not.toMatch(/10\.244\./);
      }
    }
  });

  it("decode as VXLAN where an offloaded frame is longer than the outer length fields can tell, and where it fills a record", async () => {
    const out = { from: "10.244.1.10", to: "198.51.100.10" }, segment = tcp(out, 40_000, 443, PSH_ACK, 65_495);
    const capture = scratch.file("offloaded.pcap", captureOf([segment, Buffer.concat([segment, filler(262_144 - 14 - segment.length)])]));
    const { folder } = await replayInto(scratch.place(), [capture], CLUSTER), overlay = join(folder, "overlay.pcap");
    for (const { protocols, faults } of dissect(overlay)) expect([protocols, faults]).toEqual([expect.stringMatching(/^eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp/), []]);
    expect([dissect(overlay).length, runTool("tcpdump", ["-nr", overlay]).status]).toEqual([2, 0]);
  });

  it("open in libpcap's and Wireshark's tools without a complaint", () => {
    for (const { written } of runs.values()) {
      for (const stream of STREAMS) {
        const path = join(written.folder, stream), byTcpdump = runTool("tcpdump", ["-nr", path]), byCapinfos = runTool("capinfos", [path]);
        expect(byTcpdump.stderr.trim()).toBe(`reading from file ${path}, link-type EN10MB (Ethernet), snapshot length 262144`);
        expect([byTcpdump.status, byCapinfos.status, byCapinfos.stderr]).toEqual([0, 0, ""]);
      }
    }
  });

  it("keep the order and the time stamps of the input", () => {
    for (const { written, input } of runs.values()) {
      for (const stream of STREAMS) {
        const times = dissect(join(written.folder, stream)).map(({ time }) => time).filter((time) => input.has(time));
        expect(times.length).toBeGreaterThan(100);
        expect(times).toEqual([...times].sort((a, b) => Number(a) - Number(b)));
      }
    }
  });

  it("say at every hop of the trace what happened there and why", () => {
    const comments = dissect(join(runs.get("recorded")?.written.folder ?? "", "trace.pcapng")).map(({ comment }) => comment);
    for (const comment of comments) expect(comment).toMatch(/^packet \d+, (from-container|to-netdev|from-overlay|from-netdev|to-container) on \S+, .*(FORWARDED|REDIRECTED|DELIVERED|PASSED|DROPPED)/);
    expect(comments.filter((comment) => comment.includes("DROPPED 194 No egress gateway found")).length).toBe(4);
    expect(comments.some((comment) => /policy payment-egress, SNAT to 192\.168\.60\.101:\d+, FORWARDED/.test(comment))).toBe(true);
  });
});
