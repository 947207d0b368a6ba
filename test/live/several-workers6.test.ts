// IPv6 through several workers: what one hears of a neighbour the others know, and what leaves is what one worker sends.
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { addressBytes, ICMP6, icmp6Message, ip, udp } from "../e2e/packets.ts";
import { FakeDevices, OUTSIDE, PODS } from "./fake-devices.ts";

const PODS_HERE = ["fd00:244:1::10", "fd00:244:1::11"], POD_ROUTER = "fd00:244:1::1", EGRESS = "2001:db8:2::101", ROUTER = "fe80::1";
const POD_MAC = [2, 9, 9, 9, 9, 2], ROUTER_MAC = [2, 9, 9, 9, 9, 1], ANY = [0x33, 0x33, 0, 0, 0, 1], ETH = 14, L4 = ETH + 40, SOLICITATION = 135, ADVERTISEMENT = 136;

let tables: DatapathTables;
beforeAll(async () => {
  ({ tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/lab")]), { semantics: "cilium-1.19" }));
});

const framed = (from: readonly number[], packet: Uint8Array): Uint8Array => Uint8Array.from([...ANY, ...from, 0x86, 0xdd, ...packet]);
const discovery = (type: number, from: string, to: string, target: string, flags: number, mac: readonly number[]): Uint8Array =>
  framed(mac, ip({ from, to }, ICMP6, icmp6Message({ from, to }, type, 0, flags, Uint8Array.from([...addressBytes(target), type - SOLICITATION + 1, 1, ...mac])), { ttl: 255 }));
const AHEAD = 40, servers = Array.from({ length: 200 }, (_, k) => `2001:db8:113::${(k + 0x100).toString(16)}`);

/** Frames that left, per device, in an order of their own; neighbour discovery left out. */
function through(workers: number): { readonly out: readonly string[]; readonly back: readonly string[]; readonly answered: number } {
  let turn = 0;
  const devices = new FakeDevices(tables, new Set([0, 1]), 0, { workers, queueOf: () => turn++ });
  const packets = (fd: number, written: ReturnType<FakeDevices["run"]>["written"]): Uint8Array[] =>
    written.filter((each) => each.fd === fd && each.bytes[ETH + 6] !== ICMP6).map(({ bytes }) => bytes).sort(Buffer.compare);
  for (const pod of PODS_HERE) devices.arrive(PODS, discovery(SOLICITATION, pod, "ff02::1:ff00:1", POD_ROUTER, 0, POD_MAC));
  const answered = devices.run().written.filter(({ fd, bytes }) => fd === PODS && bytes[L4] === ADVERTISEMENT).length;
  const send = (from: number, end: number): void => {
    for (let k = from; k < end; k++) devices.arrive(PODS, framed(POD_MAC, udp({ from: PODS_HERE[k % 2] ?? "", to: servers[k] ?? "" }, 40_000 + k, 53)));
  };
  // No more than may wait for the router.
  send(0, AHEAD);
  const asked = devices.run().written.find(({ fd, bytes }) => fd === OUTSIDE && bytes[L4] === SOLICITATION)?.bytes ?? new Uint8Array();
  expect([...asked.subarray(L4 + 8, L4 + 24)]).toEqual([...addressBytes(ROUTER)]);
  devices.arrive(OUTSIDE, discovery(ADVERTISEMENT, ROUTER, "fe80::c0ff:fe00:215", ROUTER, 0x6000_0000, ROUTER_MAC));
  const waited = devices.run().written;
  send(AHEAD, servers.length);
  const out = packets(OUTSIDE, [...waited, ...devices.run().written]);
  for (const frame of out) {
    const answer = frame.slice(), address = ETH + 8;
    answer.set([...frame.subarray(6, 12), ...ROUTER_MAC]);
    answer.set([...frame.subarray(address + 16, address + 32), ...frame.subarray(address, address + 16)], address);
    answer.set([...frame.subarray(L4 + 2, L4 + 4), ...frame.subarray(L4, L4 + 2)], L4);
    devices.arrive(OUTSIDE, answer);
  }
  const back = packets(PODS, devices.run().written);
  expect(back.every((frame) => POD_MAC.every((byte, k) => frame[k] === byte))).toBe(true);
  return { out: out.map((frame) => Buffer.from(frame).toString("hex")), back: back.map((frame) => Buffer.from(frame).toString("hex")), answered };
}

it.each([2, 4])("crosses %i workers as one: the pods' router answers, the next hop is found once, every answer comes back", (workers) => {
  const one = through(1);
  expect([one.answered, one.out.length, one.back.length]).toEqual([PODS_HERE.length, servers.length, servers.length]);
  expect(one.out.every((frame) => frame.includes(Buffer.from(addressBytes(EGRESS)).toString("hex")))).toBe(true);
  expect(through(workers)).toEqual(one);
});
