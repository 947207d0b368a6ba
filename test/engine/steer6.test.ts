// Where IPv6 packets enter, and that everything which may meet in a table meets in one shard.
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../src/cluster/cidr.ts";
import { AddressBook4, AddressBook6 } from "../../src/engine/address-book.ts";
import { ADDRESS_FURTHER, ADDRESS_NODE, ADDRESS_POD, type ClusterAddress6 } from "../../src/engine/image/cluster-addresses.ts";
import { IPV4, IPV6, type IpFamily } from "../../src/engine/ip-header.ts";
import { Steering } from "../../src/engine/steer.ts";
import { ENTRY_HOST, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_POD, ENTRY_REPLY } from "../../src/kernel/pipeline/layout-batch.ts";
import { echo, ethernet, fragments, icmp6Error, ip, SYN, tcp, UDP, udp, udpDatagram, withExtensions } from "../e2e/packets.ts";

const POD = "fd00:10:1::10", OTHER_POD = "fd00:10:2::10", NODE = "fd00:c0a8:1::11", EGRESS = "fd00:c0a8:1::50", REMOTE = "2001:db8:113::10", TUNNEL_PORT = 8472;
const HOP_BY_HOP = 0, DESTINATION = 60;

function entry(text: string, node: number, kind: number): ClusterAddress6 {
  const parsed = parseAddress(text);
  if (!parsed.ok || parsed.value.family !== 6) throw new Error(text);
  return { address: parsed.value.value, node, kind, ifindex: 2, mac: [] };
}

const book = new AddressBook6([
  entry(POD, 1, ADDRESS_POD), entry(OTHER_POD, 2, ADDRESS_POD), entry(NODE, 1, ADDRESS_NODE), entry(EGRESS, 3, ADDRESS_FURTHER),
]);
const gateways = new AddressBook4([{ address: 0xc0a8010c, node: 3, kind: ADDRESS_NODE }]);

function steered(packet: Uint8Array, atPods: boolean, family: IpFamily = IPV6): Steering {
  const steering = new Steering(gateways, book, TUNNEL_PORT);
  expect(steering.steer(family, packet, 0, packet.length, packet.length, atPods)).toBeNull();
  return steering;
}

const ignored = (packet: Uint8Array, atPods = true, wireLength = packet.length): string | null =>
  new Steering(gateways, book, TUNNEL_PORT).steer(IPV6, packet, 0, packet.length, wireLength, atPods);

describe("steering IPv6", () => {
  const question = udp({ from: POD, to: REMOTE }, 40_000, 53, 20);

  it("lets packets enter where a pod, a node, the wire or the tunnel has them", () => {
    expect(steered(question, true)).toMatchObject({ entry: ENTRY_POD, node: 1 });
    expect(steered(udp({ from: REMOTE, to: POD }, 53, 40_000), true)).toMatchObject({ entry: ENTRY_REPLY, node: 1 });
    expect(steered(udp({ from: REMOTE, to: EGRESS }, 53, 40_000), false)).toMatchObject({ entry: ENTRY_NETDEV, node: 3 });
    expect(steered(udp({ from: NODE, to: REMOTE }, 40_000, 53), false)).toMatchObject({ entry: ENTRY_HOST, node: 1 });
    const inner = ethernet(question), tunnelled = ip({ from: "192.168.1.11", to: "192.168.1.12" }, UDP,
      udpDatagram({ from: "192.168.1.11", to: "192.168.1.12" }, 50_000, TUNNEL_PORT, Buffer.concat([Uint8Array.of(8, 0, 0, 0, 0, 78, 33, 0), inner])));
    expect(steered(tunnelled, false, IPV4)).toMatchObject({ entry: ENTRY_OVERLAY, node: 3, vni: 20_001, shard: steered(question, true).shard });
  });

  it("brings both ways of a flow, its fragments, its extension headers and the errors about it to one shard", () => {
    const { shard } = steered(question, true), translated = udp({ from: EGRESS, to: REMOTE }, 51_234, 53, 20);
    const same = [
      udp({ from: REMOTE, to: POD }, 53, 40_000), withExtensions(question, HOP_BY_HOP, DESTINATION), ...fragments({ from: POD, to: REMOTE }, UDP, udpDatagram({ from: POD, to: REMOTE }, 1, 2, new Uint8Array(900)), 400, 7),
      icmp6Error("2001:db8:99::1", question, 2, 0, 1280), icmp6Error("2001:db8:99::1", question, 3), echo({ from: POD, to: REMOTE }, 9),
    ];
    for (const packet of same) expect(steered(packet, true).shard).toBe(shard);
    // As the outside has it: to the egress IP, quoting what came from there.
    for (const packet of [udp({ from: REMOTE, to: EGRESS }, 53, 51_234), icmp6Error("2001:db8:99::1", translated, 2, 0, 1280)]) expect(steered(packet, false).shard).toBe(shard);
    // An error of the pod about what it got.
    expect(steered(icmp6Error(POD, udp({ from: REMOTE, to: POD }, 53, 40_000), 1, 4), true).shard).toBe(shard);
  });

  it("takes what pods say to each other to the shard of their nodes, both ways", () => {
    const there = steered(tcp({ from: POD, to: OTHER_POD }, 1, 2, SYN), true), back = steered(tcp({ from: OTHER_POD, to: POD }, 2, 1, SYN), true);
    expect([there.node, back.node, there.shard === back.shard]).toEqual([1, 2, true]);
  });

  it("spreads remotes over many shards", () => {
    const shards = new Set(Array.from({ length: 256 }, (_, k) => steered(udp({ from: POD, to: `2001:db8:113::${k.toString(16)}` }, 1, 2), true).shard));
    expect(shards.size).toBeGreaterThan(50);
  });

  it("says why a packet enters nowhere", () => {
    expect(ignored(udp({ from: REMOTE, to: "2001:db8::7" }, 1, 2))).toBe("not-of-the-model");
    expect(ignored(udp({ from: REMOTE, to: EGRESS }, 1, 2))).toBe("not-of-the-model");
    expect(ignored(udp({ from: EGRESS, to: REMOTE }, 1, 2), false)).toBe("not-of-the-model");
    expect(ignored(question.subarray(0, 39))).toBe("too-short");
    expect(ignored(Uint8Array.of(0x45, ...question.subarray(1)))).toBe("not-ip");
    const extended = withExtensions(tcp({ from: POD, to: REMOTE }, 1, 2, SYN), HOP_BY_HOP);
    expect([47, 65, 66].map((length) => ignored(extended.subarray(0, length), true, extended.length))).toEqual(["too-short", "too-short", null]);
    const error = icmp6Error(REMOTE, question, 2);
    expect([95, 96].map((length) => ignored(error.subarray(0, length), true, error.length))).toEqual(["too-short", null]);
  });
});
