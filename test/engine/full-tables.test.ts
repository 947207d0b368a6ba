// What happens when a table is full: flow records run out, or a node's maps reach their configured size.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { SHARD_COUNT, shardCapacity } from "../../src/engine/memory-plan.ts";
import { brokenSums } from "../../src/observe/conservation.ts";
import { captureOf, udp } from "../e2e/packets.ts";
import { CLUSTER, DUAL_STACK, type Outcome, replay, Scratch, tablesOf, UNBUILT, withoutTiming } from "../e2e/replayed.ts";
import type { ReplayOptions } from "../../src/engine/replay-options.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const REPLY = { ttl: 62 };
/** A pod with a policy, and the network of its remotes. */
const FAMILIES = [["IPv4", CLUSTER, "10.244.1.10", "198.51.100."], ["IPv6", DUAL_STACK, "fd00:10:1::10", "2001:db8:113::"]] as const;

describe.skipIf(UNBUILT !== "").each(FAMILIES)(`full tables of %s${UNBUILT === "" ? "" : ` (skipped: ${UNBUILT})`}`, (family, cluster, web, network) => {
  /** A question and an answer of each flow. */
  function exchanges(flows: number, remotes = 1): Uint8Array {
    const out = (k: number): { from: string; to: string } => ({ from: web, to: `${network}${10 + (k % remotes)}` });
    return captureOf(Array.from({ length: flows }, (_, k) => [
      udp(out(k), 33_000 + k, 20_053), udp({ from: out(k).to, to: web }, 20_053, 33_000 + k, 10, REPLY),
    ]).flat(), 0.0001);
  }

  let tables: DatapathTables;
  beforeAll(async () => {
    tables = await tablesOf(cluster);
  });

  async function replayAlike(capture: Uint8Array, changes: Partial<ReplayOptions>): Promise<Outcome> {
    const path = scratch.file("many.pcap", capture), first = await replay(tables, [path], changes);
    expect(brokenSums(first.result)).toEqual([]);
    for (const [workers, kernel] of [[2, "wasm"], [4, "ts"]] as const) {
      const other = await replay(tables, [path], { ...changes, workers, kernel });
      expect(withoutTiming(other.result)).toEqual(withoutTiming(first.result));
      expect(other.flows).toEqual(first.flows);
    }
    return first;
  }

  it("list the first flows only, and count the others", async () => {
    const { result, flows } = await replayAlike(exchanges(200, 20), { maxFlows: 30 });
    expect([flows.length, result.flowCount, result.flowsNotListed, result.packetsWithoutFlow]).toEqual([30, 200, 170, 0]);
    expect(flows.map(({ firstPacket }) => firstPacket)).toEqual(Array.from({ length: 30 }, (_, k) => 2 * k + 1));
  });

  it("of one shard leave later flows without a record; their packets are counted and translated all the same", async () => {
    const room = shardCapacity(0, family === "IPv6").flows, flowsMade = room + 44;
    const { result } = await replayAlike(exchanges(flowsMade), { maxFlows: 0 });
    expect(result).toMatchObject({ flowCount: room, packetsWithoutFlow: 2 * 44, natEntries: 2 * flowsMade });
    expect(result.forwarded.packets).toBe(flowsMade);
    expect(result.replies).toMatchObject({ restored: flowsMade, identical: flowsMade });
    expect(result.policyUse).toMatchObject([{ forward: { packets: flowsMade }, reply: { packets: flowsMade } }]);
  });

  it("have room for what --max-flows asks, where the remotes spread", () => {
    for (const maxFlows of [0, 1000, 1_000_000]) expect(shardCapacity(maxFlows, false).flows * SHARD_COUNT).toBeGreaterThanOrEqual(maxFlows);
    // With IPv6 both families share the memory.
    for (const maxFlows of [0, 1000, 250_000]) expect(shardCapacity(maxFlows, true).flows * SHARD_COUNT).toBeGreaterThanOrEqual(maxFlows);
  });

  it("of a node give up the oldest entries, mappings with both halves, and the run goes on", async () => {
    tables = { ...tables, config: { ...tables.config, natMapMax: 512, ctMapAnyMax: 256 } };
    const { result } = await replayAlike(exchanges(6000, 40), {});
    expect(result.forwarded.packets).toBe(6000);
    expect(result.replies.identical).toBe(6000);
    expect(result.evictions.nat).toBeGreaterThan(1000);
    expect(result.evictions.conntrack).toBeGreaterThan(1000);
    expect(result.natEntries + result.evictions.nat).toBe(2 * 6000);
    expect(result.natEntries % 2).toBe(0);
    // A look is taken every 1024 packets at least, and each of them begins half a flow.
    expect(result.natEntries).toBeLessThanOrEqual(512 + 1024);
    expect(result.conntrackEntries).toBeLessThanOrEqual(2 * (256 + 1024));
  });
});
