// The same traffic through one, two and four workers, by queues that have nothing to do with shards: the same frames leave, the
// same flows and counters are left.
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { flowMaps } from "../../src/engine/flow-maps.ts";
import { flowRecords } from "../../src/engine/flow-records.ts";
import { Gathering } from "../../src/engine/gather.ts";
import { CLOCK_START } from "../../src/engine/chunk-filler.ts";
import { SeededRandom } from "../../src/generate/random.ts";
import { OUT_DELIVERED, OUT_DROPPED, OUT_FORWARDED, OUT_PASSED } from "../../src/kernel/layout-flow.ts";
import { LEAST_ROOM } from "../../src/live/hand-overs.ts";
import { HANDED_OVER } from "../../src/live/live-counters.ts";
import { addressNumber, ipv4, UDP } from "../e2e/packets.ts";
import { FakeDevices, OUTSIDE, PODS, TUNNEL, type Wishes, type Written } from "./fake-devices.ts";
import { wireWord } from "../../src/engine/image/arena.ts";

const PODS_OF_WORKER = ["10.244.1.10", "10.244.1.11"], ROUTER = "192.0.2.1", WORKER = "172.31.60.11", GATEWAY = "172.31.60.21";
const BROADCAST = [255, 255, 255, 255, 255, 255], ROUTER_MAC = [2, 9, 9, 9, 9, 1], POD_MAC = [2, 9, 9, 9, 9, 2], NOBODY = [0, 0, 0, 0, 0, 0];
const ETH = 14, ARP_OPERATION = 21, ARP_SENDER_MAC = 22, ARP_SENDER = 28, ARP_TARGET = 38;
const MOST_ENTRIES = 100_000;
/** Frames that go ahead: enough for every worker to have some. */
const AHEAD = 60;
/** Members of records that depend on the wall clock; and on the order in which queues are read. */
const TIMES = ["firstTime", "lastTime", "expires", "lastTxReport", "lastRxReport", "created"], NUMBERS = ["firstPacket", "lastPacket", "firstDroppedPacket"];

let tables: DatapathTables;
beforeAll(async () => {
  ({ tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/lab")]), { semantics: "cilium-1.19" }));
});

const ethernet = (to: readonly number[], from: readonly number[], type: number, payload: Uint8Array): Uint8Array => Uint8Array.from([...to, ...from, type >>> 8, type & 255, ...payload]);
const datagram = (from: string, to: string, fromPort: number, toPort: number): Uint8Array =>
  ipv4({ from, to }, UDP, Uint8Array.from([fromPort >>> 8, fromPort & 255, toPort >>> 8, toPort & 255, 0, 12, 0, 0, 1, 2, 3, 4]));
const arp = (operation: number, mac: readonly number[], sender: string, targetMac: readonly number[], target: string): Uint8Array =>
  Uint8Array.from([0, 1, 8, 0, 6, 4, 0, operation, ...mac, ...sender.split(".").map(Number), ...targetMac, ...target.split(".").map(Number)]);
const addressAt = (bytes: Uint8Array, at: number): string => [...bytes.subarray(at, at + 4)].join(".");
const isArp = ({ bytes }: Written): boolean => bytes[12] === 8 && bytes[13] === 6;
/** As a kernel's: of the whole flow, another one for each direction. ARP has no ports, and a queue of its own. */
const byFlow = (bytes: Uint8Array): number => (bytes[13] === 6 ? 3 : bytes.subarray(ETH + 12, ETH + 24).reduce((hash, byte) => (Math.imul(hash, 33) ^ byte) >>> 0, 5381) >>> 4);

/** Packets of both pods to 40 servers: through policies, past them, to a policy without a gateway and, of strangers, to nowhere.
 * Each pod has ports of its own: which of two flows gets a port that both want is decided by which comes first. */
function podFrames(): Uint8Array[] {
  const random = new SeededRandom(11), nets = ["203.0.113", "203.0.113", "198.51.100", "198.18.0"];
  return Array.from({ length: 1500 }, () => {
    const pod = random.below(2), from = random.below(50) === 0 ? "10.9.9.9" : (PODS_OF_WORKER[pod] ?? "");
    return ethernet(BROADCAST, POD_MAC, 0x0800, datagram(from, `${nets[random.below(4)] ?? ""}.${random.below(40)}`, 40_000 + 1000 * pod + random.below(8), 53));
  });
}

/** Devices and what has left by them. */
class Traffic {
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

  /** Every packet that left by the outer device is answered; what comes of it. */
  answerAll(): readonly Written[] {
    const out = this.sentBy(OUTSIDE);
    expect(out.length).toBeGreaterThan(400);
    for (const frame of out) {
      const port = ((frame[ETH + 20] ?? 0) << 8) | (frame[ETH + 21] ?? 0);
      this.devices.arrive(OUTSIDE, ethernet([...frame.subarray(6, 12)], ROUTER_MAC, 0x0800, datagram(addressAt(frame, ETH + 16), addressAt(frame, ETH + 12), 53, port)));
    }
    const answers = this.run();
    expect(answers.length).toBe(out.length);
    return answers;
  }

  /** What is left, without the members `leftOut`. */
  ending(leftOut: readonly string[]) {
    const printed = (record: object): string => JSON.stringify(record, (key, value: unknown) => (leftOut.includes(key) ? undefined : typeof value === "bigint" ? String(value) : value));
    const { counters, memory } = this.devices, gathering = new Gathering(memory, tables), outcomes = [OUT_FORWARDED, OUT_DELIVERED, OUT_PASSED, OUT_DROPPED].map((each) => gathering.outcome(each));
    const ignored = counters.ignoredBy(), received = counters.received();
    expect([...outcomes, ...ignored].reduce((sum, { packets }) => sum + packets, 0)).toBe(received.packets);
    return {
      written: [PODS, OUTSIDE, TUNNEL].map((fd) => this.sentBy(fd).map((bytes) => Buffer.from(bytes).toString("hex"))),
      destinations: this.written.filter(({ to }) => to !== null).map(({ to }) => String(to)),
      counted: printed({
        outcomes, ignored, received, endings: gathering.endings(), policies: gathering.policyUse(), masquerading: gathering.masqueradeUse(), totals: gathering.tableTotals(),
      }),
      flows: [...flowRecords(memory, MOST_ENTRIES)].map(printed).sort(),
      maps: [...flowMaps(memory, tables.nodes.length, CLOCK_START, MOST_ENTRIES).records].map(printed).sort(),
      handedOver: counters.sum(HANDED_OVER),
    };
  }
}


describe.each<readonly [string, Wishes, readonly string[]]>([
  ["by their flows' queues", { queueOf: byFlow }, [...TIMES, ...NUMBERS]],
  ["all by one queue", { queueOf: () => 3 }, TIMES],
  ["by their flows' queues, with rings that are soon full", { queueOf: byFlow, slots: LEAST_ROOM }, [...TIMES, ...NUMBERS]],
  ["all by one queue, with rings that are soon full", { queueOf: () => 3, slots: LEAST_ROOM }, TIMES],
])("frames that come in %s", (_how, wishes, leftOut) => {
  /** The whole cluster between two devices. */
  function cluster(workers: number): ReturnType<Traffic["ending"]> {
    const traffic = new Traffic(new FakeDevices(tables, new Set([0, 1]), 0, { ...wishes, workers }));
    for (const pod of PODS_OF_WORKER) traffic.devices.arrive(PODS, ethernet(BROADCAST, POD_MAC, 0x0806, arp(1, POD_MAC, pod, NOBODY, "169.254.1.1")));
    traffic.send(podFrames(), (frame) => traffic.devices.arrive(PODS, frame));
    // The pods' own MACs are known to all workers, too.
    for (const { fd, bytes } of traffic.answerAll()) expect([fd, ...bytes.subarray(0, 6)]).toEqual([PODS, ...POD_MAC]);
    return traffic.ending(leftOut);
  }

  /** A source's node: what goes through a policy leaves by its socket. The gateway takes that, and answers go back into the tunnel. */
  function pair(workers: number): readonly ReturnType<Traffic["ending"]>[] {
    const node = (name: string): ReadonlySet<number> => new Set([tables.nodes.findIndex((each) => each.name === name)]), word = (address: string): number => wireWord(addressNumber(address));
    const source = new Traffic(new FakeDevices(tables, node("worker"), word(WORKER), { ...wishes, workers }));
    source.send(podFrames(), (frame) => source.devices.arrive(PODS, frame));
    const first = source.ending(leftOut), tunnel = source.sentBy(TUNNEL);
    const gateway = new Traffic(new FakeDevices(tables, node("gateway"), word(GATEWAY), { ...wishes, workers }));
    gateway.send(tunnel, (frame) => gateway.devices.arrive(TUNNEL, frame, word(WORKER)));
    for (const { fd } of gateway.answerAll()) expect(fd).toBe(TUNNEL);
    return [first, gateway.ending(leftOut)];
  }

  it.each([2, 4])("cross the whole cluster on %i workers as on one", (workers) => {
    const one = cluster(1), several = cluster(workers);
    expect(one.flows.length).toBeGreaterThan(500);
    expect(one.handedOver).toBe(0);
    expect(several.handedOver).toBeGreaterThan(500);
    expect({ ...several, handedOver: 0 }).toEqual(one);
  });

  it.each([2, 4])("cross the tunnel from %i workers to as many as from one to one", (workers) => {
    const one = pair(1), several = pair(workers);
    expect(one[0]?.flows.length).toBeGreaterThan(500);
    expect(several.map((each) => ({ ...each, handedOver: 0 }))).toEqual(one);
  });
});
