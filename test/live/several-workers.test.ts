// The same traffic through one, two and four workers, by queues that have nothing to do with shards: the same frames leave, the
// same flows and counters are left.
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { LEAST_ROOM } from "../../src/live/hand-overs.ts";
import type { Wishes } from "./fake-devices.ts";
import { type Ending, NUMBERS, throughCluster, throughTunnel, TIMES } from "./traffic.ts";

let tables: DatapathTables;
beforeAll(async () => {
  ({ tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/lab")]), { semantics: "cilium-1.19" }));
});

/** Of the packet's addresses, so that a flow keeps its queue, fragments and all; each direction and ARP have another. */
function byFlow(bytes: Uint8Array): number {
  // VXLAN begins with its flags, a frame with a MAC.
  const addresses = bytes[0] === 8 ? 34 : 26;
  return bytes[13] === 6 ? 3 : bytes.subarray(addresses, addresses + 8).reduce((hash, byte) => (Math.imul(hash, 33) ^ byte) >>> 0, 5381) >>> 4;
}

/** How many packets found a way depends on the order in which a shard's flows come. */
const comparable = (ending: Ending): Ending => ({ ...ending, handedOver: 0, onWays: 0 });

describe.each<readonly [string, Wishes, readonly string[]]>([
  ["by their flows' queues", { queueOf: byFlow }, [...TIMES, ...NUMBERS]],
  ["all by one queue", { queueOf: () => 3 }, TIMES],
  ["by their flows' queues, with rings that are soon full", { queueOf: byFlow, slots: LEAST_ROOM }, [...TIMES, ...NUMBERS]],
  ["all by one queue, with rings that are soon full", { queueOf: () => 3, slots: LEAST_ROOM }, TIMES],
])("frames that come in %s", (_how, wishes, leftOut) => {
  it.each([2, 4])("cross the whole cluster on %i workers as on one", (workers) => {
    const one = throughCluster(tables, wishes, leftOut), several = throughCluster(tables, { ...wishes, workers }, leftOut);
    expect(one.flows.length).toBeGreaterThan(500);
    expect(one.handedOver).toBe(0);
    expect(several.handedOver).toBeGreaterThan(1000);
    expect(comparable(several)).toEqual(comparable(one));
  });

  it.each([2, 4])("cross the tunnel from %i workers to as many as from one to one", (workers) => {
    const one = throughTunnel(tables, wishes, leftOut), several = throughTunnel(tables, { ...wishes, workers }, leftOut);
    expect(one[0]?.flows.length).toBeGreaterThan(500);
    expect(several.map(comparable)).toEqual(one.map(comparable));
  });
});
