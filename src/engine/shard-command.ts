// What is asked of a worker at a barrier: to go over its shards.
import type { Kernel } from "./kernel-instance.ts";
import { COMMAND_COLLECT, COMMAND_COUNT, COMMAND_EVICT, type WorkerAddresses } from "./worker-protocol.ts";

/** `now`: seconds of the datapath's clock, for garbage collection. */
export function runShardCommand(kernel: Kernel, addresses: WorkerAddresses, command: number, now: number): void {
  for (const [k, shard] of addresses.shards.entries()) {
    if (command === COMMAND_COLLECT) kernel.collectGarbage(shard, addresses.due, addresses.collected, now);
    else if (command === COMMAND_COUNT) kernel.countEntries(shard, addresses.quotas[k] ?? 0);
    else if (command === COMMAND_EVICT) kernel.evictEntries(shard, addresses.quotas[k] ?? 0);
  }
}
