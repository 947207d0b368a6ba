// What a live run keeps of flows, and gives up again, is the same for IPv4 and IPv6.
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { CLOCK_START } from "../../src/engine/chunk-filler.ts";
import { flowRecords } from "../../src/engine/flow-records.ts";
import { collectDue } from "../../src/engine/garbage-rounds.ts";
import { GarbageSchedule } from "../../src/engine/garbage-schedule.ts";
import { kernelOn } from "../../src/engine/kernel-instance.ts";
import { runShardCommand } from "../../src/engine/shard-command.ts";
import { COMMAND_COLLECT } from "../../src/engine/worker-protocol.ts";
import { S_CT, T_LIVE } from "../../src/kernel/layout.ts";
import { S_CT6 } from "../../src/kernel/layout6.ts";
import { ethernet, udp } from "../e2e/packets.ts";
import { FakeDevices, PODS } from "./fake-devices.ts";

const ENDS = [{ from: "10.244.1.10", to: "203.0.113.10" }, { from: "fd00:244:1::10", to: "2001:db8:113::10" }];

it("flows of either family are recorded under their policies; their conntrack entries go when their time is over", async () => {
  const { tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/lab")]), { semantics: "cilium-1.19" });
  const devices = new FakeDevices(tables, new Set(tables.nodes.keys()), 0), { memory } = devices;
  for (const ends of ENDS) {
    for (const port of [40_000, 40_001]) {
      const frame = Uint8Array.from(ethernet(udp(ends, port, 53)));
      frame.fill(0xff, 0, 6);
      devices.arrive(PODS, frame);
    }
  }
  devices.run();
  const records = [...flowRecords(memory, 64)];
  expect(records.map(({ policy }) => tables.policies[policy ?? -1]?.name).sort()).toEqual(["policy-a", "policy-a", "policy-ipv6", "policy-ipv6"]);

  /** Entries of a family's conntrack tables. */
  const entries = (table: number): number => memory.shards.reduce((sum, shard) => sum + memory.arena.get32(shard + table + T_LIVE), 0);
  const before = entries(S_CT) + entries(S_CT6);
  // At least one a flow on the pod's node, and on the gateway.
  expect([entries(S_CT), entries(S_CT6)].every((count) => count >= 4)).toBe(true);
  const collect = async (now: number): Promise<number> =>
    await collectDue(memory, tables.nodes.length, new GarbageSchedule(tables.nodes.length, now - 300), now, async (due) => {
      for (const addresses of memory.workers) runShardCommand(kernelOn(memory.arena.memory, "ts"), addresses, COMMAND_COLLECT, due);
      await Promise.resolve();
    });
  expect(await collect(CLOCK_START + tables.config.ctLifetimeNonTcp - 1)).toBe(0);
  expect(await collect(CLOCK_START + 300)).toBe(before);
  expect([entries(S_CT), entries(S_CT6)]).toEqual([0, 0]);
});
