import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  LINK_OK,
  LINK_TOO_SHORT,
  LINK_UNSUPPORTED,
  LinkLayer,
  locateNetworkHeader,
  PACKET_OUTGOING,
} from "../../src/io/link-layer.ts";

const found = new LinkLayer();

/** The frame stands in the middle of a block of other bytes, which must not matter. */
function locate(linkType: number, frame: readonly number[], around = 0x81): number {
  const block = new Uint8Array(frame.length + 64).fill(around);
  block.set(frame, 32);
  return locateNetworkHeader(linkType, block, 32, frame.length, found);
}

const MACS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const u16 = (value: number) => [value >> 8, value & 0xff];
const tag = (tpid: number, tci: number) => [...u16(tpid), ...u16(tci)];
const cooked1 = (type: number, device: number, protocol: number) => [...u16(type), ...u16(device), 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, ...u16(protocol)];
const cooked2 = (type: number, device: number, protocol: number) => [...u16(protocol), 0, 0, 0, 1, 0, 7, ...u16(device), type, 6, 1, 2, 3, 4, 5, 6, 0, 0];

const LINK_TYPES = [0, 1, 12, 14, 101, 108, 113, 228, 229, 276];

describe("locateNetworkHeader", () => {
  it.each([
    ["Ethernet with IPv4", 1, [...MACS, 0x08, 0x00, 0x45], 14, 0x0800, 0, -1],
    ["Ethernet with nothing after its header", 1, [...MACS, 0x86, 0xdd], 14, 0x86dd, 0, -1],
    ["Ethernet with ARP", 1, [...MACS, 0x08, 0x06, 0], 14, 0x0806, 0, -1],
    ["Ethernet with a length in place of a type", 1, [...MACS, 0x05, 0xff, 0xaa, 0xaa], 14, 0x0004, 0, -1],
    ["the smallest ethertype", 1, [...MACS, 0x06, 0x00], 14, 0x0600, 0, -1],
    ["one 802.1Q tag", 1, [...MACS, ...tag(0x8100, 0xb064), 0x08, 0x00], 18, 0x0800, 1, 100],
    ["802.1ad around 802.1Q", 1, [...MACS, ...tag(0x88a8, 7), ...tag(0x8100, 8), 0x86, 0xdd], 22, 0x86dd, 2, 7],
    ["the old QinQ tag", 1, [...MACS, ...tag(0x9100, 0xffff), 0x08, 0x00], 18, 0x0800, 1, 4095],
    ["a length after a tag", 1, [...MACS, ...tag(0x8100, 1), 0x00, 0x20], 18, 0x0004, 1, 1],
    ["four tags", 1, [...MACS, ...[1, 2, 3, 4].flatMap((vlan) => tag(0x8100, vlan)), 0x08, 0x00], 30, 0x0800, 4, 1],
    ["a fifth tag, which is left", 1, [...MACS, ...[1, 2, 3, 4, 5].flatMap((vlan) => tag(0x8100, vlan)), 0x08, 0x00], 30, 0x8100, 4, 1],
    ["raw IPv4", 101, [0x45, 0], 0, 0x0800, 0, -1],
    ["raw IPv6 by the number of most systems", 12, [0x60], 0, 0x86dd, 0, -1],
    ["raw IPv4 by OpenBSD's number", 14, [0x4f], 0, 0x0800, 0, -1],
    ["raw bytes of no IP version", 101, [0x10], 0, 0, 0, -1],
    ["LINKTYPE_IPV4", 228, [0x45], 0, 0x0800, 0, -1],
    ["LINKTYPE_IPV6", 229, [0x60], 0, 0x86dd, 0, -1],
    ["loopback of a little-endian host", 0, [2, 0, 0, 0, 0x45], 4, 0x0800, 0, -1],
    ["loopback of a big-endian host", 0, [0, 0, 0, 30, 0x60], 4, 0x86dd, 0, -1],
    ["OpenBSD loopback", 108, [0, 0, 0, 24], 4, 0x86dd, 0, -1],
    ["loopback of another family", 0, [7, 0, 0, 0], 4, 0, 0, -1],
    ["loopback whose bytes name two families", 0, [2, 0, 0, 2], 4, 0, 0, -1],
    ["cooked v1 with IPv4", 113, [...cooked1(0, 1, 0x0800), 0x45], 16, 0x0800, 0, -1],
    ["cooked v1 with a tag", 113, [...cooked1(0, 1, 0x8100), 0, 9, 0x08, 0x00], 20, 0x0800, 1, 9],
    ["cooked v1 of a netlink device", 113, cooked1(0, 824, 0x0800), 16, 0, 0, -1],
    ["cooked v2 with IPv6", 276, [...cooked2(0, 1, 0x86dd), 0x60], 20, 0x86dd, 0, -1],
    ["cooked v2 of a radiotap device", 276, cooked2(0, 803, 0x0800), 20, 0, 0, -1],
  ])("finds %s", (_, linkType, frame, networkOffset, etherType, tagCount, vlanId) => {
    expect(locate(linkType, frame)).toBe(LINK_OK);
    expect(found).toMatchObject({ networkOffset, etherType, tagCount, vlanId });
  });

  it("gives a cooked frame's packet type, and in version 2 its device", () => {
    locate(113, cooked1(4, 1, 0x0800));
    expect([found.packetType, found.deviceIndex]).toEqual([PACKET_OUTGOING, -1]);
    locate(276, cooked2(4, 1, 0x0800));
    expect([found.packetType, found.deviceIndex]).toEqual([PACKET_OUTGOING, 65543]);
    locate(1, [...MACS, 0x08, 0x00]);
    expect([found.packetType, found.deviceIndex]).toEqual([-1, -1]);
  });

  it.each([
    ["Ethernet", 1, [...MACS, 0x08, 0x00]],
    ["a tag", 1, [...MACS, ...tag(0x8100, 1), 0x08, 0x00]],
    ["raw IP", 101, [0x45]],
    ["loopback", 0, [2, 0, 0, 0]],
    ["cooked v1", 113, cooked1(0, 1, 0x0800)],
    ["cooked v2", 276, cooked2(0, 1, 0x0800)],
  ])("calls %s too short unless all of its header is there", (_, linkType, frame) => {
    expect(locate(linkType, frame)).toBe(LINK_OK);
    expect(locate(linkType, frame.slice(0, -1))).toBe(LINK_TOO_SHORT);
    expect(locate(linkType, [])).toBe(LINK_TOO_SHORT);
  });

  it("does not read other link types", () => {
    for (const linkType of [9, 105, 127, 65537]) expect(locate(linkType, MACS)).toBe(LINK_UNSUPPORTED);
  });

  it("stays within the frame: what stands around it changes nothing, and the offset is in it", () => {
    const tagged = fc.array(fc.constantFrom(0x81, 0x00, 0x88, 0xa8, 0x91, 0x08, 0x02), { maxLength: 40 });
    fc.assert(
      fc.property(fc.constantFrom(...LINK_TYPES), fc.oneof(tagged, fc.array(fc.nat({ max: 255 }), { maxLength: 40 })), (linkType, frame) => {
        const status = locate(linkType, frame, 0x81);
        const first = { ...found };
        expect(locate(linkType, frame, 0x00)).toBe(status);
        if (status !== LINK_OK) return;
        expect(found).toEqual(first);
        expect(found.networkOffset).toBeLessThanOrEqual(frame.length);
      }),
      { numRuns: 3000 },
    );
  });
});
