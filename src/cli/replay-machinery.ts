// The one place where the command line meets the parts that do the work.
import { existsSync } from "node:fs";
import { loadCluster } from "../cluster/load.ts";
import { compileTables } from "../control/compile.ts";
import { prepareWorkers, runReplay } from "../engine/run-replay.ts";
import { expandCapturePaths } from "../io/capture-paths.ts";
import { packageVersion } from "./package-version.ts";
import type { ReplayMachinery } from "./replay-run.ts";

export function replayMachinery(): ReplayMachinery {
  return {
    expandCaptures: async (paths) => await expandCapturePaths(paths),
    compileCluster: async (paths, semantics) => compileTables(await loadCluster(paths), { semantics }),
    prepare: (options) => void prepareWorkers(options),
    replay: runReplay,
    kernelIsBuilt: () => existsSync(new URL("../kernel/kernel.wasm", import.meta.url)),
    version: packageVersion(),
    nodeVersion: process.version,
  };
}
