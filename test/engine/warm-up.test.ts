// A kernel that warms up takes every kind of way, and leaves nothing behind but compiled code.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { layOutMemory } from "../../src/engine/cluster-memory.ts";
import { kernelOn } from "../../src/engine/kernel-instance.ts";
import { CHUNK_PACKETS, WARM_UP_FRAME } from "../../src/engine/memory-plan.ts";
import type { ReplayOptions } from "../../src/engine/replay-options.ts";
import { warmUp } from "../../src/engine/warm-up.ts";
import { runGenerate } from "../../src/generate/generate.ts";
import { OUT_DELIVERED, OUT_DROPPED, OUT_FORWARDED, OUT_PASSED } from "../../src/kernel/layout-flow.ts";
import { NC_ON_WAY, X_NOTES, X_TOTALS } from "../../src/kernel/pipeline/layout-batch.ts";
import { CLUSTER, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const dist = fileURLToPath(new URL("../../dist/", import.meta.url));

async function warmed() {
  const options: ReplayOptions = {
    captures: [{ path: "", point: "pod" }], tables: await tablesOf(CLUSTER), outDir: "", write: new Set(["pod", "overlay", "external"]), workers: 1, kernel: "ts", captureInterface: null,
    assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0, maxFlows: 1000,
  };
  const memory = layOutMemory(options, 1, { warmUp: true }), { arena, warmUps: [place], workers: [worker] } = memory;
  if (place === undefined || worker === undefined) throw new Error("there is no room to warm up in");
  const before = arena.bytes.slice(0, arena.used);
  warmUp(kernelOn(arena.memory, "wasm"), arena.memory, place, worker);
  return { arena, place, before };
}

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "a kernel that warms up" : `a kernel that warms up (skipped: ${UNBUILT})`, { timeout: 120_000 }, () => {
  it("writes to its own context and shard only", async () => {
    const { arena, place, before } = await warmed(), own = place.worker.shards[0] ?? 0, end = place.frames + CHUNK_PACKETS * WARM_UP_FRAME;
    const outside = (bytes: Uint8Array): boolean => Buffer.compare(bytes.subarray(0, own), before.subarray(0, own)) === 0 && Buffer.compare(bytes.subarray(end), before.subarray(end)) === 0;
    expect(own).toBeGreaterThan(0);
    expect(outside(arena.bytes.slice(0, arena.used))).toBe(true);
  });

  it("sees packets forwarded, delivered, passed and dropped, and flows on their ways", async () => {
    const { arena, place } = await warmed(), { context } = place.worker, counted = (at: number): number => arena.view.getFloat64(at, true);
    for (const outcome of [OUT_FORWARDED, OUT_DELIVERED, OUT_PASSED, OUT_DROPPED]) expect(counted(arena.get32(context + X_TOTALS) + 16 * outcome), `outcome ${outcome}`).toBeGreaterThan(100);
    expect(counted(arena.get32(context + X_NOTES) + 8 * NC_ON_WAY)).toBeGreaterThan(1000);
  });
});

/** Warms up or not, works on a capture, and says between which lines V8 threw code of the kernel away. */
const PROGRAM = `
const [dist, capture, cluster, warm] = process.argv.slice(2);
const from = (path) => import(new URL(path, "file://" + dist).href);
const { loadCluster } = await from("cluster/load.js"), { compileTables } = await from("control/compile.js"), { layOutMemory } = await from("engine/cluster-memory.js");
const { ChunkFiller } = await from("engine/chunk-filler.js"), { CaptureTally } = await from("engine/capture-tally.js"), { AddressBook4, AddressBook6 } = await from("engine/address-book.js");
const { Steering } = await from("engine/steer.js"), { clusterAddresses, clusterAddresses6 } = await from("engine/image/cluster-addresses.js"), { mergeCaptures } = await from("io/merge.js");
const { openCapture } = await from("io/open-capture.js"), { kernelOn } = await from("engine/kernel-instance.js"), { X_CURSORS, X_LIMITS } = await from("kernel/pipeline/layout-batch.js");
const { warmUp } = await from("engine/warm-up.js"), { tables } = compileTables(await loadCluster([cluster]), { semantics: "cilium-1.19" });
const options = { captures: [{ path: capture, point: "pod" }], tables, outDir: "", write: new Set(["overlay", "external"]), workers: 1, kernel: "ts", captureInterface: null,
  assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0, maxFlows: 10000 };
const memory = layOutMemory(options, 1, { warmUp: true }), kernel = kernelOn(memory.arena.memory, "ts"), merged = mergeCaptures([await openCapture(capture)]);
const filler = new ChunkFiller(merged, memory, new Steering(new AddressBook4(clusterAddresses(tables)), new AddressBook6(clusterAddresses6(tables)), tables.config.tunnelPort), new CaptureTally(1), options);
const [worker] = memory.workers, words = memory.arena.words;
if (warm === "yes") warmUp(kernel, memory.arena.memory, memory.warmUps[0], worker);
await new Promise((resolve) => setTimeout(resolve, 200));
console.log("begins");
for (let end = "full"; end !== "ended";) {
  filler.begin(0);
  for (end = filler.fill(Infinity); end === "needs-fill"; end = filler.fill(Infinity)) await merged.fill();
  filler.close();
  for (let stream = 0; stream < 4; stream++) {
    words[(worker.context + X_CURSORS) / 4 + stream] = worker.streams[0][stream];
    words[(worker.context + X_LIMITS) / 4 + stream] = worker.streams[0][stream] + 1000000;
  }
  kernel.processBatch(worker.context, worker.descriptors[0], filler.packets);
}
await merged.close();
process.exit(0);
`;

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "traffic on a warm kernel" : `traffic on a warm kernel (skipped: ${UNBUILT})`, { timeout: 120_000 }, () => {
  it("finds hardly a branch that V8 has not compiled", async () => {
    const ofKernel = new Set([...readFileSync(join(dist, "kernel", "bound.cjs"), "utf8").matchAll(/^const (\w+) = function\(/gm)].map(([, name]) => name));
    // The engine has one of that name too.
    ofKernel.delete("fill");
    const { capture, cluster } = await runGenerate({
      out: scratch.place(), packets: 60_000, flows: 4000, pods: 40, nodes: 4, gateways: 2, policies: 2, prefixes: 16, remotes: 300, replies: 0.5, frameSize: "64", seed: 2,
      protocolMix: { tcp: 80, udp: 20, icmp: 0 },
    });
    const program = scratch.file("warm.mjs", PROGRAM);
    const thrownAway = (warm: string): number => {
      const { status, stdout, stderr } = spawnSync(process.execPath, ["--trace-deopt", program, dist, capture, cluster, warm], { encoding: "utf8" });
      expect(status, stderr).toBe(0);
      const lines = stdout.split("\n");
      return lines.slice(lines.indexOf("begins")).filter((line) => line.startsWith("[bailout") && ofKernel.has(/<JSFunction (\w+)/.exec(line)?.[1])).length;
    };
    const cold = thrownAway("no"), warm = thrownAway("yes");
    console.log(cold, warm);
    expect(warm).toBeLessThan(3);
    expect(cold).toBeGreaterThan(warm);
  });
});
