// A run's memory and input without its threads: chunks are filled as the engine fills them and handed to a kernel in this
// thread, so that the kernel's own time is what is measured.
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { CaptureTally } from "../../src/engine/capture-tally.ts";
import { ChunkFiller } from "../../src/engine/chunk-filler.ts";
import { type ClusterMemory, layOutMemory } from "../../src/engine/cluster-memory.ts";
import { clusterAddresses, clusterAddresses6 } from "../../src/engine/image/cluster-addresses.ts";
import { Intake } from "../../src/engine/intake.ts";
import { MainKernel } from "../../src/engine/main-kernel.ts";
import type { Kernel } from "../../src/engine/kernel-instance.ts";
import { STREAM_BYTES } from "../../src/engine/memory-plan.ts";
import type { KernelBuild, OutputKind, ReplayOptions } from "../../src/engine/replay-options.ts";
import { Steering } from "../../src/engine/steer.ts";
import { mergeCaptures } from "../../src/io/merge.ts";
import { openCapture } from "../../src/io/open-capture.ts";
import { X_CURSORS, X_LIMITS } from "../../src/kernel/pipeline/layout-batch.ts";

export async function tablesOf(cluster: string): Promise<DatapathTables> {
  return compileTables(await loadCluster([cluster]), { semantics: "cilium-1.19" }).tables;
}

export class PreparedRun {
  readonly memory: ClusterMemory;
  readonly #options: ReplayOptions;

  constructor(capture: string, tables: DatapathTables, write: ReadonlySet<OutputKind>, kernel: KernelBuild) {
    this.#options = {
      captures: [{ path: capture, point: "pod" }], tables, outDir: "", write, workers: 1, exactWorkers: true, kernel, captureInterface: null,
      assumeOpener: "pod", semantics: "cilium-1.19", seed: 1, tracePackets: 0, maxFlows: 1_000_000,
    };
    this.memory = layOutMemory(this.#options, 1);
  }

  /** Once through the capture; `batch` is called with the context, the first descriptor and their number of every chunk. */
  async pass(batch: Kernel["processBatch"]): Promise<number> {
    const { captures, tables } = this.#options, [worker] = this.memory.workers, words = this.memory.arena.words;
    if (worker === undefined) throw new Error("the run has no worker");
    const merged = mergeCaptures(await Promise.all(captures.map(({ path }) => openCapture(path)))), tally = new CaptureTally(1);
    const steering = new Steering(new AddressBook4(clusterAddresses(tables)), new AddressBook6(clusterAddresses6(tables)), tables.config.tunnelPort);
    const filler = new ChunkFiller(merged, this.memory, steering, tally, this.#options, Intake.of(this.memory, merged, this.#options, new MainKernel(this.memory.arena, this.#options.kernel)));
    for (let end = "full"; end !== "ended";) {
      filler.begin(0);
      for (end = filler.fill(Infinity); end === "needs-fill"; end = filler.fill(Infinity)) await merged.fill();
      filler.close();
      for (const [stream, start] of (worker.streams[0] ?? []).entries()) {
        words[(worker.context + X_CURSORS) / 4 + stream] = start;
        words[(worker.context + X_LIMITS) / 4 + stream] = start + (STREAM_BYTES[stream] ?? 0);
      }
      batch(worker.context, worker.descriptors[0] ?? 0, filler.packets);
    }
    await merged.close();
    return tally.packets;
  }
}
