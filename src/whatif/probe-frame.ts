// Frames of our own making for one synthetic packet and its answer: Ethernet, IPv4 (RFC 791), TCP, UDP or ICMP echo with
// right checksums.
import { ICMP, TCP, UDP } from "./packet-request.ts";

const ETH = 14, IP = 20;
/** Linux' default. */
export const PROBE_TTL = 64;

export interface ProbeTuple {
  readonly protocol: number;
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
  readonly destinationPort: number;
}

/** The first packet of a connection (SYN, datagram, echo request), or the answer to one (SYN-ACK, datagram, echo reply). */
export function probeFrame(tuple: ProbeTuple, isAnswer: boolean): Uint8Array {
  const l4 = l4Bytes(tuple, isAnswer), frame = new Uint8Array(ETH + IP + l4.length), view = new DataView(frame.buffer);
  frame.set([0x02, 0, 0, 0, 0xee, 0x01, 0x02, 0, 0, 0, 0xee, 0x02, 0x08, 0x00]);
  view.setUint16(ETH, 0x4500);
  view.setUint16(ETH + 2, IP + l4.length);
  view.setUint16(ETH + 6, 0x4000);
  frame[ETH + 8] = PROBE_TTL;
  frame[ETH + 9] = tuple.protocol;
  view.setUint32(ETH + 12, tuple.source);
  view.setUint32(ETH + 16, tuple.destination);
  view.setUint16(ETH + 10, checksum(frame.subarray(ETH, ETH + IP), 0));
  frame.set(l4, ETH + IP);
  return frame;
}

function l4Bytes(tuple: ProbeTuple, isAnswer: boolean): Uint8Array {
  const bytes = new Uint8Array(tuple.protocol === TCP ? 20 : 8), view = new DataView(bytes.buffer);
  if (tuple.protocol === ICMP) {
    bytes[0] = isAnswer ? 0 : 8;
    view.setUint16(4, isAnswer ? tuple.destinationPort : tuple.sourcePort);
    view.setUint16(6, 1);
    view.setUint16(2, checksum(bytes, 0));
    return bytes;
  }
  view.setUint16(0, tuple.sourcePort);
  view.setUint16(2, tuple.destinationPort);
  if (tuple.protocol === TCP) {
    view.setUint16(12, 0x5000 | (isAnswer ? 0x12 : 0x02));
    view.setUint16(14, 0xffff);
  } else view.setUint16(4, 8);
  const half = (address: number): number => (address >>> 16) + (address & 0xffff);
  const pseudo = half(tuple.source) + half(tuple.destination) + tuple.protocol + bytes.length, sum = checksum(bytes, pseudo);
  view.setUint16(tuple.protocol === TCP ? 16 : 6, tuple.protocol === UDP && sum === 0 ? 0xffff : sum);
  return bytes;
}

function checksum(bytes: Uint8Array, seed: number): number {
  let sum = seed;
  for (let k = 0; k < bytes.length; k += 2) sum += (bytes[k] ?? 0) * 256 + (bytes[k + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Tuple and TTL of a frame that the datapath gave back; an echo identifier stands for the port of the asking side. */
export function readTuple(frame: Uint8Array): ProbeTuple & { readonly ttl: number } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength), l4 = ETH + (view.getUint8(ETH) & 0x0f) * 4, protocol = view.getUint8(ETH + 9);
  const isRequest = protocol === ICMP && view.getUint8(l4) === 8, identifier = protocol === ICMP ? view.getUint16(l4 + 4) : 0;
  return {
    protocol, source: view.getUint32(ETH + 12), destination: view.getUint32(ETH + 16), ttl: view.getUint8(ETH + 8),
    sourcePort: protocol === ICMP ? (isRequest ? identifier : 0) : view.getUint16(l4),
    destinationPort: protocol === ICMP ? (isRequest ? 0 : identifier) : view.getUint16(l4 + 2),
  };
}
