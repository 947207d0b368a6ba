// Live traffic with and without ways: the same frames leave, the same flows, maps and counters are left.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import type { KernelBuild } from "../../src/engine/replay-options.ts";
import { type Ending, throughCluster, throughTunnel, TIMES } from "./traffic.ts";

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
