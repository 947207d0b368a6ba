import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InputError } from "../../src/cluster/input-error.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { type GenerateOptions, type GenerateSummary, runGenerate } from "../../src/generate/generate.ts";
import { byFlow, frameFault, isReply, walkCapture, type WalkedFrame } from "./capture-walk.ts";

const FIN = 1, SYN = 2, ACK = 16;

let scratch = "";
let folders = 0;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "egwsim-generate-"));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

interface Made {
  readonly summary: GenerateSummary;
  readonly frames: WalkedFrame[];
}

async function make(options: Omit<GenerateOptions, "out">): Promise<Made> {
  const summary = await runGenerate({ ...options, out: join(scratch, `run-${folders++}`) });
  return { summary, frames: walkCapture(await readFile(summary.capture)) };
}

async function refusal(options: GenerateOptions): Promise<readonly string[]> {
  const outcome: unknown = await runGenerate(options).catch((error: unknown) => error);
  if (!(outcome instanceof InputError)) throw new Error(`not refused: ${String(outcome)}`);
  return outcome.problems.map((problem) => problem.subject);
}

describe("a generated capture", () => {
  it("holds exactly the packets asked for, as many of them replies as asked for", async () => {
    const { summary, frames } = await make({ packets: 20_000, replies: 0.25 });
    expect(frames).toHaveLength(20_000);
    expect(frames.filter(isReply)).toHaveLength(5000);
    expect(summary).toMatchObject({ packets: 20_000, replies: 5000, flows: 1000 });
    expect(summary.bytes).toBe(frames.reduce((sum, frame) => sum + frame.bytes.length, 0));
    const { tcp, udp, icmp } = summary.packetsByProtocol;
    expect([tcp, udp, icmp]).toEqual([6, 17, 1].map((protocol) => frames.filter((frame) => frame.protocol === protocol).length));
  });

  it("has right lengths and checksums in every frame, and the check finds a single wrong bit", async () => {
    const { frames } = await make({ packets: 5000, flows: 200, protocolMix: { tcp: 1, udp: 1, icmp: 1 } });
    expect(new Set(frames.map((frame) => frame.protocol))).toEqual(new Set([1, 6, 17]));
    for (const frame of frames) expect(frameFault(frame.bytes)).toBe("");
    for (const protocol of [1, 6, 17]) {
      const frame = Buffer.from(frames.find((each) => each.protocol === protocol)?.bytes ?? []);
      frame.writeUInt8(frame.readUInt8(41) ^ 1, 41);
      expect(frameFault(frame)).toBe(`checksum of protocol ${protocol}`);
    }
  });

  it("keeps its promises for any settings", async () => {
    const settings = fc.record({
      seed: fc.nat(),
      packets: fc.integer({ min: 50, max: 400 }),
      flows: fc.integer({ min: 1, max: 50 }),
      pods: fc.integer({ min: 8, max: 40 }),
      nodes: fc.integer({ min: 2, max: 12 }),
      gateways: fc.integer({ min: 1, max: 2 }),
      policies: fc.integer({ min: 0, max: 8 }),
      prefixes: fc.integer({ min: 8, max: 40 }),
      remotes: fc.integer({ min: 1, max: 300 }),
      frameSize: fc.oneof(fc.constantFrom("64" as const, "imix" as const), fc.integer({ min: 64, max: 1518 })),
      distribution: fc.constantFrom("uniform" as const, "zipf" as const),
      replies: fc.double({ min: 0, max: 0.9, noNaN: true }),
      newFlowRate: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(settings, async (options) => {
        const { summary, frames } = await make({ ...options, prefixes: options.policies === 0 ? 0 : options.prefixes });
        expect(frames).toHaveLength(options.packets);
        expect(frames.filter((frame) => frameFault(frame.bytes) !== "")).toEqual([]);
        expect(byFlow(frames).size).toBe(summary.flows);
        expect(frames.every((frame, i) => i === 0 || frame.time >= (frames[i - 1]?.time ?? 0n))).toBe(true);
      }),
      { numRuns: 25, seed: 20260101 },
    );
  });

  it("begins every TCP flow with SYN, SYN-ACK and ACK, with sequence numbers that fit", async () => {
    const { frames } = await make({ packets: 6000, flows: 100, protocolMix: { tcp: 1, udp: 0, icmp: 0 } });
    for (const flow of byFlow(frames).values()) {
      const opening = [[SYN, false], [SYN | ACK, true], [ACK, false]].slice(0, flow.length);
      expect(flow.slice(0, 3).map((frame) => [frame.tcpFlags, isReply(frame)])).toEqual(opening);
      const next = new Map<boolean, number>();
      for (const frame of flow) {
        const expected = next.get(isReply(frame));
        if (expected !== undefined) expect(frame.sequence).toBe(expected);
        if ((frame.tcpFlags & ACK) !== 0) expect(frame.acknowledgment).toBe(next.get(!isReply(frame)));
        const counted = frame.dataLen + ((frame.tcpFlags & (SYN | FIN)) === 0 ? 0 : 1);
        next.set(isReply(frame), (frame.sequence + counted) % 2 ** 32);
      }
    }
  });

  it("answers an echo request only after it was sent, with its identifier and number", async () => {
    const { frames } = await make({ packets: 2000, flows: 20, replies: 0.5, protocolMix: { tcp: 0, udp: 0, icmp: 1 } });
    for (const flow of byFlow(frames).values()) {
      const asked = new Set<number>();
      for (const frame of flow) {
        const number = frame.bytes.readUInt16BE(40);
        if (isReply(frame)) expect([frame.icmpType, asked.delete(number)]).toEqual([0, true]);
        else asked.add(number);
      }
    }
  });

  it("closes flows in order where new ones take their place", async () => {
    const { summary, frames } = await make({ packets: 8000, flows: 20, newFlowRate: 0.05, protocolMix: { tcp: 1, udp: 0, icmp: 0 } });
    const flows = byFlow(frames);
    expect(summary.flows).toBeGreaterThan(100);
    expect(flows.size).toBe(summary.flows);
    const closed = [...flows.values()].filter((flow) => (flow.at(-2)?.tcpFlags ?? 0) === (FIN | ACK));
    expect(closed.length).toBeGreaterThan(80);
    for (const flow of closed) {
      expect(flow.slice(-3).map((frame) => [frame.tcpFlags, isReply(frame)])).toEqual([[FIN | ACK, false], [FIN | ACK, true], [ACK, false]]);
    }
  });

  it("has no frame from outside where no replies are wanted", async () => {
    const { frames } = await make({ packets: 3000, replies: 0 });
    expect(frames.filter(isReply)).toEqual([]);
  });

  it("holds 60 bytes of a 64-byte frame, as captures leave out the check sequence", async () => {
    const { frames } = await make({ packets: 2000, frameSize: "64" });
    expect(new Set(frames.map((frame) => frame.bytes.length))).toEqual(new Set([60]));
    const larger = await make({ packets: 2000, frameSize: 512, protocolMix: { tcp: 0, udp: 1, icmp: 0 } });
    expect(new Set(larger.frames.map((frame) => frame.bytes.length))).toEqual(new Set([508]));
  });

  it("draws IMIX sizes in the proportion 7:4:1", async () => {
    const { frames } = await make({ packets: 24_000, flows: 10, frameSize: "imix", protocolMix: { tcp: 0, udp: 1, icmp: 0 } });
    const count = (length: number): number => frames.filter((frame) => frame.bytes.length === length).length;
    expect(count(60) + count(590) + count(1514)).toBe(24_000);
    // Four standard deviations of a draw of 24,000 with these shares.
    expect(Math.abs(count(60) - 14_000)).toBeLessThan(310);
    expect(Math.abs(count(590) - 8000)).toBeLessThan(295);
    expect(Math.abs(count(1514) - 2000)).toBeLessThan(175);
  });

  it("gives the first flows most packets under zipf and none of them under uniform", async () => {
    const largestShare = async (distribution: "zipf" | "uniform"): Promise<number> => {
      const { frames } = await make({ packets: 20_000, flows: 500, distribution });
      return Math.max(...[...byFlow(frames).values()].map((flow) => flow.length)) / 20_000;
    };
    expect(await largestShare("zipf")).toBeGreaterThan(0.1);
    expect(await largestShare("uniform")).toBeLessThan(0.05);
  });

  it("is the same byte for byte from the same seed, and another one from another seed", async () => {
    const bytes = async (seed: number): Promise<string[]> => {
      const { summary } = await make({ packets: 3000, flows: 300, seed });
      const names = (await readdir(summary.cluster)).sort();
      const files = [summary.capture, ...names.map((name) => join(summary.cluster, name))];
      return Promise.all(files.map((file) => readFile(file, "latin1")));
    };
    const first = await bytes(7);
    expect(await bytes(7)).toEqual(first);
    expect((await bytes(8))[0]).not.toBe(first[0]);
    expect((await bytes(2 ** 40 + 7))[0]).not.toBe(first[0]);
  });
});

describe("a generated cluster", () => {
  it("is read without a finding, and holds what was asked for", async () => {
    const { summary, frames } = await make({ packets: 2000, pods: 90, nodes: 7, gateways: 2, policies: 5, prefixes: 23, remotes: 50 });
    const { tables, findings, ignored } = compileTables(await loadCluster([summary.cluster]), { semantics: "cilium-1.19" });
    expect(findings).toEqual([]);
    expect(ignored).toEqual([]);
    expect(tables.nodes).toHaveLength(7);
    expect(tables.policies.map((policy) => policy.accepted)).toEqual([true, true, true, true, true]);
    expect(tables.policyEntries.every((entry) => entry.egressIp !== 0 && entry.gatewayNode >= 0)).toBe(true);
    const pods = new Set(tables.nodes.flatMap((node) => node.endpoints.filter((endpoint) => !endpoint.host).map((endpoint) => endpoint.address)));
    expect(pods.size).toBe(90);
    for (const frame of frames) expect(pods.has(frame.bytes.readUInt32BE(isReply(frame) ? 30 : 26))).toBe(true);
  });

  it("spreads the prefixes over the policies and covers every remote exactly once in each", async () => {
    const { summary, frames } = await make({ packets: 2000, pods: 4, policies: 3, prefixes: 100, remotes: 1000 });
    const { tables } = compileTables(await loadCluster([summary.cluster]), { semantics: "cilium-1.19" });
    const remotes = [...new Set(frames.map((frame) => frame.bytes.readUInt32BE(isReply(frame) ? 26 : 30)))];
    const bySource = new Map<number, { address: number; bits: number }[]>();
    for (const { source, destination } of tables.policyEntries) bySource.set(source, [...(bySource.get(source) ?? []), destination]);
    expect([...bySource.values()].map((prefixes) => prefixes.length).sort()).toEqual([33, 33, 34]);
    for (const prefixes of bySource.values()) {
      for (const remote of remotes) {
        expect(prefixes.filter(({ address, bits }) => Math.floor((remote - address) / 2 ** (32 - bits)) === 0)).toHaveLength(1);
      }
    }
  });

  it("leaves a group of pods without a policy", async () => {
    const { summary } = await make({ packets: 100, flows: 10, pods: 30, policies: 2 });
    const { tables } = compileTables(await loadCluster([summary.cluster]), { semantics: "cilium-1.19" });
    expect(new Set(tables.policyEntries.map((entry) => entry.source)).size).toBe(20);
  });

  it("asks for larger maps where the model outgrows the defaults", async () => {
    const { summary } = await make({ packets: 100, flows: 10, pods: 200, policies: 1, prefixes: 200 });
    const { tables } = compileTables(await loadCluster([summary.cluster]), { semantics: "cilium-1.19" });
    expect(tables.policyEntries).toHaveLength(20_000);
    expect(tables.config.policyMapMax).toBe(32_768);
  });
});

describe("what the generator refuses", () => {
  it("names every setting out of range at once", async () => {
    const subjects = await refusal({ out: join(scratch, "never"), packets: 0, pods: 0, replies: 1, frameSize: 63, gateways: 99, protocolMix: { tcp: 0, udp: 0, icmp: 0 } });
    expect(subjects).toEqual(expect.arrayContaining(["--packets", "--pods", "--replies", "--frame-size", "--gateways", "--protocol-mix"]));
    expect(await readdir(scratch)).not.toContain("never");
  });

  it("wants a pod, a gateway and a prefix for each policy, and a policy for prefixes", async () => {
    const out = join(scratch, "never");
    expect(await refusal({ out, pods: 2, policies: 3 })).toEqual(["--policies"]);
    expect(await refusal({ out, gateways: 0 })).toEqual(["--gateways"]);
    expect(await refusal({ out, policies: 5, prefixes: 4 })).toEqual(["--prefixes"]);
    expect(await refusal({ out, policies: 0, prefixes: 4 })).toEqual(["--prefixes"]);
    expect(await refusal({ out, packets: 10, flows: 11 })).toEqual(["--flows"]);
    expect(await refusal({ out, packets: 70_000, flows: 65_537, pods: 1, policies: 1 })).toEqual(["--flows"]);
    expect(await refusal({ out, pods: 262_144, nodes: 33, gateways: 32 })).toEqual(["--pods"]);
  });

  it("does not write into a folder that holds something, unless told to", async () => {
    const out = join(scratch, "taken");
    await runGenerate({ out, packets: 100, flows: 10 });
    await writeFile(join(out, "note.txt"), "mine");
    expect(await refusal({ out, packets: 200, flows: 10 })).toEqual([out]);
    await runGenerate({ out, packets: 200, flows: 10, force: true });
    expect(walkCapture(await readFile(join(out, "capture.pcap")))).toHaveLength(200);
    expect(await readFile(join(out, "note.txt"), "utf8")).toBe("mine");
  });

  it("says which path is no folder", async () => {
    const file = join(scratch, "a-file");
    await writeFile(file, "");
    expect(await refusal({ out: join(file, "below") })).toEqual([join(file, "below")]);
  });

  it("takes options that are present but undefined for absent ones", async () => {
    const { summary } = await make({ packets: 100, flows: 10, seed: undefined, pods: undefined });
    expect(summary.line).toContain("100 pods");
  });
});
