import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { ADDRESS_POD } from "../../src/engine/image/cluster-addresses.ts";
import { IPV4 } from "../../src/engine/ip-header.ts";
import { ServiceBook } from "../../src/engine/service-book.ts";
import { Steering } from "../../src/engine/steer.ts";
import { type DatapathTables, NO_SERVICES, type ServiceTables } from "../../src/control/tables.ts";
import { ACK, addressNumber, addressText, type Ends, filler, fragments, icmpError, SYN, SYN_ACK, tcp, UDP, udpDatagram } from "../e2e/packets.ts";

const VIP = "10.96.0.1", LOOPBACK = "169.254.42.1", BACKENDS = ["203.0.113.1", "203.0.113.2", "10.244.2.10", "10.244.1.10"];
const pod = (node: number): string => `10.244.${node}.10`;

function tables(translation: ServiceTables["translation"] = "per-packet"): DatapathTables {
  const backends = BACKENDS.map((address, k) => ({ id: k + 1, address: addressNumber(address), port: 8080, terminating: false }));
  const entry = { service: 0, address: addressNumber(VIP), revNat: 1, affinitySeconds: 0, slots: [1, 2, 3, 4] };
  const services: ServiceTables = {
    ...NO_SERVICES, translation,
    ipv4: { backends, entries: [{ ...entry, port: 80, protocol: 6 }, { ...entry, revNat: 2, port: 53, protocol: 17 }, { ...entry, revNat: 3, port: 81, protocol: 6, slots: [] }] },
  };
  return { services, nodes: [{ serviceLoopback4: addressNumber(LOOPBACK) }] } as unknown as DatapathTables;
}

const book = new AddressBook4([1, 2, 3].map((node) => ({ address: addressNumber(pod(node)), node, kind: ADDRESS_POD, ifindex: 2, mac: [] })));
const noIpv6 = new AddressBook6([]);
const steeringOf = (seed: number): Steering => new Steering(book, noIpv6, 8472, new ServiceBook(tables(), seed));

function shardOf(steering: Steering, packet: Uint8Array): number {
  expect(steering.steer(IPV4, packet, 0, packet.length, packet.length, true)).toBeNull();
  return steering.shard;
}
const turned = ({ from, to }: Ends): Ends => ({ from: to, to: from });
const word = (text: string): number => addressNumber(text).toString(16).padStart(8, "0").match(/../g)?.reduceRight((sum, byte) => (sum << 8) | Number.parseInt(byte, 16), 0) ?? 0;

describe("steering to services", () => {
  const anyPort = fc.integer({ min: 1, max: 65_535 }), aNode = fc.integer({ min: 1, max: 3 }), aSeed = fc.integer({ min: 0, max: 0x7fffffff });

  it("brings requests, their answers, and what the backend sends itself to one shard", () => {
    fc.assert(fc.property(aNode, anyPort, aSeed, (node, port, seed) => {
      const steering = steeringOf(seed), out = { from: pod(node), to: VIP }, request = tcp(out, port, 80, SYN);
      const shard = shardOf(steering, request), services = new ServiceBook(tables(), seed);
      expect(shardOf(steering, tcp(turned(out), 80, port, SYN_ACK))).toBe(shard);
      const address = services.backendOf(request, 0, request.length, word(pod(node)), word(VIP), true) ?? expect.fail("no backend");
      const backend = BACKENDS.find((each) => word(each) === address) ?? expect.fail("none of ours");
      if (backend === pod(node)) {
        expect(shardOf(steering, tcp({ from: backend, to: LOOPBACK }, 8080, port, SYN_ACK))).toBe(shard);
        return;
      }
      const direct = { from: pod(node), to: backend };
      expect(shardOf(steering, tcp(direct, port, 8080, ACK))).toBe(shard);
      expect(shardOf(steering, tcp(turned(direct), 8080, port, ACK))).toBe(shard);
      // A router outside quotes what went to a backend outside.
      if (backend.startsWith("203.")) expect(shardOf(steering, icmpError("198.51.100.9", tcp(direct, port, 8080, ACK)))).toBe(shard);
    }));
  });

  it("keeps later fragments with the first, in both directions, and knows no more of them than it may", () => {
    fc.assert(fc.property(aNode, anyPort, fc.nat(65_535), (node, port, id) => {
      const steering = steeringOf(3), out = { from: pod(node), to: VIP };
      for (const ends of [out, turned(out)]) {
        const ports: readonly [number, number] = ends === out ? [port, 53] : [53, port];
        const [first, ...later] = fragments(ends, UDP, udpDatagram(ends, ...ports, filler(3000)), 1000, id);
        const shard = shardOf(steering, first ?? expect.fail("no fragment"));
        for (const piece of later) expect(shardOf(steering, piece)).toBe(shard);
      }
    }));
  });

  it("leaves other ports, services without backends and echo requests to the address itself", () => {
    const services = new ServiceBook(tables(), 1), other = tcp({ from: pod(1), to: VIP }, 40_000, 8443, SYN), empty = tcp({ from: pod(1), to: VIP }, 40_000, 81, SYN);
    for (const packet of [other, empty]) expect(services.backendOf(packet, 0, packet.length, word(pod(1)), word(VIP), true)).toBeNull();
    expect(shardOf(steeringOf(1), other)).toBe(shardOf(new Steering(book, noIpv6, 8472), other));
  });

  it("has nothing to do where sockets translate", () => {
    expect(new ServiceBook(tables("socket"), 1).isEmpty).toBe(true);
    expect(new ServiceBook(tables(), 1).isEmpty).toBe(false);
  });

  it("spreads connections over the backends about evenly", () => {
    const services = new ServiceBook(tables(), 5), counts = new Map<string, number>();
    for (let port = 20_000; port < 24_000; port++) {
      const packet = tcp({ from: pod(1), to: VIP }, port, 80, SYN), address = services.backendOf(packet, 0, packet.length, word(pod(1)), word(VIP), true) ?? 0;
      const name = addressText(addressNumber(BACKENDS.find((each) => word(each) === address) ?? "0.0.0.0"));
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([...BACKENDS].sort());
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
