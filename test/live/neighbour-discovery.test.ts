// Neighbour discovery on devices of memory: who is answered and believed, what is asked, and where IPv6 frames go then.
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { addressAt, addressBytes, echo, ethernet as unaddressed, icmp6Message, internetChecksum, ip, ICMP6, udp } from "../e2e/packets.ts";
import { below, seeded } from "../kernel/seeded.ts";
import { FakeDevices, OUTSIDE, PODS, type Written } from "./fake-devices.ts";

const POD = "fd00:244:1::10", POD_ROUTER = "fd00:244:1::1", SERVER = "2001:db8:113::10", EXCLUDED = "2001:db8:113::20", EGRESS = "2001:db8:2::101", WORKER = "2001:db8:2::11";
const ROUTER = "2001:db8:2::c000:201", ROUTER_LOCAL = "fe80::1", POD_LOCAL = "fe80::9:9", STRANGER = "2001:db8:2::77";
const POD_MAC = [0x02, 9, 9, 9, 9, 1], ROUTER_MAC = [0x02, 9, 9, 9, 9, 2], OTHER_MAC = [0x02, 9, 9, 9, 9, 3], GROUP_MAC = [0x33, 0x33, 0xff, 0, 0, 1];
const SOLICITATION = 135, ADVERTISEMENT = 136, SOURCE_MAC = 1, TARGET_MAC = 2;
const SOLICITED = 0x4000_0000, OVERRIDE = 0x2000_0000, ANY = "::";
const ETH = 14, L4 = ETH + 40, SEED = 4861;

let tables: DatapathTables;
beforeAll(async () => {
  ({ tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/lab")]), { semantics: "cilium-1.19" }));
});

const node = (name: string): number => tables.nodes.findIndex((each) => each.name === name);
const both = (): FakeDevices => new FakeDevices(tables, new Set([0, 1]), 0);
const worker = (): FakeDevices => new FakeDevices(tables, new Set([node("worker")]), 1);
const gateway = (): FakeDevices => new FakeDevices(tables, new Set([node("gateway")]), 1);
const macOfPeer = (): readonly number[] => tables.nodes[node("worker")]?.endpoints6.find(({ host }) => !host)?.nodeMac ?? [];

const framed = (to: readonly number[], from: readonly number[], packet: Uint8Array): Uint8Array => Uint8Array.from([...to, ...from, 0x86, 0xdd, ...packet]);
/** The solicited-node group (RFC 4291 section 2.7.1). */
const group = (target: string): string => {
  const low = Buffer.from(addressBytes(target).subarray(13)).toString("hex");
  return `ff02::1:ff${low.slice(0, 2)}:${low.slice(2)}`;
};
const option = (kind: number, mac: readonly number[]): Uint8Array => Uint8Array.of(kind, 1, ...mac);

interface Discovery {
  readonly type?: number;
  readonly code?: number;
  readonly from: string;
  readonly to: string;
  readonly target: string;
  readonly flags?: number;
  readonly options?: Uint8Array;
  readonly ttl?: number;
}
/** A packet of neighbour discovery (RFC 4861 sections 4.3, 4.4). */
const discovery = ({ type = SOLICITATION, code = 0, from, to, target, flags = 0, options = new Uint8Array(0), ttl = 255 }: Discovery): Uint8Array =>
  ip({ from, to }, ICMP6, icmp6Message({ from, to }, type, code, flags, Uint8Array.from([...addressBytes(target), ...options])), { ttl });
const question = (from: string, target: string, mac: readonly number[], more: Partial<Discovery> = {}): Uint8Array =>
  framed(GROUP_MAC, mac, discovery({ from, to: group(target), target, options: from === ANY ? new Uint8Array(0) : option(SOURCE_MAC, mac), ...more }));
const answer = (to: string, toMac: readonly number[], target: string, mac: readonly number[], more: Partial<Discovery> = {}): Uint8Array =>
  framed(toMac, mac, discovery({ type: ADVERTISEMENT, from: target, to, target, flags: SOLICITED | OVERRIDE, options: option(TARGET_MAC, mac), ...more }));

/** What a frame of neighbour discovery says, its checksum checked. */
function said({ bytes }: Written): unknown {
  const packet = bytes.subarray(ETH);
  expect([bytes[12], bytes[13], packet[6], packet[7]]).toEqual([0x86, 0xdd, ICMP6, packet[40] === SOLICITATION ? 255 : packet[7]]);
  const size = bytes.length - L4, pseudo = Uint8Array.of(...packet.subarray(8, 40), 0, 0, 0, size, 0, 0, 0, ICMP6);
  expect(internetChecksum(pseudo, bytes.subarray(L4))).toBe(0);
  return {
    type: bytes[L4], flags: bytes[L4 + 4], from: addressAt(packet, 8), to: addressAt(packet, 24), target: addressAt(packet, 48), toMac: [...bytes.subarray(0, 6)],
    option: bytes[L4 + 24], mac: [...bytes.subarray(L4 + 26, L4 + 32)],
  };
}

const ends = (frame: Uint8Array): string => `${addressAt(frame.subarray(ETH), 8)} > ${addressAt(frame.subarray(ETH), 24)}`;
const deviceMac = (name: string, device: string): readonly number[] => tables.nodes[node(name)]?.devices.find((each) => each.name === device)?.mac ?? [];
const ignored = (devices: FakeDevices): unknown => devices.counters.ignoredBy().map(({ reason, packets }) => [reason, packets]);

describe("a solicitation", () => {
  it("of a pod for its router is answered by the pod's program, as a packet of the run", () => {
    const devices = worker();
    devices.arrive(PODS, question(POD, POD_ROUTER, POD_MAC));
    const { written } = devices.run();
    expect(written.map(said)).toEqual([{ type: ADVERTISEMENT, flags: 0xc0, from: POD_ROUTER, to: POD, target: POD_ROUTER, toMac: POD_MAC, option: TARGET_MAC, mac: macOfPeer() }]);
    expect(ignored(devices)).toEqual([]);
  });

  it("of a pod for what nobody has is dropped by the program", () => {
    const devices = worker();
    devices.arrive(PODS, question(POD, "fd00:244:1::99", POD_MAC));
    expect(devices.run().written).toEqual([]);
    expect(ignored(devices)).toEqual([]);
  });

  it("of a pod's link-local address, whether its router is still there, is answered too; whether its address is free is not", () => {
    const devices = worker();
    devices.arrive(PODS, framed(macOfPeer(), POD_MAC, discovery({ from: POD_LOCAL, to: POD_ROUTER, target: POD_ROUTER, options: option(SOURCE_MAC, POD_MAC) })));
    devices.arrive(PODS, question(ANY, POD, POD_MAC));
    expect(devices.run().written.map(said)).toEqual([
      { type: ADVERTISEMENT, flags: 0xe0, from: POD_ROUTER, to: POD_LOCAL, target: POD_ROUTER, toMac: POD_MAC, option: TARGET_MAC, mac: macOfPeer() },
    ]);
    expect(ignored(devices)).toEqual([["neighbour-discovery", 2]]);
  });

  it("outside is answered for the addresses of the nodes that are here, egress IPs included, and for no others", () => {
    const devices = gateway(), mac = deviceMac("gateway", "eth1");
    for (const target of [EGRESS, WORKER, STRANGER, ROUTER]) devices.arrive(OUTSIDE, question(ROUTER, target, ROUTER_MAC));
    expect(devices.run().written.map(said)).toEqual([{ type: ADVERTISEMENT, flags: 0xe0, from: EGRESS, to: ROUTER, target: EGRESS, toMac: ROUTER_MAC, option: TARGET_MAC, mac }]);
    expect(ignored(devices)).toEqual([["neighbour-discovery", 4]]);
  });

  it("of somebody who wants an egress IP for itself is answered to all", () => {
    const devices = gateway();
    devices.arrive(OUTSIDE, question(ANY, EGRESS, OTHER_MAC));
    expect(devices.run().written.map(said)).toEqual([
      { type: ADVERTISEMENT, flags: 0xa0, from: EGRESS, to: "ff02::1", target: EGRESS, toMac: [0x33, 0x33, 0, 0, 0, 1], option: TARGET_MAC, mac: deviceMac("gateway", "eth1") },
    ]);
  });

  it("outside for a pod or its router is answered by the device's program, at the node that has it", () => {
    const devices = worker();
    for (const target of [POD, POD_ROUTER]) devices.arrive(OUTSIDE, question(ROUTER, target, ROUTER_MAC));
    const mac = deviceMac("worker", "eth0");
    expect(devices.run().written.map(said)).toEqual([
      { type: ADVERTISEMENT, flags: 0x60, from: POD, to: ROUTER, target: POD, toMac: ROUTER_MAC, option: TARGET_MAC, mac },
      { type: ADVERTISEMENT, flags: 0xc0, from: POD_ROUTER, to: ROUTER, target: POD_ROUTER, toMac: ROUTER_MAC, option: TARGET_MAC, mac },
    ]);
    expect(ignored(devices)).toEqual([]);
  });
});

describe("hostile neighbour discovery", () => {
  const good: Discovery = { from: ROUTER, to: group(EGRESS), target: EGRESS, options: option(SOURCE_MAC, ROUTER_MAC) };
  const broken = (change: (packet: Uint8Array) => Uint8Array): Uint8Array => change(Uint8Array.from(discovery(good)));

  it.each<readonly [string, () => Uint8Array]>([
    ["from beyond a router", () => discovery({ ...good, ttl: 254 })],
    ["with another code", () => discovery({ ...good, code: 1 })],
    ["with a wrong checksum", () => broken((packet) => packet.fill((packet[42] ?? 0) ^ 1, 42, 43))],
    ["for a group", () => discovery({ ...good, target: "ff02::1" })],
    ["from a group", () => discovery({ ...good, from: "ff02::1" })],
    ["with an option of no length", () => discovery({ ...good, options: Uint8Array.of(SOURCE_MAC, 0, 0, 0, 0, 0, 0, 0) })],
    ["with an option longer than itself", () => discovery({ ...good, options: Uint8Array.of(SOURCE_MAC, 9, 0, 0, 0, 0, 0, 0) })],
    ["that ends in an option", () => discovery({ ...good, options: Uint8Array.of(SOURCE_MAC) })],
    ["cut off within its target", () => discovery(good).subarray(0, 60)],
    ["of nothing but a type", () => discovery(good).subarray(0, 41)],
    ["shorter than it says", () => discovery(good).subarray(0, 70)],
    ["from nobody, with a MAC", () => discovery({ ...good, from: ANY })],
    ["from nobody, to one alone", () => discovery({ ...good, from: ANY, to: EGRESS, options: new Uint8Array(0) })],
  ])("%s is ignored", (_what, packet) => {
    const devices = gateway();
    devices.arrive(OUTSIDE, framed(GROUP_MAC, ROUTER_MAC, packet()));
    const { end, written } = devices.run();
    expect(end.fault).toBeNull();
    expect(written).toEqual([]);
    expect(ignored(devices)).toEqual([["neighbour-discovery", 1]]);
  });

  it.each(["worker", "gateway"])("changed anywhere, at a %s: counted, and what is answered is whole", (name) => {
    const devices = new FakeDevices(tables, new Set([node(name)]), 1), random = seeded(SEED), frames = 3000;
    const patterns = [question(ROUTER, EGRESS, ROUTER_MAC), question(POD, POD_ROUTER, POD_MAC), question(ANY, WORKER, OTHER_MAC), answer(WORKER, deviceMac("worker", "eth1"), ROUTER, ROUTER_MAC)];
    let answered = 0;
    for (let k = 0; k < frames; k++) {
      const frame = Uint8Array.from(patterns[below(random, patterns.length)] ?? []);
      for (let change = below(random, 3); change > 0; change--) frame[below(random, frame.length)] = below(random, 256);
      devices.arrive(below(random, 2) === 0 ? PODS : OUTSIDE, frame.subarray(0, below(random, 4) === 0 ? below(random, frame.length + 1) : frame.length));
    }
    const { end, written } = devices.run();
    expect(end.fault).toBeNull();
    expect(devices.counters.received().packets).toBe(frames);
    for (const each of written) {
      // Programs, which answer for the pods' network, do not look at a checksum and keep a wrong one wrong.
      if (each.bytes[L4] !== ADVERTISEMENT || addressAt(each.bytes.subarray(ETH), 48).startsWith("fd00:244:")) continue;
      said(each);
      answered++;
    }
    expect(answered).toBeGreaterThan(100);
  });

  it("cannot tell a MAC that nobody asked for or a group has, nor change one without the override flag", () => {
    const devices = worker();
    devices.arrive(OUTSIDE, answer(WORKER, deviceMac("worker", "eth1"), ROUTER, OTHER_MAC));
    devices.run();
    devices.arrive(PODS, framed(macOfPeer(), POD_MAC, echo({ from: POD, to: EXCLUDED }, 7)));
    expect(devices.run().written.map(({ bytes }) => bytes[L4])).toEqual([SOLICITATION]);
    devices.arrive(OUTSIDE, answer(WORKER, deviceMac("worker", "eth1"), ROUTER, GROUP_MAC));
    devices.arrive(OUTSIDE, answer(WORKER, deviceMac("worker", "eth1"), ROUTER, ROUTER_MAC));
    devices.arrive(OUTSIDE, answer(WORKER, deviceMac("worker", "eth1"), ROUTER, OTHER_MAC, { flags: SOLICITED }));
    // Sent to all and claiming to be asked for.
    devices.arrive(OUTSIDE, answer("ff02::1", GROUP_MAC, ROUTER, OTHER_MAC));
    expect(devices.run().written.map(({ bytes }) => [...bytes.subarray(0, 6)])).toEqual([ROUTER_MAC]);
    devices.arrive(PODS, framed(macOfPeer(), POD_MAC, echo({ from: POD, to: EXCLUDED }, 8)));
    expect(devices.run().written.map(({ bytes }) => [...bytes.subarray(0, 6)])).toEqual([ROUTER_MAC]);
  });
});

describe("an IPv6 packet of a pod", () => {
  it("waits until the next hop, a link-local router, has told its MAC; its answer comes back to the pod's", () => {
    const devices = both();
    devices.arrive(PODS, question(POD, POD_ROUTER, POD_MAC));
    devices.arrive(PODS, framed(macOfPeer(), POD_MAC, udp({ from: POD, to: SERVER }, 40_000, 53)));
    const asked = devices.run().written.find(({ bytes }) => bytes[L4] === SOLICITATION), mac = deviceMac("gateway", "eth1");
    expect(asked?.fd).toBe(OUTSIDE);
    // From the address that the device gives itself: 02:00:c0:00:02:15 makes fe80::c0ff:fe00:215.
    expect(said(asked as Written)).toEqual({
      type: SOLICITATION, flags: 0, from: "fe80::c0ff:fe00:215", to: "ff02::1:ff00:1", target: ROUTER_LOCAL, toMac: [0x33, 0x33, 0xff, 0, 0, 1], option: SOURCE_MAC, mac,
    });
    devices.arrive(OUTSIDE, answer("fe80::c0ff:fe00:215", mac, ROUTER_LOCAL, ROUTER_MAC));
    const { written: [sent] } = devices.run();
    expect([...(sent?.bytes.subarray(0, 12) ?? [])]).toEqual([...ROUTER_MAC, ...mac]);
    expect(ends(sent?.bytes ?? new Uint8Array())).toBe(`${EGRESS} > ${SERVER}`);
    devices.arrive(OUTSIDE, framed(mac, ROUTER_MAC, udp({ from: SERVER, to: EGRESS }, 53, 40_000)));
    const { written: [back] } = devices.run();
    expect(back?.fd).toBe(PODS);
    expect([...(back?.bytes.subarray(0, 6) ?? [])]).toEqual(POD_MAC);
    expect(ends(back?.bytes ?? new Uint8Array())).toBe(`${SERVER} > ${POD}`);
  });

  it("whose hop limit ends is answered, each one of a batch with its own", () => {
    const devices = worker(), ports = [41_001, 41_002, 41_003];
    devices.arrive(PODS, question(POD, POD_ROUTER, POD_MAC));
    devices.run();
    for (const port of ports) devices.arrive(PODS, framed(macOfPeer(), POD_MAC, udp({ from: POD, to: EXCLUDED }, port, 33_434, 10, { ttl: 1 })));
    const { written } = devices.run();
    expect(written.map(({ bytes }) => [bytes[L4], ends(bytes)])).toEqual(ports.map(() => [3, `${POD_ROUTER} > ${POD}`]));
    // Quoted behind the error's header: IPv6, then the ports.
    expect(written.map(({ bytes }) => (bytes[L4 + 48] ?? 0) * 256 + (bytes[L4 + 49] ?? 0))).toEqual(ports);
    for (const each of written) said(each);
  });

  it("from a pod's address outside, or from a stranger at the pods, is ignored", () => {
    const devices = worker();
    devices.arrive(OUTSIDE, unaddressedTo(deviceMac("worker", "eth1"), udp({ from: POD, to: SERVER }, 1, 2)));
    devices.arrive(PODS, unaddressedTo(macOfPeer(), udp({ from: "fd00:9::9", to: SERVER }, 1, 2)));
    devices.arrive(PODS, unaddressedTo(macOfPeer(), Uint8Array.of(0x60, 0, 0)));
    expect(devices.run().written).toEqual([]);
    expect(ignored(devices)).toEqual([["not-of-the-model", 2], ["too-short", 1]]);
  });

  it("is ignored where the installation has no IPv6", () => {
    const devices = new FakeDevices({ ...tables, config: { ...tables.config, ipv6: false } }, new Set([node("worker")]), 1);
    devices.arrive(PODS, unaddressedTo(macOfPeer(), udp({ from: POD, to: SERVER }, 1, 2)));
    devices.arrive(PODS, question(POD, POD_ROUTER, POD_MAC));
    expect(devices.run().written).toEqual([]);
    expect(ignored(devices)).toEqual([["ipv6", 2]]);
  });
});

function unaddressedTo(mac: readonly number[], packet: Uint8Array): Uint8Array {
  const frame = Uint8Array.from(unaddressed(packet, 0x86dd));
  frame.set(mac);
  return frame;
}
