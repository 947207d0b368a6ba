// Live traffic with and without ways: the same frames leave, the same flows, maps and counters are left.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import type { KernelBuild } from "../../src/engine/replay-options.ts";
import { FakeDevices, OUTSIDE, PODS } from "./fake-devices.ts";
import { AHEAD, type Ending, endsOf, podSends, PODS_OF_WORKER, throughCluster, throughTunnel, TIMES, Traffic } from "./traffic.ts";

const root = join(import.meta.dirname, "../.."), noWasm = existsSync(join(root, "dist/kernel/kernel.wasm")) ? "" : " (skipped: the WebAssembly kernel is not built)";

let tables: DatapathTables;
beforeAll(async () => {
  ({ tables } = compileTables(await loadCluster([join(root, "fixtures/lab")]), { semantics: "cilium-1.19" }));
});

const withoutCount = (ending: Ending): Ending => ({ ...ending, onWays: 0 });

describe.each<readonly [KernelBuild, string]>([["ts", ""], ["wasm", noWasm]])("of the %s kernel%s", (kernel, missing) => {
  describe.skipIf(missing !== "").each([1, 2])("on %i workers", (workers) => {
    it("nothing tells that packets crossed the whole cluster on ways, and many did", () => {
      const walked = throughCluster(tables, { kernel, workers, flowWays: false }, TIMES), onWays = throughCluster(tables, { kernel, workers }, TIMES);
      expect(walked.onWays).toBe(0);
      expect(onWays.onWays).toBeGreaterThan(500);
      expect(withoutCount(onWays)).toEqual(walked);
    });

    it("nothing tells that packets took ways into the tunnel, out of it, and back", () => {
      const walked = throughTunnel(tables, { kernel, workers, flowWays: false }, TIMES), onWays = throughTunnel(tables, { kernel, workers }, TIMES);
      // From the pods; out of the tunnel and by the device outside, and back; out of the tunnel to the pods.
      for (const each of onWays) expect(each.onWays).toBeGreaterThan(80);
      expect(onWays.map(withoutCount)).toEqual(walked);
    });
  });
});

it("a flow on its way follows new tables from its next packet on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "egwsim-tables-")), [pod = ""] = PODS_OF_WORKER, server = "203.0.113.10";
  const manifests = readFileSync(join(root, "fixtures/lab/cluster.yaml"), "utf8").replace("destinationCIDRs: [203.0.113.0/24]\n  excludedCIDRs", "destinationCIDRs: [198.18.0.0/24]\n  excludedCIDRs");
  writeFileSync(join(folder, "cluster.yaml"), manifests);
  const later = compileTables(await loadCluster([folder]), { semantics: "cilium-1.19" }).tables;
  rmSync(folder, { recursive: true });
  const traffic = new Traffic(new FakeDevices(tables, new Set([0, 1]), 0));
  const send = (frame: Uint8Array): void => traffic.devices.arrive(PODS, frame), frame = podSends(pod, server);
  traffic.send(Array.from({ length: AHEAD + 3 }, () => frame), send);
  expect(new Set(traffic.sentBy(OUTSIDE).map(endsOf))).toEqual(new Set([`192.0.2.101 > ${server}`]));
  expect(traffic.ending(tables, TIMES).onWays).toBeGreaterThan(AHEAD / 2);
  traffic.devices.reload(later);
  traffic.written.length = 0;
  for (let k = 0; k < 3; k++) send(frame);
  traffic.run();
  expect(new Set(traffic.sentBy(OUTSIDE).map(endsOf))).toEqual(new Set([`192.0.2.11 > ${server}`]));
});
