// Frames of pods and what comes back to them, sent through devices of memory; and all that is left of it.
import { expect } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { CLOCK_START } from "../../src/engine/chunk-filler.ts";
import { flowMaps } from "../../src/engine/flow-maps.ts";
import { flowRecords } from "../../src/engine/flow-records.ts";
import { Gathering } from "../../src/engine/gather.ts";
import { wireWord } from "../../src/engine/image/arena.ts";
import { SeededRandom } from "../../src/generate/random.ts";
import { OUT_DELIVERED, OUT_DROPPED, OUT_FORWARDED, OUT_PASSED } from "../../src/kernel/layout-flow.ts";
import { NC_ON_WAY } from "../../src/kernel/pipeline/layout-batch.ts";
import { HANDED_OVER } from "../../src/live/live-counters.ts";
import { ACK, addressNumber, echo, FIN_ACK, ICMP, PSH_ACK, SYN, tcp, udp } from "../e2e/packets.ts";
import { FakeDevices, OUTSIDE, PODS, TUNNEL, type Wishes, type Written } from "./fake-devices.ts";

export const PODS_OF_WORKER = ["10.244.1.10", "10.244.1.11"];
const ROUTER = "192.0.2.1", WORKER = "172.31.60.11", GATEWAY = "172.31.60.21";
const BROADCAST = [255, 255, 255, 255, 255, 255], ROUTER_MAC = [2, 9, 9, 9, 9, 1], POD_MAC = [2, 9, 9, 9, 9, 2], NOBODY = [0, 0, 0, 0, 0, 0];
const ETH = 14, ARP_OPERATION = 21, ARP_SENDER_MAC = 22, ARP_SENDER = 28, ARP_TARGET = 38;
const MOST_ENTRIES = 100_000;
/** Frames that go ahead: enough for every worker to have some. */
export const AHEAD = 60;
/** Members of records that depend on the wall clock; and on the order in which queues are read. */
export const TIMES = ["firstTime", "lastTime", "expires", "lastTxReport", "lastRxReport", "created"];
export const NUMBERS = ["firstPacket", "lastPacket", "firstDroppedPacket"];

const ethernet = (to: readonly number[], from: readonly number[], type: number, payload: Uint8Array): Uint8Array => Uint8Array.from([...to, ...from, type >>> 8, type & 255, ...payload]);
const arp = (operation: number, mac: readonly number[], sender: string, targetMac: readonly number[], target: string): Uint8Array =>
  Uint8Array.from([0, 1, 8, 0, 6, 4, 0, operation, ...mac, ...sender.split(".").map(Number), ...targetMac, ...target.split(".").map(Number)]);
const addressAt = (bytes: Uint8Array, at: number): string => [...bytes.subarray(at, at + 4)].join(".");
const isArp = ({ bytes }: Written): boolean => bytes[12] === 8 && bytes[13] === 6;

/** A pod's question for its router, by which the pod itself gets known. */
export function podAsks(pod: string): Uint8Array { return ethernet(BROADCAST, POD_MAC, 0x0806, arp(1, POD_MAC, pod, NOBODY, "169.254.1.1")); }

/** Packets of both pods to 40 servers: through policies, past them, to a policy without a gateway and, of strangers, to nowhere; of
 * many kinds, and of each flow several. Each pod has ports of its own: which of two flows gets a port that both want is decided by
 * which comes first. */
export function podFrames(): Uint8Array[] {
  const random = new SeededRandom(11), nets = ["203.0.113", "203.0.113", "198.51.100", "198.18.0"];
  return Array.from({ length: 3000 }, () => {
    const pod = random.below(2), from = random.below(50) === 0 ? "10.9.9.9" : (PODS_OF_WORKER[pod] ?? "");
    const ends = { from, to: `${nets[random.below(4)] ?? ""}.${random.below(40)}` }, port = 40_000 + 1000 * pod + random.below(3), length = 18 + random.below(60);
    return ethernet(BROADCAST, POD_MAC, 0x0800, packetOf(random.below(20), ends, port, length));
  });
}

function packetOf(kind: number, ends: { readonly from: string; readonly to: string }, port: number, length: number): Uint8Array {
  if (kind === 0) return tcp(ends, port, 80, SYN);
  if (kind === 1) return tcp(ends, port, 80, FIN_ACK);
  if (kind === 2) return echo(ends, port);
  if (kind === 3) return udp(ends, port, 53, length, { ttl: 1 + (port % 3) });
  if (kind === 4) return udp(ends, port, 53, length, { fragment: 0x2000 });
  if (kind < 12) return tcp(ends, port, 80, kind < 6 ? PSH_ACK : ACK, length);
  const packet = udp(ends, port, 53, length);
  // Without a checksum (RFC 768).
  if (kind === 12) packet.fill(0, 26, 28);
  return packet;
}

/** Devices and what has left by them. */
export class Traffic {
  readonly devices: FakeDevices;
  readonly written: Written[] = [];

  constructor(devices: FakeDevices) {
    this.devices = devices;
  }

  run(): readonly Written[] {
    const { end, written } = this.devices.run();
    expect(end.fault).toBeNull();
    this.written.push(...written);
    return written;
  }

  /** Sends a few frames ahead, whose workers ask for the router, and the rest when it has answered. */
  send(frames: readonly Uint8Array[], arrive: (frame: Uint8Array) => void): void {
    for (const frame of frames.slice(0, AHEAD)) arrive(frame);
    const asked = this.run().filter((each) => isArp(each) && each.fd === OUTSIDE).map(({ bytes }) => bytes);
    expect(asked.length).toBeGreaterThan(0);
    for (const frame of asked) expect([frame[ARP_OPERATION], addressAt(frame, ARP_TARGET)]).toEqual([1, ROUTER]);
    // One answer, however many workers asked: those whose queue it does not come in by must hear of it.
    const [question = new Uint8Array()] = asked, mac = [...question.subarray(ARP_SENDER_MAC, ARP_SENDER_MAC + 6)];
    this.devices.arrive(OUTSIDE, ethernet(mac, ROUTER_MAC, 0x0806, arp(2, ROUTER_MAC, ROUTER, mac, addressAt(question, ARP_SENDER))));
    this.run();
    for (const frame of frames.slice(AHEAD)) arrive(frame);
    this.run();
  }

  /** Packets that left by a device or socket, in an order that depends on them alone. */
  sentBy(fd: number): Uint8Array[] {
    const random = new SeededRandom(12), sent = this.written.filter((each) => each.fd === fd && !isArp(each)).map(({ bytes }) => bytes).sort(Buffer.compare);
    return sent.map((bytes) => ({ bytes, place: random.unit() })).sort((a, b) => a.place - b.place).map(({ bytes }) => bytes);
  }

  /** Every packet of UDP and TCP that left by the outer device is answered, unless the answer would not live long enough. */
  answerAll(): readonly Written[] {
    const out = this.sentBy(OUTSIDE).filter((frame) => frame[ETH + 9] !== ICMP && frame[ETH + 6] === 0 && (frame[ETH + 8] ?? 0) > 32);
    expect(out.length).toBeGreaterThan(400);
    for (const frame of out) {
      const answer = frame.slice(), ip = ETH + 12, l4 = ETH + 20;
      // The other way round sums to the same checksums.
      answer.set([...frame.subarray(6, 12), ...ROUTER_MAC]);
      answer.set([...frame.subarray(ip + 4, ip + 8), ...frame.subarray(ip, ip + 4)], ip);
      answer.set([...frame.subarray(l4 + 2, l4 + 4), ...frame.subarray(l4, l4 + 2)], l4);
      this.devices.arrive(OUTSIDE, answer);
    }
    const answers = this.run();
    expect(answers.length).toBe(out.length);
    return answers;
  }

  /** What is left, without the members `leftOut`. */
  ending(tables: DatapathTables, leftOut: readonly string[]) {
    const printed = (record: object): string => JSON.stringify(record, (key, value: unknown) => (leftOut.includes(key) ? undefined : typeof value === "bigint" ? String(value) : value));
    const { counters, memory } = this.devices, gathering = new Gathering(memory, tables), outcomes = [OUT_FORWARDED, OUT_DELIVERED, OUT_PASSED, OUT_DROPPED].map((each) => gathering.outcome(each));
    const endings = gathering.endings(), ignored = counters.ignoredBy(), received = counters.received();
    expect([...outcomes, ...ignored].reduce((sum, { packets }) => sum + packets, 0)).toBe(received.packets);
    return {
      written: [PODS, OUTSIDE, TUNNEL].map((fd) => this.sentBy(fd).map((bytes) => Buffer.from(bytes).toString("hex"))),
      destinations: this.written.filter(({ to }) => to !== null).map(({ to }) => String(to)),
      counted: { outcomes, ignored, received, totals: gathering.tableTotals() },
      endings: [...endings.drops, ...endings.passes, ...gathering.policyUse(), ...gathering.masqueradeUse()].map(printed).sort(),
      flows: [...flowRecords(memory, MOST_ENTRIES)].map(printed).sort(),
      maps: [...flowMaps(memory, tables.nodes.length, CLOCK_START, MOST_ENTRIES).records].map(printed).sort(),
      handedOver: counters.sum(HANDED_OVER), onWays: gathering.note(NC_ON_WAY),
    };
  }
}

/** Addresses between which a frame goes. */
export function endsOf(frame: Uint8Array): string { return `${addressAt(frame, ETH + 12)} > ${addressAt(frame, ETH + 16)}`; }

/** A pod's datagram; the same for the same ends. */
export function podSends(from: string, to: string): Uint8Array { return ethernet(BROADCAST, POD_MAC, 0x0800, udp({ from, to }, 40_000, 53, 20)); }

export type Ending = ReturnType<Traffic["ending"]>;

/** The whole cluster between two devices: requests and answers. */
export function throughCluster(tables: DatapathTables, wishes: Wishes, leftOut: readonly string[]): Ending {
  const traffic = new Traffic(new FakeDevices(tables, new Set([0, 1]), 0, wishes));
  for (const pod of PODS_OF_WORKER) traffic.devices.arrive(PODS, podAsks(pod));
  traffic.send(podFrames(), (frame) => traffic.devices.arrive(PODS, frame));
  // All workers know the pods' own MACs.
  for (const { fd, bytes } of traffic.answerAll()) expect([fd, ...bytes.subarray(0, 6)]).toEqual([PODS, ...POD_MAC]);
  return traffic.ending(tables, leftOut);
}

/** Two nodes with a tunnel between them, and all the way back. */
export function throughTunnel(tables: DatapathTables, wishes: Wishes, leftOut: readonly string[]): readonly Ending[] {
  const node = (name: string): ReadonlySet<number> => new Set([tables.nodes.findIndex((each) => each.name === name)]), word = (address: string): number => wireWord(addressNumber(address));
  const source = new Traffic(new FakeDevices(tables, node("worker"), word(WORKER), wishes));
  for (const pod of PODS_OF_WORKER) source.devices.arrive(PODS, podAsks(pod));
  source.send(podFrames(), (frame) => source.devices.arrive(PODS, frame));
  const tunnel = source.sentBy(TUNNEL), sent = source.ending(tables, leftOut);
  const gateway = new Traffic(new FakeDevices(tables, node("gateway"), word(GATEWAY), wishes));
  gateway.send(tunnel, (frame) => gateway.devices.arrive(TUNNEL, frame, word(WORKER)));
  const answered = gateway.answerAll().length, answers = gateway.sentBy(TUNNEL), translated = gateway.ending(tables, leftOut);
  expect(answers.length).toBe(answered);
  // Of the pods' own node, as it would be when they have asked for nothing yet.
  const again = new Traffic(new FakeDevices(tables, node("worker"), word(WORKER), wishes));
  for (const pod of PODS_OF_WORKER) again.devices.arrive(PODS, podAsks(pod));
  again.run();
  for (const frame of answers) again.devices.arrive(TUNNEL, frame, word(GATEWAY));
  const delivered = again.run().filter((each) => !isArp(each));
  expect(delivered.length).toBe(answers.length);
  return [sent, translated, again.ending(tables, leftOut)];
}
