// What is counted without making records agrees with the records: flows by what became of them, SNAT ports by remote end.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import type { ReplayEnd } from "../../src/engine/replay-options.ts";
import { runReplay } from "../../src/engine/run-replay.ts";
import { FlowCounter } from "../../src/observe/flow-totals.ts";
import { tableNames } from "../../src/observe/table-names.ts";
import { errorsAndFragments } from "../e2e/hard-traffic.ts";
import { hardTraffic6 } from "../e2e/hard-traffic6.ts";
import { captureAt } from "../e2e/packets.ts";
import { CLUSTER, DUAL_STACK, FIXTURES, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const TUPLE_IN = 1, ROWS = 32;

async function run(tables: DatapathTables, paths: readonly string[], maxFlows: number): Promise<ReplayEnd> {
  return await runReplay({
    captures: paths.map((path) => ({ path, point: "pod" })), tables, outDir: null, write: new Set(), workers: 2, exactWorkers: true, kernel: "wasm",
    captureInterface: null, assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0, maxFlows,
  }, { onProgress: () => undefined, shouldStop: () => false });
}

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "counts" : `counts (skipped: ${UNBUILT})`, { timeout: 60_000 }, () => {
  const inputs: readonly (readonly [string, readonly string[], () => readonly string[]])[] = [
    ["IPv4, hard traffic", [CLUSTER], () => [scratch.file("hard.pcap", errorsAndFragments(400)), ...readdirSync(join(FIXTURES, "captures")).map((name) => join(FIXTURES, "captures", name))]],
    ["both families", [DUAL_STACK], () => [scratch.file("hard6.pcap", captureAt(hardTraffic6(300)))]],
  ];

  it.each(inputs)("of flows are those of their records: %s", async (_, cluster, captures) => {
    const tables = await tablesOf(...cluster), names = tableNames(tables);
    for (const maxFlows of [1_000_000, 20]) {
      const end = await run(tables, captures(), maxFlows), counted = new FlowCounter(names), listed = new FlowCounter(names);
      for (const flow of end.counted) counted.add(flow);
      for await (const flow of end.flows) listed.add(flow);
      expect(counted.totals()).toEqual(listed.totals());
      expect(counted.totals().listed).toBeGreaterThan(maxFlows === 20 ? 10 : 100);
      expect(counted.totals().listed).toBeLessThanOrEqual(maxFlows);
    }
  });

  it.each(inputs)("of SNAT ports are those of the NAT maps' entries: %s", async (_, cluster, captures) => {
    const { result, maps } = await run(await tablesOf(...cluster), captures(), 1_000_000), inUse = new Map<string, number>();
    for (const record of maps(Number.MAX_SAFE_INTEGER).records) {
      if (!("toAddress" in record) || (record.flags & TUPLE_IN) === 0) continue;
      const key = [record.node, record.protocol, typeof record.destination, record.destination, record.source, record.sourcePort].join(" ");
      inUse.set(key, (inUse.get(key) ?? 0) + 1);
    }
    const told = result.snatPorts.map((use) => [[use.node, use.protocol, typeof use.egressIp, use.egressIp, use.remote, use.remotePort].join(" "), use.inUse] as const);
    expect(told.length).toBe(Math.min(ROWS, inUse.size));
    expect(inUse.size).toBeGreaterThan(5);
    for (const [key, count] of told) expect(inUse.get(key), key).toBe(count);
    expect(told.map(([, count]) => count)).toEqual([...inUse.values()].sort((a, b) => b - a).slice(0, ROWS));
  });
});
