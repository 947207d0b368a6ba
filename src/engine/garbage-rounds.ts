import { GARBAGE_MAPS } from "../kernel/pipeline/layout-batch.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { type GarbageSchedule, MAX_ROUNDS_PER_GAP } from "./garbage-schedule.ts";

/** Runs the collections that are due at `now`, at a barrier: all shards are swept by `sweep` and every node sets its next
 * time. Returns the number of entries collected. */
export async function collectDue(
  memory: ClusterMemory, nodes: number, schedule: GarbageSchedule, now: number, sweep: (due: number) => Promise<void>,
): Promise<number> {
  let collected = 0;
  for (let round = 0; schedule.nextDue <= now; round++) {
    if (round === MAX_ROUNDS_PER_GAP) {
      schedule.skipTo(now);
      break;
    }
    collected += await collectAt(memory, nodes, schedule, schedule.nextDue, sweep);
  }
  return collected;
}

async function collectAt(memory: ClusterMemory, nodes: number, schedule: GarbageSchedule, due: number, sweep: (due: number) => Promise<void>): Promise<number> {
  const { arena, workers } = memory;
  for (const worker of workers) {
    arena.bytes.fill(0, worker.collected, worker.collected + nodes * GARBAGE_MAPS * 16);
    for (let node = 0; node < nodes; node++) arena.put32(worker.due + 4 * node, schedule.isDue(node, due) ? 1 : 0);
  }
  await sweep(due);
  let collected = 0;
  for (let node = 0; node < nodes; node++) {
    if (!schedule.isDue(node, due)) continue;
    let share = 0;
    for (let map = 0; map < GARBAGE_MAPS; map++) {
      let alive = 0, deleted = 0;
      for (const worker of workers) {
        const at = worker.collected + (node * GARBAGE_MAPS + map) * 16;
        alive += arena.view.getFloat64(at, true);
        deleted += arena.view.getFloat64(at + 8, true);
      }
      collected += deleted;
      if (deleted > 0) share = Math.max(share, deleted / (alive + deleted));
    }
    schedule.collected(node, due, share);
  }
  schedule.settle();
  return collected;
}
