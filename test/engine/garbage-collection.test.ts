// The agents' garbage collection on the capture's clock, from the records of a capture to what is left in the maps.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { ACK, captureAt, FIN_ACK, SYN, SYN_ACK, tcp, udp } from "../e2e/packets.ts";
import { CLUSTER, DUAL_STACK, type Outcome, replay, Scratch, tablesOf, UNBUILT, withoutTiming } from "../e2e/replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const START = 1_700_000_000, REPLY = { ttl: 62 };
/** A pod with a policy, and the network of its remotes. */
const FAMILIES = [["IPv4", CLUSTER, "10.244.1.10", "198.51.100."], ["IPv6", DUAL_STACK, "fd00:10:1::10", "2001:db8:113::"]] as const;
/** The gateway's map holds two halves for each flow. */
const NAT_PER_FLOW = 2;
/** Source node and gateway track each flow, and the source node one entry for ICMP errors of each remote (ct_create4). */
const tracked = (flows: number, remotes: number): number => 2 * flows + remotes;
interface Timed {
  readonly at: number;
  readonly packet: Uint8Array;
}

describe.skipIf(UNBUILT !== "").each(FAMILIES)(`garbage collection of %s${UNBUILT === "" ? "" : ` (skipped: ${UNBUILT})`}`, (_, cluster, WEB, network) => {
  const remote = (k: number): string => `${network}${1 + (k % 60)}`;
  const datagrams = (at: number, count: number, firstPort = 40_000): Timed[] =>
    Array.from({ length: count }, (_, k) => ({ at: START + at, packet: udp({ from: WEB, to: remote(k) }, firstPort + k, 20_053) }));

  function connections(at: number, count: number, close: boolean): Timed[] {
    return Array.from({ length: count }, (_, k) => {
      const out = { from: WEB, to: remote(k) }, back = { from: remote(k), to: WEB }, port = 50_000 + k;
      const open = [tcp(out, port, 443, SYN), tcp(back, 443, port, SYN_ACK, 0, REPLY), tcp(out, port, 443, ACK)];
      const end = [tcp(out, port, 443, FIN_ACK), tcp(back, 443, port, FIN_ACK, 0, REPLY)];
      return [...open, ...(close ? end : [])].map((packet) => ({ at: START + at, packet }));
    }).flat();
  }

  let tables: DatapathTables;
  beforeAll(async () => {
    tables = await tablesOf(cluster);
  });

  /** The same for 1, 2 and 4 workers and either kernel. */
  async function replayAlike(packets: readonly Timed[]): Promise<Outcome> {
    const path = scratch.file("paused.pcap", captureAt(packets)), first = await replay(tables, [path]);
    for (const [workers, kernel] of [[2, "wasm"], [4, "ts"]] as const)
      expect(withoutTiming((await replay(tables, [path], { workers, kernel })).result)).toEqual(withoutTiming(first.result));
    return first;
  }

  it("does not begin before five minutes have passed", async () => {
    const { result } = await replayAlike([...datagrams(0, 50), ...datagrams(299, 1, 60_000)]);
    expect(result).toMatchObject({ garbageCollected: 0, conntrackEntries: tracked(51, 50), natEntries: 51 * NAT_PER_FLOW });
  });

  it("takes datagram flows after their minute, and their mappings with them", async () => {
    const { result } = await replayAlike([...datagrams(0, 50), ...datagrams(250, 20, 45_000), ...datagrams(300, 1, 60_000)]);
    expect(result).toMatchObject({ garbageCollected: tracked(50, 30), conntrackEntries: tracked(21, 20), natEntries: 21 * NAT_PER_FLOW });
    expect(result.flowCount).toBe(71);
  });

  it("leaves an established connection alone for its 8000 seconds, but for its entry for ICMP errors, and takes a closed one soon", async () => {
    const packets = [...connections(0, 30, false), ...datagrams(7900, 1, 60_000)];
    expect((await replayAlike(packets)).result).toMatchObject({ garbageCollected: tracked(0, 30), conntrackEntries: tracked(31, 1), natEntries: 31 * NAT_PER_FLOW });
    expect((await replayAlike([...packets, ...datagrams(30_000, 1, 60_001)])).result).toMatchObject({ conntrackEntries: tracked(1, 1), natEntries: NAT_PER_FLOW });
    expect((await replayAlike([...connections(0, 30, true), ...datagrams(300, 1, 60_000)])).result).toMatchObject({ garbageCollected: tracked(30, 30), natEntries: NAT_PER_FLOW });
  });

  it("makes a late answer meet no mapping, and a late question a new one", async () => {
    const out = { from: WEB, to: remote(0) }, back = { from: remote(0), to: WEB };
    const reply = { at: START + 400, packet: udp(back, 20_053, 40_000, 10, REPLY) };
    const soon = await replayAlike([...datagrams(0, 1), { ...reply, at: START + 200 }]);
    expect(soon.result).toMatchObject({ replies: { restored: 1, identical: 1 }, policyUse: [{ reply: { packets: 1 } }] });
    const late = await replayAlike([...datagrams(0, 1), reply]);
    expect(late.result.garbageCollected).toBe(tracked(1, 1));
    expect(late.result.replies.identical).toBe(0);
    const again = await replayAlike([...datagrams(0, 1), { at: START + 400, packet: udp(out, 40_000, 20_053) }, { ...reply, at: START + 401 }]);
    expect(again.result).toMatchObject({ replies: { restored: 1, identical: 1 }, natEntries: NAT_PER_FLOW });
  });

  it("costs no more rounds than a long pause needs, and a clock that goes back does no harm", async () => {
    const { result } = await replayAlike([...datagrams(0, 50), ...datagrams(2_000_000_000, 1, 60_000), ...datagrams(100, 5, 61_000)]);
    expect(result).toMatchObject({ garbageCollected: tracked(50, 50), conntrackEntries: tracked(6, 5) });
  });
});
