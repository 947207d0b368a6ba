// The live loop on devices of memory: which frame leaves where, to whom, and what is answered and counted.
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { addressOf, wireWord } from "../../src/engine/image/arena.ts";
import { formatIpv4 } from "../../src/observe/ip-text.ts";
import { addressNumber, ipv4, UDP } from "../e2e/packets.ts";
import { FakeDevices, OUTSIDE, PODS, TUNNEL, type Written } from "./fake-devices.ts";

const POD = "10.244.1.10", SERVER = "203.0.113.10", EXCLUDED = "203.0.113.20", WORKER = "172.31.60.11", GATEWAY = "172.31.60.21", ROUTER = "192.0.2.1", EGRESS = "192.0.2.101";
const POD_MAC = [0x02, 9, 9, 9, 9, 1], ROUTER_MAC = [0x02, 9, 9, 9, 9, 2], BROADCAST = [255, 255, 255, 255, 255, 255];
const ETH = 14, VXLAN = 8;

let tables: DatapathTables;
beforeAll(async () => {
  ({ tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/lab")]), { semantics: "cilium-1.19" }));
});

const node = (name: string): number => tables.nodes.findIndex((each) => each.name === name);
const both = (): FakeDevices => new FakeDevices(tables, new Set([0, 1]), 0);
const worker = (): FakeDevices => new FakeDevices(tables, new Set([node("worker")]), wireWord(addressNumber(WORKER)));
const gateway = (): FakeDevices => new FakeDevices(tables, new Set([node("gateway")]), wireWord(addressNumber(GATEWAY)));

const ethernet = (to: readonly number[], from: readonly number[], type: number, payload: Uint8Array): Uint8Array =>
  Uint8Array.from([...to, ...from, type >>> 8, type & 255, ...payload]);
const datagram = (from: string, to: string, fromPort: number, toPort: number): Uint8Array =>
  ipv4({ from, to }, UDP, Uint8Array.from([fromPort >>> 8, fromPort & 255, toPort >>> 8, toPort & 255, 0, 12, 0, 0, 1, 2, 3, 4]));
const arp = (operation: number, mac: readonly number[], sender: string, targetMac: readonly number[], target: string): Uint8Array =>
  Uint8Array.from([0, 1, 8, 0, 6, 4, 0, operation, ...mac, ...sender.split(".").map(Number), ...targetMac, ...target.split(".").map(Number)]);
const addressAt = (bytes: Uint8Array, at: number): string => [...bytes.subarray(at, at + 4)].join(".");
const ends = (frame: Uint8Array): string => `${addressAt(frame, ETH + 12)} > ${addressAt(frame, ETH + 16)}`;
const operationOf = ({ bytes }: Written): number | null => (bytes[12] === 8 && bytes[13] === 6 ? (bytes[21] ?? null) : null);
/** Introduces the pod, as its own ARP question does. */
const podAsks = (devices: FakeDevices): void => devices.arrive(PODS, ethernet(BROADCAST, POD_MAC, 0x0806, arp(1, POD_MAC, POD, [0, 0, 0, 0, 0, 0], "169.254.1.1")));
const podSends = (devices: FakeDevices, to: string): void => devices.arrive(PODS, ethernet(BROADCAST, POD_MAC, 0x0800, datagram(POD, to, 40_000, 53)));

describe("ARP", () => {
  it("of a pod is answered for every address but its own, with the node's side of its pair", () => {
    const devices = worker();
    podAsks(devices);
    devices.arrive(PODS, ethernet(BROADCAST, POD_MAC, 0x0806, arp(1, POD_MAC, POD, [0, 0, 0, 0, 0, 0], POD)));
    const { written } = devices.run();
    expect(written).toHaveLength(1);
    const [reply] = written as [Written];
    const mac = tables.nodes[node("worker")]?.endpoints.find(({ address }) => address === addressNumber(POD))?.nodeMac;
    expect([...reply.bytes.subarray(0, 12)]).toEqual([...POD_MAC, ...(mac ?? [])]);
    expect([...reply.bytes.subarray(ETH)]).toEqual([...arp(2, mac ?? [], "169.254.1.1", POD_MAC, POD)]);
  });

  it("outside is answered for the addresses of the nodes that are here, egress IPs included, and for no others", () => {
    const devices = gateway();
    for (const target of [EGRESS, "192.0.2.11", ROUTER]) devices.arrive(OUTSIDE, ethernet(BROADCAST, ROUTER_MAC, 0x0806, arp(1, ROUTER_MAC, ROUTER, [0, 0, 0, 0, 0, 0], target)));
    expect(devices.run().written.map(({ bytes }) => addressAt(bytes, 28))).toEqual([EGRESS]);
  });
});

describe("a pod's packet", () => {
  it("for a gateway elsewhere leaves by the node's tunnel socket, inner frame and VNI in it", () => {
    const devices = worker();
    podSends(devices, SERVER);
    const { written: [sent, ...others] } = devices.run();
    expect(others).toEqual([]);
    expect(sent?.fd).toBe(TUNNEL);
    expect([formatIpv4(addressOf(sent?.to?.[0] ?? 0)), sent?.to?.[1]]).toEqual([GATEWAY, 8472]);
    const bytes = sent?.bytes ?? new Uint8Array();
    expect(bytes[0]).toBe(0x08);
    const identity = tables.nodes[node("worker")]?.endpoints.find(({ address }) => address === addressNumber(POD))?.identity;
    expect((bytes[4] ?? 0) * 65_536 + (bytes[5] ?? 0) * 256 + (bytes[6] ?? 0)).toBe(identity);
    expect(ends(bytes.subarray(VXLAN))).toBe(`${POD} > ${SERVER}`);
  });

  it("that leaves by a device waits until the router has answered ARP, then goes to the router's MAC", () => {
    const devices = worker();
    podSends(devices, EXCLUDED);
    const asked = devices.run().written;
    expect(asked.map(operationOf)).toEqual([1]);
    expect([addressAt(asked[0]?.bytes ?? new Uint8Array(), 28), addressAt(asked[0]?.bytes ?? new Uint8Array(), 38)]).toEqual(["192.0.2.11", ROUTER]);
    const mine = [...(asked[0]?.bytes.subarray(6, 12) ?? [])];
    devices.arrive(OUTSIDE, ethernet(mine, ROUTER_MAC, 0x0806, arp(2, ROUTER_MAC, ROUTER, mine, "192.0.2.11")));
    const { written: [sent] } = devices.run();
    expect(sent?.fd).toBe(OUTSIDE);
    expect([...(sent?.bytes.subarray(0, 6) ?? [])]).toEqual(ROUTER_MAC);
    expect(ends(sent?.bytes ?? new Uint8Array())).toBe(`192.0.2.11 > ${EXCLUDED}`);
  });

  it("crosses the whole cluster where both nodes are here, and its answer comes back to the pod's own MAC", () => {
    const devices = both();
    podAsks(devices);
    podSends(devices, SERVER);
    const asked = devices.run().written.find((each) => operationOf(each) === 1);
    const mine = [...(asked?.bytes.subarray(6, 12) ?? [])];
    devices.arrive(OUTSIDE, ethernet(mine, ROUTER_MAC, 0x0806, arp(2, ROUTER_MAC, ROUTER, mine, EGRESS)));
    const { written: [sent] } = devices.run();
    expect(ends(sent?.bytes ?? new Uint8Array())).toBe(`${EGRESS} > ${SERVER}`);
    devices.arrive(OUTSIDE, ethernet(mine, ROUTER_MAC, 0x0800, datagram(SERVER, EGRESS, 53, 40_000)));
    const { written: [answer] } = devices.run();
    expect(answer?.fd).toBe(PODS);
    expect(ends(answer?.bytes ?? new Uint8Array())).toBe(`${SERVER} > ${POD}`);
    expect([...(answer?.bytes.subarray(0, 6) ?? [])]).toEqual(POD_MAC);
  });
});

describe("hostile frames", () => {
  const inTunnel = (inner: Uint8Array): Uint8Array => Uint8Array.from([8, 0, 0, 0, 0, 0x4e, 0x21, 0, ...inner]);

  it.each<readonly [string, (devices: FakeDevices) => void, string]>([
    ["a pod's address outside", (devices) => devices.arrive(OUTSIDE, ethernet(BROADCAST, ROUTER_MAC, 0x0800, datagram(POD, SERVER, 1, 2))), "not-of-the-model"],
    ["a stranger at the pods", (devices) => devices.arrive(PODS, ethernet(BROADCAST, POD_MAC, 0x0800, datagram("10.9.9.9", SERVER, 1, 2))), "not-of-the-model"],
    ["a frame to somebody else", (devices) => devices.arrive(PODS, ethernet([2, 0, 0, 0, 0, 0x55], POD_MAC, 0x0800, datagram(POD, SERVER, 1, 2))), "other-mac"],
    ["a frame that ends early", (devices) => devices.arrive(PODS, Uint8Array.of(1, 2, 3)), "too-short"],
    ["an IPv4 header that ends early", (devices) => devices.arrive(PODS, ethernet(BROADCAST, POD_MAC, 0x0800, Uint8Array.of(0x45, 0, 0))), "too-short"],
    ["a frame longer than a slot", (devices) => devices.arrive(PODS, new Uint8Array(4000)), "too-long"],
    ["an empty tunnel datagram", (devices) => devices.arrive(TUNNEL, new Uint8Array(0), wireWord(addressNumber(WORKER))), "too-short"],
    ["a tunnel datagram with half a frame", (devices) => devices.arrive(TUNNEL, inTunnel(new Uint8Array(20)), wireWord(addressNumber(WORKER))), "too-short"],
    ["a tunnel datagram of a stranger, with something else in it", (devices) => devices.arrive(TUNNEL, inTunnel(ethernet(BROADCAST, POD_MAC, 0x88cc, new Uint8Array(40))), 77), "not-ip"],
    ["half an ARP packet", (devices) => devices.arrive(PODS, ethernet(BROADCAST, POD_MAC, 0x0806, arp(1, POD_MAC, POD, POD_MAC, ROUTER).subarray(0, 20))), "arp"],
  ])("%s: ignored, counted, nothing is written", (_what, send, reason) => {
    const devices = gateway(), also = worker();
    for (const each of [devices, also]) {
      send(each);
      const { end, written } = each.run();
      expect(end.fault).toBeNull();
      expect(written).toEqual([]);
      expect(each.counters.ignoredBy().map((ignored) => [ignored.reason, ignored.packets])).toEqual([[reason, 1]]);
      expect(each.counters.received().packets).toBe(1);
    }
  });
});
