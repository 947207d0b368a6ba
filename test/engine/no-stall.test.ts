// In its steady state a kernel makes no garbage and keeps its optimised code: millions of packets pass without a scavenge or a
// bailout. Run in a process of its own, whose only work is the kernel's.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { runGenerate } from "../../src/generate/generate.ts";
import { Scratch, UNBUILT } from "../e2e/replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

/** Fills one chunk, has it processed until `PACKETS` went through, and prints the collections that the second half saw. */
const PROGRAM = `
import { constants, PerformanceObserver } from "node:perf_hooks";
const [dist, capture, cluster, build, wanted] = process.argv.slice(2);
const from = (path) => import(new URL(path, "file://" + dist).href);
const { loadCluster } = await from("cluster/load.js"), { compileTables } = await from("control/compile.js"), { layOutMemory } = await from("engine/cluster-memory.js");
const { ChunkFiller } = await from("engine/chunk-filler.js"), { CaptureTally } = await from("engine/capture-tally.js"), { AddressBook4, AddressBook6 } = await from("engine/address-book.js");
const { Steering } = await from("engine/steer.js"), { clusterAddresses, clusterAddresses6 } = await from("engine/image/cluster-addresses.js"), { mergeCaptures } = await from("io/merge.js");
const { openCapture } = await from("io/open-capture.js"), { kernelOn } = await from("engine/kernel-instance.js"), { X_CURSORS, X_LIMITS } = await from("kernel/pipeline/layout-batch.js");
const { tables } = compileTables(await loadCluster([cluster]), { semantics: "cilium-1.19" });
const options = { captures: [{ path: capture, point: "pod" }], tables, outDir: "", write: new Set(["overlay", "external"]), workers: 1, kernel: build, captureInterface: null,
  assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0, maxFlows: 10000 };
const memory = layOutMemory(options, 1), kernel = kernelOn(memory.arena.memory, build), merged = mergeCaptures([await openCapture(capture)]);
const filler = new ChunkFiller(merged, memory, new Steering(new AddressBook4(clusterAddresses(tables)), new AddressBook6(clusterAddresses6(tables)), tables.config.tunnelPort), new CaptureTally(1), options);
filler.begin(0);
while (filler.fill(Infinity) === "needs-fill") await merged.fill();
filler.close();
const [worker] = memory.workers, words = memory.arena.words, rounds = Math.ceil(wanted / filler.packets);
const work = (count) => {
  for (let k = 0; k < count; k++) {
    for (let stream = 0; stream < 4; stream++) {
      words[(worker.context + X_CURSORS) / 4 + stream] = worker.streams[0][stream];
      words[(worker.context + X_LIMITS) / 4 + stream] = worker.streams[0][stream] + 1000000;
    }
    kernel.processBatch(worker.context, worker.descriptors[0], filler.packets);
  }
};
work(rounds >> 2);
work(rounds >> 2);
gc();
await new Promise((resolve) => setTimeout(resolve, 50));
console.log("steady");
let collections = 0;
const observer = new PerformanceObserver((list) => { for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) collections++; });
observer.observe({ entryTypes: ["gc"] });
const used = process.memoryUsage().heapUsed;
work(rounds);
await new Promise((resolve) => setTimeout(resolve, 50));
console.log("ended");
console.log(JSON.stringify({ packets: rounds * filler.packets, collections, grown: process.memoryUsage().heapUsed - used }));
await merged.close();
process.exit(0);
`;

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "a kernel in its steady state" : `a kernel in its steady state (skipped: ${UNBUILT})`, { timeout: 120_000 }, () => {
  it.each([["wasm", 10_000_000], ["ts", 2_000_000]] as const)("makes no garbage: %s, %i packets", async (build, packets) => {
    const { capture, cluster } = await runGenerate({
      out: scratch.place(), packets: 2000, flows: 100, pods: 10, nodes: 4, gateways: 1, policies: 1, prefixes: 4, remotes: 8, frameSize: "64", seed: 1,
    });
    const program = scratch.file("steady.mjs", PROGRAM);
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", "--trace-deopt", program, dist, capture, cluster, build, String(packets)], { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    const lines = stdout.split("\n"), steady = lines.slice(lines.indexOf("steady") + 1, lines.indexOf("ended"));
    expect(steady.filter((line) => line.startsWith("[bailout") && !line.includes("JSFunction work "))).toEqual([]);
    const seen = JSON.parse(lines[lines.indexOf("ended") + 1] ?? "") as { packets: number; collections: number; grown: number };
    expect(seen.packets).toBeGreaterThanOrEqual(packets);
    expect(seen.collections).toBe(0);
    expect(seen.grown).toBeLessThan(4 * 1024 * 1024);
  });
});
