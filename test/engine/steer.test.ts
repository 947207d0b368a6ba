import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { ADDRESS_FURTHER, ADDRESS_NODE, ADDRESS_POD, type ClusterAddress } from "../../src/engine/image/cluster-addresses.ts";
import { SHARD_COUNT } from "../../src/engine/memory-plan.ts";
import { IPV4 } from "../../src/engine/ip-header.ts";
import { Steering } from "../../src/engine/steer.ts";
import { ENTRY_HOST, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_POD, ENTRY_REPLY } from "../../src/kernel/pipeline/layout-batch.ts";
import { ACK, addressNumber, echo, type Ends, ethernet, filler, fragments, icmpError, ipv4, SYN, tcp, UDP, udp, udpDatagram } from "../e2e/packets.ts";

const NODES = ["192.168.60.11", "192.168.60.12", "192.168.60.21", "192.168.60.22"] as const;
const EGRESS_IP = "192.168.60.100", FURTHER = "192.168.60.112", GATEWAY = 2, TUNNEL_PORT = 8472;
const pod = (node: number, host: number): string => `10.244.${node}.${10 + host}`;

const NO_IPV6 = new AddressBook6([]);
const book = new AddressBook4([
  ...NODES.map((address, node) => entry(address, node, ADDRESS_NODE)),
  ...NODES.flatMap((_, node) => [0, 1, 2, 3].map((host) => entry(pod(node, host), node, ADDRESS_POD))),
  entry(EGRESS_IP, GATEWAY, ADDRESS_FURTHER), entry(FURTHER, 3, ADDRESS_FURTHER),
]);

function entry(address: string, node: number, kind: number): ClusterAddress {
  return { address: addressNumber(address), node, kind, ifindex: 2, mac: [] };
}

interface Steered {
  readonly entry: number;
  readonly node: number;
  readonly shard: number;
}

function steer(packet: Uint8Array, atPods = true): Steered {
  const steering = new Steering(book, NO_IPV6, TUNNEL_PORT);
  // Behind other bytes, as in a reader's block.
  const block = Buffer.concat([filler(37), packet, filler(50)]);
  expect(steering.steer(IPV4, block, 37, packet.length, packet.length, atPods)).toBeNull();
  return { entry: steering.entry, node: steering.node, shard: steering.shard };
}

function ignored(packet: Uint8Array, atPods = true, wireLength = packet.length): string | null {
  return new Steering(book, NO_IPV6, TUNNEL_PORT).steer(IPV4, packet, 0, packet.length, wireLength, atPods);
}

const turned = ({ from, to }: Ends): Ends => ({ from: to, to: from });
const tunnelled = (ends: Ends, packet: Uint8Array): Uint8Array =>
  ipv4(ends, UDP, udpDatagram(ends, 40_000, TUNNEL_PORT, Buffer.concat([Uint8Array.of(8, 0, 0, 0, 0, 0x4e, 0x21, 0), ethernet(packet)])));

const aPod = fc.record({ node: fc.nat(3), host: fc.nat(3) });
const aRemote = fc.oneof(fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `198.18.${a}.${b}`), fc.constant(FURTHER));
const aPort = fc.integer({ min: 1, max: 65_535 });

describe("steering", () => {
  it("brings every packet of a flow to one shard: both directions, at the pod, in the tunnel and outside, fragments and ICMP errors", () => {
    fc.assert(fc.property(aPod, aRemote, aPort, aPort, fc.boolean(), ({ node, host }, remote, port, service, isTcp) => {
      const out = { from: pod(node, host), to: remote }, back = turned(out), outside = { from: EGRESS_IP, to: remote };
      const packet = isTcp ? tcp(out, port, service, SYN) : udp(out, port, service);
      const reply = (ends: Ends): Uint8Array => (isTcp ? tcp(ends, service, port, ACK, 5) : udp(ends, service, port));
      const sent = steer(packet);
      expect(sent).toMatchObject({ entry: ENTRY_POD, node });
      const seen = [
        steer(packet, false), steer(reply(back)), steer(echo(out, port)), steer(echo(back, port, true)),
        steer(tunnelled({ from: NODES[node] ?? "", to: NODES[GATEWAY] }, packet), false), steer(tunnelled({ from: NODES[GATEWAY], to: NODES[node] ?? "" }, reply(back)), false),
        ...fragments(out, UDP, udpDatagram(out, port, service, filler(600)), 200, port).map((part) => steer(part)),
        ...fragments(back, UDP, udpDatagram(back, service, port, filler(600)), 200, port).map((part) => steer(part)),
        steer(icmpError("203.0.113.254", packet)), steer(icmpError("203.0.113.253", packet, 11, 0, 48)), steer(icmpError(pod(node, host), reply(back))),
        steer(icmpError("203.0.113.254", tcp(outside, port, service, SYN), 3, 4), false),
      ];
      if (remote !== FURTHER) seen.push(steer(reply({ from: remote, to: EGRESS_IP }), false));
      expect(seen.map(({ shard }) => shard)).toEqual(seen.map(() => sent.shard));
      expect(sent.shard).toBeLessThan(SHARD_COUNT);
    }), { numRuns: 300, seed: 1 });
  });

  it("brings flows of different pods to one remote to one shard, so that they can collide on a port of a shared egress IP", () => {
    fc.assert(fc.property(aPod, aPod, aRemote, aPort, (a, b, remote, port) => {
      const shards = [a, b].map(({ node, host }) => steer(udp({ from: pod(node, host), to: remote }, port, 53)).shard);
      expect(shards[0]).toBe(shards[1]);
    }), { seed: 2 });
  });

  it("brings both directions between two pods to one shard", () => {
    fc.assert(fc.property(aPod, aPod, aPort, (a, b, port) => {
      const out = { from: pod(a.node, a.host), to: pod(b.node, b.host) };
      const sent = steer(udp(out, port, 53)), answer = steer(udp(turned(out), 53, port));
      expect([sent.entry, sent.node, answer.entry, answer.node]).toEqual([ENTRY_POD, a.node, ENTRY_POD, b.node]);
      expect(answer.shard).toBe(sent.shard);
      expect(steer(tunnelled({ from: NODES[a.node] ?? "", to: NODES[b.node] ?? "" }, udp(out, port, 53)), false).shard).toBe(sent.shard);
    }), { seed: 3 });
  });

  it("spreads remotes over all shards", () => {
    const shards = new Set(Array.from({ length: 1000 }, (_, k) => steer(udp({ from: pod(0, 0), to: `198.18.${k >> 8}.${k & 255}` }, 40_000, 53)).shard));
    expect(shards.size).toBe(SHARD_COUNT);
  });

  it("lets packets enter where they were captured", () => {
    const out = { from: pod(1, 0), to: "198.18.0.1" };
    expect(steer(udp(turned(out), 53, 40_000))).toMatchObject({ entry: ENTRY_REPLY, node: 1 });
    expect(steer(udp({ from: "198.18.0.1", to: EGRESS_IP }, 53, 40_000), false)).toMatchObject({ entry: ENTRY_NETDEV, node: GATEWAY });
    expect(steer(udp({ from: NODES[3], to: "198.18.0.1" }, 40_000, 53), false)).toMatchObject({ entry: ENTRY_HOST, node: 3 });
    expect(steer(tunnelled({ from: NODES[1], to: NODES[GATEWAY] }, udp(out, 40_000, 53)), false)).toMatchObject({ entry: ENTRY_OVERLAY, node: GATEWAY });
  });

  it("says why a packet enters nowhere", () => {
    const stranger = { from: "198.18.0.1", to: "198.18.0.2" }, out = { from: pod(0, 0), to: "198.18.0.1" };
    expect(ignored(udp(stranger, 1, 2))).toBe("not-of-the-model");
    expect(ignored(udp({ from: "198.18.0.1", to: NODES[0] }, 1, 2))).toBe("not-of-the-model");
    expect(ignored(udp({ from: EGRESS_IP, to: "198.18.0.1" }, 1, 2), false)).toBe("not-of-the-model");
    expect(ignored(udp(out, 1, 2).subarray(0, 19))).toBe("too-short");
    expect(ignored(tcp(out, 1, 2, SYN).subarray(0, 37), true, 40)).toBe("too-short");
    expect(ignored(tcp(out, 1, 2, SYN).subarray(0, 38), true, 40)).toBeNull();
    expect(ignored(Uint8Array.of(0x60, ...udp(out, 1, 2).subarray(1)))).toBe("not-ip");
  });

  it("never throws and never leaves the shards for any bytes", () => {
    const heads = [udp({ from: pod(0, 0), to: "198.18.0.1" }, 1, 2), tunnelled({ from: NODES[0], to: NODES[GATEWAY] }, udp({ from: pod(0, 0), to: "198.18.0.1" }, 1, 2)), icmpError("198.18.0.9", udp({ from: pod(0, 0), to: "198.18.0.1" }, 1, 2))];
    fc.assert(fc.property(fc.nat(2), fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 6 }), fc.nat(100), fc.boolean(), (which, changes, cut, atPods) => {
      const packet = Buffer.from(heads[which] ?? []);
      for (const [at, value] of changes) if (at < packet.length) packet[at] = value;
      const length = Math.min(cut, packet.length), steering = new Steering(book, NO_IPV6, TUNNEL_PORT);
      if (steering.steer(IPV4, packet, 0, length, packet.length, atPods) === null) {
        expect(steering.shard).toBeGreaterThanOrEqual(0);
        expect(steering.shard).toBeLessThan(SHARD_COUNT);
        expect(steering.node).toBeLessThan(NODES.length);
        expect(steering.innerOffset + 34).toBeLessThanOrEqual(Math.max(34, length));
      }
    }), { numRuns: 2000, seed: 4 });
  });
});
