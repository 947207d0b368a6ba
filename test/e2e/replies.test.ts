// Replies come out at the pods as they were captured, and connections are opened by whoever opened them.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import type { FlowRecord } from "../../src/observe/run-result.ts";
import { ACK, addressNumber, captureOf, echo, type Ends, FIN_ACK, icmpError, PSH_ACK, SYN, SYN_ACK, tcp, udp } from "./packets.ts";
import { CLUSTER, edge, FIXTURES, type Outcome, replay, Scratch, tablesOf, UNBUILT } from "./replayed.ts";
import type { ReplayOptions } from "../../src/engine/replay-options.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const WEB = "10.244.1.10", SERVER = "198.51.100.10";
const OUT: Ends = { from: WEB, to: SERVER }, BACK: Ends = { from: SERVER, to: WEB };
const REPLY = { ttl: 62 };

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "replies" : `replies (skipped: ${UNBUILT})`, () => {
  let tables: DatapathTables;
  beforeAll(async () => {
    tables = await tablesOf(CLUSTER);
  });

  const replayPackets = async (packets: readonly Uint8Array[], changes: Partial<ReplayOptions> = {}): Promise<Outcome> =>
    await replay(tables, [scratch.file("packets.pcap", captureOf(packets))], changes);
  const only = ({ flows }: Outcome): FlowRecord => {
    expect(flows.length).toBe(1);
    return flows[0] ?? expect.fail("no flow");
  };

  it("of the recorded captures come out as captured, but for one known defect", async () => {
    const { result } = await replay(tables, readdirSync(join(FIXTURES, "captures")).map((name) => join(FIXTURES, "captures", name)));
    expect(result.replies).toEqual({ restored: 197, identical: 196, knownDefect: 1, different: 0, firstDifferent: 0 });
    expect(result.openersAssumed).toBe(0);
  });

  it("of every recorded oddity come out as captured, but for the known defect", async () => {
    for (const name of ["mid-stream.pcap", "snapped.pcap", "raw-ip.pcap", "port-collision.pcap", "vlan.pcap", "ns-big-endian.pcap", "checksums.pcap", "fragments.pcap", "offloaded.pcap"]) {
      const { replies } = (await replay(tables, [edge(name)])).result;
      expect(replies.restored, name).toBeGreaterThan(0);
      expect(replies, name).toMatchObject({ identical: replies.restored, knownDefect: 0, different: 0 });
    }
  });

  it("that Cilium leaves to the gateway's stack or drops there are put back and do not come out", async () => {
    const { result } = await replay(tables, [edge("icmp-errors.pcap")]);
    // Unreachable with a code that nobody knows, a parameter problem, and a quote too short to tell whose it is.
    expect(result.replies).toMatchObject({ restored: 16, identical: 12, knownDefect: 1, different: 0 });
    expect([result.passed.packets, result.dropped.packets]).toEqual([2, 1]);
  });

  it("by ICMP errors open nothing: the flow that an error quotes is settled by its own packets", async () => {
    const segment = tcp(OUT, 40_000, 443, PSH_ACK, 20), error = icmpError("203.0.113.254", segment, 3, 4, 28, REPLY);
    const { result, flows } = await replayPackets([error, tcp(BACK, 443, 40_000, PSH_ACK, 20, REPLY), error, tcp(OUT, 40_000, 443, ACK)]);
    expect(flows).toMatchObject([{ protocol: 6, opener: "assumed-pod", outcome: "forwarded", reply: { packets: 3 } }]);
    expect(result.openersAssumed).toBe(1);
    expect(result.replies).toMatchObject({ restored: 2, identical: 2 });
    expect(result.natEntries).toBe(2);
  });

  it("with partial checksums of an offloading host are completed and counted", async () => {
    const { result } = await replay(tables, [edge("offloaded.pcap")]);
    expect(result.partialChecksumsCompleted).toBeGreaterThan(0);
    expect(result.oversizedFrames).toBeGreaterThan(0);
  });

  it("that answer nothing known go to the host stack of the pod's node or to the pod, never out", async () => {
    const { result } = await replay(tables, [edge("before-rollout.pcap")]);
    expect(result.replies.restored).toBe(0);
    expect(result.forwarded.packets).toBe(0);
    expect(result.delivered.packets).toBeGreaterThan(0);
    expect(result.dropped.packets + result.delivered.packets + result.passed.packets + result.ignored.packets).toBe(result.received.packets);
  });

  it("show the opener by a SYN in either direction", async () => {
    const byPod = only(await replayPackets([tcp(OUT, 40_000, 443, SYN), tcp(BACK, 443, 40_000, SYN_ACK, 0, REPLY), tcp(OUT, 40_000, 443, ACK)]));
    expect(byPod).toMatchObject({ opener: "pod", outcome: "forwarded", forward: { packets: 2 }, reply: { packets: 1 } });
    const bySynAck = only(await replayPackets([tcp(BACK, 443, 40_000, SYN_ACK, 0, REPLY), tcp(OUT, 40_000, 443, ACK)]));
    expect(bySynAck).toMatchObject({ opener: "pod", translated: { source: addressNumber("192.168.60.100") } });
    const byOutside = only(await replayPackets([tcp(BACK, 50_000, 80, SYN, 0, REPLY), tcp(OUT, 80, 50_000, SYN_ACK), tcp(BACK, 50_000, 80, ACK, 0, REPLY)]));
    expect(byOutside).toMatchObject({ opener: "outside", translated: null, gatewayNode: -1, policy: -1 });
  });

  it("of a connection caught in its middle show the opener by a SYN further on", async () => {
    const unrelated = Array.from({ length: 100 }, (_, k) => udp(OUT, 42_000 + k, 53));
    const middle = [tcp(BACK, 443, 40_000, PSH_ACK, 20, REPLY), ...unrelated, tcp(BACK, 443, 40_000, FIN_ACK, 0, REPLY), tcp(OUT, 40_000, 443, SYN)];
    const { flows, result } = await replayPackets(middle, { assumeOpener: "outside" });
    expect(flows.find(({ protocol }) => protocol === 6)).toMatchObject({ opener: "pod", outcome: "forwarded" });
    expect(result.openersAssumed).toBe(0);
    expect(result.replies).toMatchObject({ restored: 2, identical: 2 });
  });

  it("of a connection without any SYN are taken for what --assume-opener says, and counted", async () => {
    const middle = [tcp(BACK, 443, 40_000, PSH_ACK, 20, REPLY), tcp(OUT, 40_000, 443, ACK)];
    const asPod = await replayPackets(middle);
    expect(only(asPod)).toMatchObject({ opener: "assumed-pod", outcome: "forwarded", translated: { source: addressNumber("192.168.60.100") } });
    expect(asPod.result.replies).toMatchObject({ restored: 1, identical: 1 });
    const asOutside = await replayPackets(middle, { assumeOpener: "outside" });
    expect(only(asOutside)).toMatchObject({ opener: "assumed-outside", translated: null });
    expect(asOutside.result.replies.restored).toBe(0);
    expect([asPod.result.openersAssumed, asOutside.result.openersAssumed]).toEqual([1, 1]);
  });

  it("are no longer searched for a SYN more than 256 packets on", async () => {
    const unrelated = Array.from({ length: 300 }, (_, k) => udp(OUT, 42_000 + k, 53));
    const { result } = await replayPackets([tcp(OUT, 40_000, 443, PSH_ACK, 20), ...unrelated, tcp(OUT, 40_000, 443, SYN)]);
    expect(result.openersAssumed).toBe(1);
  });

  it("to connections opened from outside leave without the gateway and without translation", async () => {
    const { result, flows } = await replayPackets([
      tcp(BACK, 50_000, 80, SYN, 0, REPLY), tcp(OUT, 80, 50_000, SYN_ACK), tcp(BACK, 50_000, 80, ACK, 0, REPLY), tcp(OUT, 80, 50_000, PSH_ACK, 100), tcp(OUT, 80, 50_000, FIN_ACK),
      udp(BACK, 50_001, 5353, 30, REPLY), udp(OUT, 5353, 50_001, 30), echo(BACK, 77, false, REPLY), echo(OUT, 77, true),
    ], { assumeOpener: "outside" });
    expect(result.policyUse).toEqual([]);
    expect(result.masqueradeUse).toEqual([]);
    expect([result.delivered.packets, result.forwarded.packets, result.dropped.packets]).toEqual([4, 5, 0]);
    for (const flow of flows) expect(flow, `protocol ${flow.protocol}`).toMatchObject({ translated: null, gatewayNode: -1 });
  });

  it("to recorded inbound connections are delivered and answered without the gateway", async () => {
    const { result, flows } = await replay(tables, [edge("inbound.pcap")]);
    expect(result.policyUse).toEqual([]);
    expect(result.delivered.packets).toBeGreaterThan(5);
    expect(result.forwarded.packets).toBeGreaterThan(5);
    expect(new Set(result.drops.map(({ code }) => code))).toEqual(new Set([134]));
    expect(flows.filter(({ opener }) => opener === "outside").length).toBeGreaterThan(1);
  });

  it("by ICMP errors are put back whole, quoted packet included", async () => {
    const question = udp(OUT, 1024, 33_434, 40), syn = tcp(OUT, 1025, 443, SYN), request = echo(OUT, 99);
    const { result } = await replayPackets([
      question, syn, request, icmpError("203.0.113.254", question, 3, 3, 28, REPLY), icmpError("203.0.113.254", question, 11, 0, 68, REPLY),
      icmpError("203.0.113.254", syn, 3, 4, 28, REPLY), icmpError("203.0.113.254", syn, 3, 1, 40, REPLY), icmpError("203.0.113.254", request, 3, 1, 28, REPLY),
    ]);
    expect(result.replies).toEqual({ restored: 5, identical: 4, knownDefect: 1, different: 0, firstDifferent: 0 });
    expect(result.delivered.packets).toBe(5);
  });

  it("of both kernels and in the intended semantics lose the known defect only there", async () => {
    const request = echo(OUT, 99), packets = [request, icmpError("203.0.113.254", request, 3, 1, 28, REPLY)];
    for (const kernel of ["ts", "wasm"] as const) {
      expect((await replayPackets(packets, { kernel })).result.replies.knownDefect).toBe(1);
      expect((await replayPackets(packets, { kernel, semantics: "intent" })).result.replies).toMatchObject({ identical: 1, knownDefect: 0 });
    }
  });
});
