// A real TCP/IP stack, in a network namespace of its own, talks with a pod: what the replay lets out is sent to it, what it
// answers is replayed. The kernel verifies every checksum that SNAT rewrote, and its sockets name the translated peer.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import {
  ACK, addressNumber, addressText, echo, filler, FIN_ACK, fragments, icmpMessage, internetChecksum, ipv4, PSH_ACK, SYN, SYN_ACK, TCP, UDP, udp, udpDatagram,
} from "../e2e/packets.ts";
import { CLUSTER, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";
import { checksumFaults, Conversation } from "./conversation.ts";
import { namespaceIsMissing, NetworkNamespace } from "./network-namespace.ts";
import { OutsideWorld } from "./outside-world.ts";

const REASON = UNBUILT !== "" ? UNBUILT : namespaceIsMissing();
/** payment-processor-0 of fixtures/cluster, whose policy gives it an egress IP of its own. */
const POD = "10.244.1.11", EGRESS = "192.168.60.101", SERVER = "203.0.113.10";
const OUT = { from: POD, to: SERVER };
const ETH = 14, IP = 20, SNAT_FIRST_PORT = 32_768, WAIT = 3;
const PODS_TTL = 64, HOPS_OUT = 2, HOPS_BACK = 2;

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** A TCP segment of the pod; packets.ts knows no sequence numbers. */
function segment(port: number, toPort: number, seq: number, ack: number, flags: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = Buffer.alloc(20 + data.length), pseudo = Buffer.alloc(12);
  bytes.writeUInt16BE(port, 0);
  bytes.writeUInt16BE(toPort, 2);
  bytes.writeUInt32BE(seq, 4);
  bytes.writeUInt32BE(ack, 8);
  bytes.writeUInt16BE(0x5000 | flags, 12);
  bytes.writeUInt16BE(0xffff, 14);
  bytes.set(data, 20);
  pseudo.writeUInt32BE(addressNumber(POD), 0);
  pseudo.writeUInt32BE(addressNumber(SERVER), 4);
  pseudo.writeUInt16BE(TCP, 8);
  pseudo.writeUInt16BE(bytes.length, 10);
  bytes.writeUInt16BE(internetChecksum(pseudo, bytes), 16);
  return ipv4(OUT, TCP, bytes, { ttl: PODS_TTL });
}

/** Fields of an IPv4 packet with a transport of ports. */
function seen(packet: Buffer): { readonly from: string; readonly to: string; readonly fromPort: number; readonly toPort: number; readonly ttl: number } {
  return {
    from: addressText(packet.readUInt32BE(12)), to: addressText(packet.readUInt32BE(16)), fromPort: packet.readUInt16BE(IP), toPort: packet.readUInt16BE(IP + 2),
    ttl: packet[8] ?? 0,
  };
}

const tcpPayload = (packet: Buffer): Buffer => packet.subarray(IP + (packet[IP + 12] ?? 0) / 16 * 4, packet.readUInt16BE(2));

describe.skipIf(REASON !== "")(REASON === "" ? "a real stack behind the gateway" : `a real stack behind the gateway (skipped: ${REASON})`, { timeout: 30_000 }, () => {
  let tables: DatapathTables;
  let namespace: NetworkNamespace;
  let talk: Conversation;
  let world: OutsideWorld;
  beforeAll(async () => { tables = await tablesOf(CLUSTER); });
  beforeEach(async () => {
    namespace = new NetworkNamespace();
    talk = new Conversation(scratch, tables, POD, EGRESS);
    world = new OutsideWorld(namespace, EGRESS, (frame) => frame.readUInt16BE(12) === 0x0800);
    await namespace.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
    await namespace.pair("wire", "peer");
    await namespace.run(`ip address add ${SERVER}/32 dev wire`);
    await namespace.run(`ip route add ${EGRESS}/32 dev wire`);
    await namespace.watch("peer");
  });
  afterEach(async () => await namespace.close());

  const toWorld = async (frames: readonly Buffer[]): Promise<void> => await world.gets(frames);
  const fromWorld = async (enough: (frames: readonly Buffer[]) => boolean): Promise<Buffer[]> => await world.says(enough);

  it("opens, uses and closes a TCP connection with the pod", async () => {
    const port = 1024, service = 8443, isn = 0xfffffff0, question = filler(700), answer = Buffer.from(filler(1400)).reverse();
    const after = (count: number): number => (isn + count) >>> 0;
    await namespace.listen("web", "tcp", SERVER, service);
    talk.podSends(segment(port, service, isn, 0, SYN));
    const opening = (await talk.exchange()).left;
    expect(opening.length).toBe(1);
    const sent = seen((opening[0] ?? Buffer.alloc(0)).subarray(ETH));
    expect(sent).toMatchObject({ from: EGRESS, to: SERVER, toPort: service, ttl: PODS_TTL - HOPS_OUT });
    expect(sent.fromPort).toBeGreaterThanOrEqual(SNAT_FIRST_PORT);
    await toWorld(opening);
    const synAck = await fromWorld((frames) => frames.length === 1);
    talk.worldSends(...synAck);
    const [accepted = Buffer.alloc(0), ...more] = (await talk.exchange()).reached;
    expect(more).toEqual([]);
    expect(seen(accepted)).toEqual({ from: SERVER, to: POD, fromPort: service, toPort: port, ttl: (synAck[0]?.[ETH + 8] ?? 0) - HOPS_BACK });
    expect([accepted[IP + 13], accepted.readUInt32BE(IP + 8)]).toEqual([SYN_ACK, after(1)]);
    expect(checksumFaults(accepted)).toEqual([0, 0]);

    const theirs = (accepted.readUInt32BE(IP + 4) + 1) >>> 0;
    talk.podSends(segment(port, service, after(1), theirs, ACK), segment(port, service, after(1), theirs, PSH_ACK, question));
    await toWorld((await talk.exchange()).left.slice(0, 2));
    expect(await namespace.accept("web", WAIT)).toEqual([EGRESS, sent.fromPort]);
    expect((await namespace.receive("web", WAIT))?.data.equals(question)).toBe(true);

    await namespace.answer("web", answer);
    const payloads = (frames: readonly Buffer[]): number => frames.reduce((sum, frame) => sum + tcpPayload(frame.subarray(ETH)).length, 0);
    talk.worldSends(...await fromWorld((frames) => payloads(frames) >= answer.length));
    const received = Buffer.alloc(answer.length), { reached } = await talk.exchange();
    for (const packet of reached) {
      expect(checksumFaults(packet)).toEqual([0, 0]);
      received.set(tcpPayload(packet), (packet.readUInt32BE(IP + 4) - theirs) >>> 0);
    }
    expect(reached.length).toBeGreaterThan(1);
    expect(received.equals(answer)).toBe(true);

    const acknowledged = (theirs + answer.length) >>> 0;
    talk.podSends(segment(port, service, after(1 + question.length), acknowledged, FIN_ACK));
    await toWorld((await talk.exchange()).left);
    expect((await namespace.receive("web", WAIT))?.data.length).toBe(0);
  });

  it("gets datagrams whole, in fragments and without a checksum too, and answers them", async () => {
    const port = 5000, service = 5300, long = filler(3000), bare = udpDatagram(OUT, port, service, filler(33));
    bare.set([0, 0], 6);
    await namespace.listen("dns", "udp", SERVER, service);
    talk.podSends(udp(OUT, port, service, 101), ...fragments(OUT, UDP, udpDatagram(OUT, port, service, long), 1400, 77), ipv4(OUT, UDP, bare));
    const { left } = await talk.exchange();
    expect(left.length).toBe(5);
    await toWorld(left);
    const got = [await namespace.receive("dns", WAIT), await namespace.receive("dns", WAIT), await namespace.receive("dns", WAIT)];
    expect(got.map((each) => each?.data.length)).toEqual([101, 3000, 33]);
    expect(got.every((each, k) => each?.data.equals([filler(101), long, filler(33)][k] ?? Buffer.alloc(0)) === true)).toBe(true);
    const peer = got[0]?.peer ?? ["", 0];
    expect(peer[0]).toBe(EGRESS);
    expect(peer[1]).toBeGreaterThanOrEqual(SNAT_FIRST_PORT);
    expect(got.map((each) => each?.peer)).toEqual([peer, peer, peer]);

    await namespace.answer("dns", long, peer);
    talk.worldSends(...await fromWorld((frames) => frames.length === 3));
    const { reached } = await talk.exchange();
    expect(reached.map(checksumFaults)).toEqual([[0, 0], [0, 0], [0, 0]]);
    const whole = Buffer.concat(reached.map((packet) => packet.subarray(IP, packet.readUInt16BE(2))));
    expect(seen(reached[0] ?? Buffer.alloc(0))).toMatchObject({ from: SERVER, to: POD, fromPort: service, toPort: port });
    expect(Buffer.from(udpDatagram({ from: SERVER, to: POD }, service, port, long)).equals(whole)).toBe(true);
  });

  it("answers pings, whatever their identifiers", async () => {
    talk.podSends(echo(OUT, 7), echo(OUT, 40_001));
    await toWorld((await talk.exchange()).left);
    talk.worldSends(...await fromWorld((frames) => frames.length === 2));
    const { reached } = await talk.exchange();
    expect(reached.map(checksumFaults)).toEqual([[0, 0], [0, 0]]);
    expect(reached.map((packet) => packet.subarray(IP).equals(icmpMessage(0, 0, packet.readUInt32BE(IP + 4), filler(12))))).toEqual([true, true]);
    expect(reached.map((packet) => packet.readUInt16BE(IP + 4))).toEqual([7, 40_001]);
  });

  it("tells the pod of a port that nobody listens on, with the pod's own packet quoted", async () => {
    const question = udp(OUT, 2000, 9, 20);
    talk.podSends(question);
    await toWorld((await talk.exchange()).left);
    talk.worldSends(...await fromWorld((frames) => frames.length === 1));
    const [error = Buffer.alloc(0)] = (await talk.exchange()).reached;
    expect([error[IP], error[IP + 1], addressText(error.readUInt32BE(16))]).toEqual([3, 3, POD]);
    expect(checksumFaults(error)).toEqual([0, 0]);
    const quoted = error.subarray(IP + 8, error.readUInt16BE(2)), asSent = Buffer.from(question);
    expect(quoted[8]).toBe(PODS_TTL - HOPS_OUT);
    expect(internetChecksum(quoted.subarray(0, IP))).toBe(0);
    // But for time to live and checksums, the quote is what the pod sent.
    for (const [from, to] of [[0, 8], [9, 10], [12, IP + 6], [IP + 8, asSent.length]] as const) expect(quoted.subarray(from, to).equals(asSent.subarray(from, to))).toBe(true);
  });

  it("would have refused a wrong checksum", async () => {
    const service = 5301;
    await namespace.listen("strict", "udp", SERVER, service);
    talk.podSends(udp(OUT, 5000, service, 10));
    const { left } = await talk.exchange(), [frame = Buffer.alloc(0)] = left.map((each) => Buffer.from(each));
    frame.writeUInt8((frame.at(-1) ?? 0) ^ 1, frame.length - 1);
    await toWorld([frame]);
    expect(await namespace.receive("strict", 0.2)).toBeNull();
    const [names = "", counts = ""] = (await namespace.run("cat /proc/net/snmp")).split("\n").filter((line) => line.startsWith("Udp:"));
    expect(counts.split(" ")[names.split(" ").indexOf("InCsumErrors")]).toBe("1");
    await toWorld(left);
    expect((await namespace.receive("strict", WAIT))?.data.length).toBe(10);
  });
});
