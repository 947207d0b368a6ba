// What a flow's way spares is looking, never an effect: with ways and without them a run leaves the same files, report and flows.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { CaptureInput, OutputKind, ReplayOptions } from "../../src/engine/replay-options.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { compileTables } from "../../src/control/compile.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import { runGenerate } from "../../src/generate/generate.ts";
import { errorsAndFragments } from "../e2e/hard-traffic.ts";
import { ACK, captureOf, FIN_ACK, SYN, SYN_ACK, tcp, udp } from "../e2e/packets.ts";
import { CLUSTER, FIXTURES, replay, Scratch, tablesOf, UNBUILT, withoutTiming } from "../e2e/replayed.ts";
import { settings } from "../properties/seed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const FILES = ["pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng"] as const;
const EVERYTHING: ReadonlySet<OutputKind> = new Set(["pod", "overlay", "external", "trace"]);

async function outcome(tables: DatapathTables, captures: readonly (string | CaptureInput)[], changes: Partial<ReplayOptions>) {
  const outDir = scratch.place();
  const { result, flows } = await replay(tables, captures, { outDir, write: EVERYTHING, tracePackets: 50, ...changes });
  return { result: withoutTiming(result), flows, files: FILES.map((name) => readFileSync(join(outDir, name))) };
}

async function expectSame(tables: DatapathTables, captures: readonly (string | CaptureInput)[], changes: Partial<ReplayOptions> = {}): Promise<void> {
  const walked = await outcome(tables, captures, { ...changes, flowWays: false });
  for (const kernel of ["wasm", "ts"] as const) {
    const { result, flows, files } = await outcome(tables, captures, { ...changes, kernel });
    expect(result, kernel).toEqual(walked.result);
    expect(flows, kernel).toEqual(walked.flows);
    expect(files.map((file, k) => file.equals(walked.files[k] ?? Buffer.alloc(0))), kernel).toEqual([true, true, true, true]);
  }
}

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "flow ways" : `flow ways (skipped: ${UNBUILT})`, { timeout: 120_000 }, () => {
  it("change nothing for generated traffic, with connections that end and begin anew, collections between", async () => {
    await fc.assert(fc.asyncProperty(
      fc.record({
        flows: fc.integer({ min: 1, max: 300 }), replies: fc.constantFrom(0, 0.3, 0.6), newFlowRate: fc.constantFrom(0, 0.02, 0.2), seed: fc.nat(),
        packetsPerSecond: fc.constantFrom(2, 40, 100_000), frameSize: fc.constantFrom("64", "imix"), gateways: fc.integer({ min: 1, max: 3 }), nodes: fc.integer({ min: 3, max: 5 }),
      }),
      fc.constantFrom(1, 3), async (traffic, workers) => {
        const { capture, cluster } = await runGenerate({ out: scratch.place(), packets: 1500, pods: 12, policies: 2, prefixes: 6, remotes: 9, ...traffic } as Parameters<typeof runGenerate>[0]);
        await expectSame(await tablesOf(cluster), [capture], { workers });
      }), settings(5));
  });

  it("change nothing for fragments, errors, damaged and hostile frames", async () => {
    await expectSame(await tablesOf(CLUSTER), [scratch.file("hard.pcap", errorsAndFragments(400)), ...readdirSync(join(FIXTURES, "captures")).map((name) => join(FIXTURES, "captures", name))]);
  });

  it("change nothing under a network policy, whose verdict an established flow keeps", async () => {
    const tables = compileTables(await loadCluster([CLUSTER, join(FIXTURES, "network-policy")]), { semantics: "cilium-1.19" }).tables;
    const captures = readdirSync(join(FIXTURES, "captures")).map((name) => join(FIXTURES, "captures", name));
    await expectSame(tables, captures);
    const { result } = await replay(tables, captures);
    expect(result.drops.some(({ networkPolicy }) => networkPolicy >= 0)).toBe(true);
    expect(result.timing.packetsOnWays).toBeGreaterThan(0);
  });

  it("change nothing where one capture was taken at the pods and the same at a node", async () => {
    const { capture, cluster } = await runGenerate({ out: scratch.place(), packets: 2000, flows: 60, pods: 8, nodes: 4, gateways: 1, policies: 1, prefixes: 2, remotes: 3, seed: 3 });
    await expectSame(await tablesOf(cluster), [capture, { path: capture, point: "node" }]);
  });

  it("begin with what answers a connection's opening, and outlast its end", async () => {
    const out = { from: "10.244.1.10", to: "198.51.100.10" }, back = { from: out.to, to: out.from };
    const opening = [tcp(out, 40_000, 443, SYN), tcp(back, 443, 40_000, SYN_ACK), tcp(out, 40_000, 443, ACK), tcp(back, 443, 40_000, ACK)];
    const closing = [tcp(out, 40_000, 443, FIN_ACK), tcp(back, 443, 40_000, ACK), tcp(back, 443, 40_000, FIN_ACK), tcp(out, 40_000, 443, ACK)];
    const question = udp(out, 5000, 53, 20), capture = scratch.file("connection.pcap", captureOf([...opening, ...closing, question, question]));
    await expectSame(await tablesOf(CLUSTER), [capture]);
    const { result } = await replay(await tablesOf(CLUSTER), [capture]);
    // Walked are SYN, SYN-ACK and the first ACK, both FINs, and two datagrams.
    expect(result.timing.packetsOnWays).toBe(3);
  });

  it("are taken by nearly all packets of long flows", async () => {
    const { capture, cluster } = await runGenerate({ out: scratch.place(), packets: 6000, flows: 20, pods: 8, nodes: 4, gateways: 1, policies: 1, prefixes: 2, remotes: 3, seed: 4, protocolMix: { tcp: 1, udp: 1, icmp: 0 } });
    const { result } = await replay(await tablesOf(cluster), [capture]);
    expect(result.timing.packetsOnWays).toBeGreaterThan(5500);
    expect(result.timing.packetsOnWays).toBeLessThan(6000);
  });
});
