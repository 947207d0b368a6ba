// The same real stack by IPv6 (kernel-stack.test.ts): what the replay lets out it accepts, what it answers reaches the pod.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { echo, filler, fragments, SYN, tcp, UDP, udp, udpDatagram } from "../e2e/packets.ts";
import { DUAL_STACK, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";
import { destinationOf, headerOf, sourceOf, ttlOf } from "../properties/traffic.ts";
import { checksumFaults, Conversation } from "./conversation.ts";
import { namespaceIsMissing, NetworkNamespace } from "./network-namespace.ts";
import { OutsideWorld } from "./outside-world.ts";

const REASON = UNBUILT !== "" ? UNBUILT : namespaceIsMissing();
/** shop/web-1 of fixtures/cluster-dual and the address of its gateway's interface. */
const POD = "fd00:10:1::10", EGRESS = "fd00:c0a8:1::50", SERVER = "2001:db8:113::10", OUT = { from: POD, to: SERVER };
const ETH = 14, IPV6 = 40, WAIT = 3, SNAT_FIRST_PORT = 32_768, HOPS_BACK = 1, RST_ACK = 0x14, SYN_ACK = 0x12;

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe.skipIf(REASON !== "")(REASON === "" ? "a real IPv6 stack behind the gateway" : `a real IPv6 stack behind the gateway (skipped: ${REASON})`, { timeout: 30_000 }, () => {
  let tables: DatapathTables;
  let namespace: NetworkNamespace;
  let talk: Conversation;
  let world: OutsideWorld;
  beforeAll(async () => { tables = await tablesOf(DUAL_STACK); });
  beforeEach(async () => {
    namespace = new NetworkNamespace();
    talk = new Conversation(scratch, tables, POD, EGRESS);
    world = new OutsideWorld(namespace, EGRESS, (frame) => frame.readUInt16BE(12) === 0x86dd && destinationOf(frame.subarray(ETH)) === EGRESS);
    await namespace.pair("wire", "peer");
    await namespace.run(`ip address add ${SERVER}/128 dev wire nodad`);
    await namespace.run(`ip route add ${EGRESS}/128 dev wire`);
    await namespace.watch("peer");
  });
  afterEach(async () => await namespace.close());

  const toWorld = async (frames: readonly Buffer[]): Promise<void> => await world.gets(frames);
  const fromWorld = async (count: number): Promise<Buffer[]> => await world.says(({ length }) => length === count);

  it("gets datagrams whole, in fragments too, and answers them", async () => {
    const port = 5000, service = 5300, long = filler(3000);
    await namespace.listen("dns", "udp", SERVER, service);
    talk.podSends(udp(OUT, port, service, 101), ...fragments(OUT, UDP, udpDatagram(OUT, port, service, long), 1400, 77));
    const { left } = await talk.exchange();
    expect(left.length).toBe(4);
    await toWorld(left);
    const got = [await namespace.receive("dns", WAIT), await namespace.receive("dns", WAIT)];
    expect(got.map((each) => each?.data.length)).toEqual([101, 3000]);
    expect(got[1]?.data.equals(long)).toBe(true);
    const peer = got[0]?.peer ?? ["", 0];
    expect([peer[0], peer[1] >= SNAT_FIRST_PORT, got[1]?.peer[1]]).toEqual([EGRESS, true, peer[1]]);

    await namespace.answer("dns", long, peer);
    talk.worldSends(...await fromWorld(3));
    const { reached } = await talk.exchange();
    expect(reached.map(checksumFaults)).toEqual([[0, 0], [0, 0], [0, 0]]);
    const whole = Buffer.concat(reached.map((packet) => packet.subarray(headerOf(packet), IPV6 + packet.readUInt16BE(4))));
    expect(Buffer.from(udpDatagram({ from: SERVER, to: POD }, service, port, long)).equals(whole)).toBe(true);
  });

  it("answers pings, whatever their identifiers, and the pod gets them one hop older", async () => {
    talk.podSends(echo(OUT, 7), echo(OUT, 40_001));
    await toWorld((await talk.exchange()).left);
    const said = await fromWorld(2);
    talk.worldSends(...said);
    const { reached } = await talk.exchange();
    expect(reached.map(checksumFaults)).toEqual([[0, 0], [0, 0]]);
    expect(reached.map((packet) => [packet[IPV6], packet.readUInt16BE(IPV6 + 4), sourceOf(packet), destinationOf(packet)])).toEqual([[129, 7, SERVER, POD], [129, 40_001, SERVER, POD]]);
    expect(reached.map(ttlOf)).toEqual(said.map((frame) => ttlOf(frame.subarray(ETH)) - HOPS_BACK));
  });

  it("accepts a connection that the pod opens, and refuses one to a port that nobody listens on", async () => {
    await namespace.listen("web", "tcp", SERVER, 8443);
    talk.podSends(tcp(OUT, 1024, 8443, SYN), tcp(OUT, 1025, 81, SYN));
    await toWorld((await talk.exchange()).left);
    talk.worldSends(...await fromWorld(2));
    const { reached } = await talk.exchange();
    expect(reached.map(checksumFaults)).toEqual([[0, 0], [0, 0]]);
    const flags = new Map(reached.map((packet) => [packet.readUInt16BE(IPV6 + 2), packet[IPV6 + 13]]));
    expect([...flags].sort()).toEqual([[1024, SYN_ACK], [1025, RST_ACK]]);
  });

  it("would have refused a wrong checksum", async () => {
    await namespace.listen("strict", "udp", SERVER, 5301);
    talk.podSends(udp(OUT, 5000, 5301, 10));
    const { left } = await talk.exchange(), [frame = Buffer.alloc(0)] = left.map((each) => Buffer.from(each));
    frame.writeUInt8((frame.at(-1) ?? 0) ^ 1, frame.length - 1);
    await toWorld([frame]);
    expect(await namespace.receive("strict", 0.2)).toBeNull();
    expect(await namespace.run("cat /proc/net/snmp6")).toMatch(/Udp6InCsumErrors\s+1\n/);
    await toWorld(left);
    expect((await namespace.receive("strict", WAIT))?.data.length).toBe(10);
  });
});
