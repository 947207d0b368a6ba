import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { ADDRESS_POD } from "../../src/engine/image/cluster-addresses.ts";
import { IPV4, IPV6 } from "../../src/engine/ip-header.ts";
import { ServiceBook } from "../../src/engine/service-book.ts";
import { Steering } from "../../src/engine/steer.ts";
import { type DatapathTables, NO_SERVICES, type ServiceMapsOf, type ServiceTables } from "../../src/control/tables.ts";
import {
  ACK, addressAt, addressBytes, addressNumber, type Ends, filler, fragments, icmp6Error, icmpError, isSix, SYN, SYN_ACK, tcp, UDP, udpDatagram, withExtensions,
} from "../e2e/packets.ts";

const FAMILIES = [
  {
    name: "IPv4", family: IPV4, VIP: "10.96.0.1", LOOPBACK: "169.254.42.1", BACKENDS: ["203.0.113.1", "203.0.113.2", "10.244.2.10", "10.244.1.10"],
    pod: (node: number): string => `10.244.${node}.10`, router: "198.51.100.9",
  },
  {
    name: "IPv6", family: IPV6, VIP: "fd00:10:96::1", LOOPBACK: "fe80::1", BACKENDS: ["2001:db8:113::1", "2001:db8:113::2", "fd00:10:244:2::10", "fd00:10:244:1::10"],
    pod: (node: number): string => `fd00:10:244:${node}::10`, router: "2001:db8:77::9",
  },
] as const;
const [FOUR, SIX] = FAMILIES;
const HOP_BY_HOP = 0, DESTINATION_OPTIONS = 60;
const addressSix = (text: string): bigint => BigInt(`0x${Buffer.from(addressBytes(text)).toString("hex")}`);

function maps<Address>(vip: string, addresses: readonly string[], valueOf: (text: string) => Address): ServiceMapsOf<Address> {
  const backends = addresses.map((address, k) => ({ id: k + 1, address: valueOf(address), port: 8080, terminating: false }));
  const entry = { service: 0, address: valueOf(vip), revNat: 1, affinitySeconds: 0, slots: [1, 2, 3, 4] };
  return { backends, entries: [{ ...entry, port: 80, protocol: 6 }, { ...entry, revNat: 2, port: 53, protocol: 17 }, { ...entry, revNat: 3, port: 81, protocol: 6, slots: [] }] };
}

function tables(translation: ServiceTables["translation"] = "per-packet"): DatapathTables {
  const services: ServiceTables = {
    ...NO_SERVICES, translation, ipv4: maps(FOUR.VIP, FOUR.BACKENDS, addressNumber), ipv6: maps(SIX.VIP, SIX.BACKENDS, addressSix),
  };
  return { services, nodes: [{ serviceLoopback4: addressNumber(FOUR.LOOPBACK), serviceLoopback6: addressSix(SIX.LOOPBACK) }] } as unknown as DatapathTables;
}

const book4 = new AddressBook4([1, 2, 3].map((node) => ({ address: addressNumber(FOUR.pod(node)), node, kind: ADDRESS_POD })));
const book6 = new AddressBook6([1, 2, 3].map((node) => ({ address: addressSix(SIX.pod(node)), node, kind: ADDRESS_POD })));
const steeringOf = (seed: number): Steering => new Steering(book4, book6, 8472, new ServiceBook(tables(), seed));

function shardOf(steering: Steering, packet: Uint8Array): number {
  const family = (packet[0] ?? 0) >> 4 === 6 ? IPV6 : IPV4;
  expect(steering.steer(family, packet, 0, packet.length, packet.length, true)).toBeNull();
  return steering.shard;
}
const turned = ({ from, to }: Ends): Ends => ({ from: to, to: from });

describe.each(FAMILIES)("steering to services of $name", ({ family, VIP, LOOPBACK, BACKENDS, pod, router }) => {
  const anyPort = fc.integer({ min: 1, max: 65_535 }), aNode = fc.integer({ min: 1, max: 3 }), aSeed = fc.integer({ min: 0, max: 0x7fffffff });
  /** As text; null for none. */
  const backendOf = (services: ServiceBook, packet: Uint8Array): string | null => {
    const bytes = services.backendOf(family, packet, 0, packet.length, true);
    return bytes === null ? null : addressAt(Uint8Array.of(family.version << 4, ...bytes), 1);
  };

  it("brings requests, their answers, and what the backend sends itself to one shard", () => {
    fc.assert(fc.property(aNode, anyPort, aSeed, (node, port, seed) => {
      const steering = steeringOf(seed), out = { from: pod(node), to: VIP }, request = tcp(out, port, 80, SYN);
      const shard = shardOf(steering, request), backend = backendOf(new ServiceBook(tables(), seed), request) ?? expect.fail("no backend");
      expect(shardOf(steering, tcp(turned(out), 80, port, SYN_ACK))).toBe(shard);
      expect(BACKENDS).toContain(backend);
      if (backend === pod(node)) {
        expect(shardOf(steering, tcp({ from: backend, to: LOOPBACK }, 8080, port, SYN_ACK))).toBe(shard);
        return;
      }
      const direct = { from: pod(node), to: backend }, translated = tcp(direct, port, 8080, ACK);
      expect(shardOf(steering, translated)).toBe(shard);
      expect(shardOf(steering, tcp(turned(direct), 8080, port, ACK))).toBe(shard);
      // A router outside quotes what went to a backend outside.
      const isOutside = backend === BACKENDS[0] || backend === BACKENDS[1];
      if (isOutside) expect(shardOf(steering, isSix(router) ? icmp6Error(router, translated, 1) : icmpError(router, translated))).toBe(shard);
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

  it("leaves other ports, services without backends and cut packets to the address itself", () => {
    const services = new ServiceBook(tables(), 1), other = tcp({ from: pod(1), to: VIP }, 40_000, 8443, SYN), empty = tcp({ from: pod(1), to: VIP }, 40_000, 81, SYN);
    for (const packet of [other, empty, tcp({ from: pod(1), to: VIP }, 40_000, 80, SYN).slice(0, family.header + 3)]) expect(backendOf(services, packet)).toBeNull();
    expect(shardOf(steeringOf(1), other)).toBe(shardOf(new Steering(book4, book6, 8472), other));
  });

  it("has nothing to do where sockets translate", () => {
    expect(new ServiceBook(tables("socket"), 1).isEmpty).toBe(true);
    expect(new ServiceBook(tables(), 1).isEmpty).toBe(false);
  });

  it("spreads connections over the backends about evenly", () => {
    const services = new ServiceBook(tables(), 5), counts = new Map<string, number>();
    for (let port = 20_000; port < 24_000; port++) {
      const name = backendOf(services, tcp({ from: pod(1), to: VIP }, port, 80, SYN)) ?? "none";
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([...BACKENDS].sort());
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe("steering to services", () => {
  it("finds the ports behind extension headers", () => {
    const services = new ServiceBook(tables(), 7), plain = tcp({ from: SIX.pod(1), to: SIX.VIP }, 40_001, 80, SYN);
    const extended = withExtensions(plain, HOP_BY_HOP, DESTINATION_OPTIONS);
    const backend = services.backendOf(IPV6, plain, 0, plain.length, true) ?? expect.fail("no backend");
    expect(services.backendOf(IPV6, extended, 0, extended.length, true)).toEqual(backend);
    expect(services.backendOf(IPV6, extended, 0, extended.length - 20, true)).toBeNull();
  });

  it("looks for services of one family too", () => {
    const both = tables(), ofSix = new ServiceBook({ ...both, services: { ...both.services, ipv4: NO_SERVICES.ipv4 } }, 1);
    expect(ofSix.isEmpty).toBe(false);
    for (const { family, VIP, pod } of FAMILIES) {
      const packet = tcp({ from: pod(1), to: VIP }, 40_000, 80, SYN);
      expect(ofSix.backendOf(family, packet, 0, packet.length, true) !== null, VIP).toBe(family === IPV6);
    }
  });
});
