// Any number of workers and either kernel write the same bytes.
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runGenerate } from "../../src/generate/generate.ts";
import { flowLineSchema } from "../../src/observe/flow-shape.ts";
import { hardTraffic6 } from "./hard-traffic6.ts";
import { captureAt } from "./packets.ts";
import { twoMasqueradeAddresses, errorsAndFragments } from "./hard-traffic.ts";
import { CLUSTER, DUAL_STACK, edge, FIXTURES, replayInto, Scratch, UNBUILT, type Words, type Written } from "./replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const FILES = ["pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng", "flows.jsonl", "state.jsonl"] as const;

interface Digest {
  readonly files: Readonly<Record<string, string>>;
  readonly report: string;
}

function digest(written: Written): Digest {
  const { timing: _timing, ...report } = written.report;
  return {
    files: Object.fromEntries(FILES.map((name) => [name, createHash("sha256").update(written.file(name)).digest("hex")])),
    report: JSON.stringify(report, null, 1),
  };
}

/** The first is what the others are held against. Without a number of workers the main thread does a short run's work. */
const RUNS = [["1", "wasm"], ["2", "wasm"], ["4", "wasm"], ["1", "ts"], ["3", "ts"], [null, "wasm"], [null, "ts"]] as const;

async function expectSameOutput(captures: readonly string[], cluster: string, words: Words = {}): Promise<Written> {
  let first: Written | null = null;
  for (const [workers, kernel] of RUNS) {
    const written = await replayInto(scratch.place(), captures, cluster, { ...(workers === null ? {} : { workers }), kernel, "trace-packets": "all", ...words });
    expect(written.report.timing.workers, written.err).toBe(Number(workers ?? 1));
    expect(written.report.timing.kernel).toBe(kernel);
    expect(written.report.conservation.broken).toEqual([]);
    if (first === null) first = written;
    else expect(digest(written), `${workers ?? "no"} workers, ${kernel}`).toEqual(digest(first));
  }
  if (first === null) throw new Error("nothing ran");
  return first;
}

interface FlowLine {
  readonly before: { readonly sourcePort: number };
  readonly after: { readonly sourcePort: number } | null;
}

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "workers and kernels" : `workers and kernels (skipped: ${UNBUILT})`, { timeout: 60_000 }, () => {
  let generated: { readonly capture: string; readonly cluster: string };
  beforeAll(async () => {
    generated = await runGenerate({
      out: scratch.place(), packets: 12_000, flows: 4000, pods: 40, nodes: 6, gateways: 2, policies: 3, prefixes: 12, remotes: 4, newFlowRate: 0.02, seed: 7,
      protocolMix: { tcp: 5, udp: 4, icmp: 3 },
    });
  });

  it("write the same bytes for generated traffic whose source ports collide", async () => {
    const written = await expectSameOutput([generated.capture], generated.cluster);
    const { report } = written;
    expect(report.outcomes.received.packets).toBe(12_000);
    expect(report.replies.identical).toBe(report.replies.restored);
    expect(report.replies.restored).toBeGreaterThan(2500);
    const lines = written.file("flows.jsonl").toString().trim().split("\n").map((line) => JSON.parse(line) as FlowLine);
    const moved = lines.filter(({ before, after }) => after !== null && after.sourcePort !== before.sourcePort);
    expect(moved.length).toBeGreaterThan(700);
  });

  it("write the same bytes for the recorded fixtures and every readable oddity at once", async () => {
    const odd = readdirSync(join(FIXTURES, "edge")).map(edge);
    const { report } = await expectSameOutput([join(FIXTURES, "captures"), ...odd], CLUSTER);
    expect(report.outcomes.received.packets).toBeGreaterThan(1200);
    expect(report.drops.length).toBeGreaterThan(5);
    expect(report.flows.openersAssumed).toBeGreaterThan(0);
  });

  it("write the same bytes for colliding ports, fragments and ICMP errors of many remotes, with long pauses between", async () => {
    const capture = scratch.file("hard.pcap", errorsAndFragments(1500));
    const { report } = await expectSameOutput([capture], CLUSTER);
    expect(report.maps.garbageCollected).toBeGreaterThan(0);
    expect(report.drops.map(({ code }) => code)).toEqual(expect.arrayContaining([134, 175]));
    expect(report.replies.knownDefect).toBeGreaterThan(0);
  });

  it("write the same bytes for IPv6 with everything that makes it hard, IPv4 in between", async () => {
    const capture = scratch.file("hard6.pcap", captureAt(hardTraffic6(1500)));
    const { report, file } = await expectSameOutput([capture], DUAL_STACK);
    expect(report.outcomes.ignored.packets).toBe(0);
    expect(report.maps.garbageCollected).toBeGreaterThan(0);
    expect(report.drops.map(({ code }) => code)).toEqual(expect.arrayContaining([134, 150, 156, 175]));
    expect(report.answered).toBeGreaterThan(100);
    expect(report.defects.errorNotTranslated6).toBeGreaterThan(50);
    expect(report.replies.identical + report.replies.knownDefect).toBeGreaterThan(500);
    expect(report.replies.different).toBe(0);
    const lines = file("flows.jsonl").toString().trim().split("\n").map((line) => flowLineSchema.parse(JSON.parse(line)));
    expect(lines.filter(({ before }) => before.source.includes(":")).length).toBeGreaterThan(300);
    expect(lines.filter(({ before, after }) => after !== null && after.sourcePort !== before.sourcePort).length).toBeGreaterThan(10);
  });

  it("write the same bytes for generated traffic of both families", async () => {
    const both = await runGenerate({ out: scratch.place(), packets: 6000, flows: 2000, pods: 20, nodes: 5, gateways: 2, policies: 2, prefixes: 6, remotes: 3, seed: 9, ipFamily: "dual" });
    const { report } = await expectSameOutput([both.capture], both.cluster);
    expect(report.replies).toMatchObject({ different: 0, identical: report.replies.restored });
    const egress = report.policyUse.map(({ egressIp }) => egressIp ?? "");
    expect([egress.some((address) => address.includes(":")), egress.some((address) => address.includes("."))]).toEqual([true, true]);
  });

  it("write the same bytes, and right ones, for a node that masquerades with the addresses of two devices", async () => {
    const { capture, cluster } = twoMasqueradeAddresses(scratch);
    const { report } = await expectSameOutput([capture], cluster);
    expect(report.masqueradeUse.map(({ sourceIp }) => sourceIp).sort()).toEqual(["10.9.0.11", "192.168.70.11"]);
  });

  it("write the same bytes where only the first flows are listed, only the first packets traced and a share of the state saved", async () => {
    const written = await expectSameOutput([generated.capture], generated.cluster, { "max-flows": "50", "trace-packets": "100", "state-entries": "300" });
    const { report } = written;
    expect(written.file("state.jsonl").toString().trim().split("\n").length).toBeGreaterThan(200);
    expect(written.file("state.jsonl").toString().trim().split("\n").length).toBeLessThan(310);
    expect(report.flows.listed).toBe(50);
    expect(report.flows.notListed).toBe(report.flows.total - 50);
  });
});
