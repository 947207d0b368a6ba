// A pod's packet and the gateway that it is at, as the kernel's parts want them.
import { type NodeImage, writeNode } from "../../src/engine/image/node-image.ts";
import { P_FRAME, P_LEN, P_NODE, P_SIZE, P_WIRE_LEN } from "../../src/kernel/layout.ts";
import type { TestBed } from "./test-bed.ts";

export const POD = 0x0af40001, REMOTE = 0xc6120001;
export const FIRST_PORT = 32_768, LAST_PORT = 65_535;
export const SMALL_FRAME = 60, LARGE_FRAME = 1514;
export const UDP = 17;

const GATEWAY: NodeImage = {
  index: 0, address: 0xc0a80101, flags: 0, policyTable: 0, ipcacheTable: 0, endpoints: [], devices: [], routes: [[]], rules: [], exclusion: null,
  nonMasquerade: null, snatMin: FIRST_PORT, snatMax: LAST_PORT, lifetimes: { tcp: 8000, syn: 60, fin: 10, any: 60 }, worldIdentity: 2, tunnelIfindex: 30,
  tunnelPort: 8472, tunnelMac: [2, 0, 0, 0, 0, 1], hostMac: [2, 0, 0, 0, 0, 2], vlanAllowed: 0,
};

/** An Ethernet frame with a UDP datagram of a pod's to a remote end; nothing here looks at its checksums. */
export function frame(length: number, source: number, sourcePort: number): Uint8Array {
  const bytes = new Uint8Array(length), view = new DataView(bytes.buffer);
  view.setUint16(12, 0x0800);
  view.setUint16(14, 0x4500);
  view.setUint16(16, length - 14);
  view.setUint8(22, 64);
  view.setUint8(23, UDP);
  view.setUint32(26, source);
  view.setUint32(30, REMOTE);
  view.setUint16(34, sourcePort);
  view.setUint16(36, 443);
  view.setUint16(38, length - 34);
  return bytes;
}

export function packetOf(bed: TestBed, bytes: Uint8Array): number {
  const { arena } = bed, packet = arena.take(P_SIZE, 64), at = arena.take(bytes.length, 64);
  arena.bytes.set(bytes, at);
  arena.put32(packet + P_FRAME, at);
  arena.put32(packet + P_LEN, bytes.length);
  arena.put32(packet + P_WIRE_LEN, bytes.length);
  arena.put32(packet + P_NODE, writeNode(arena, GATEWAY));
  return packet;
}
