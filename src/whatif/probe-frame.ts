// Frames of our own making for one synthetic packet and its answer: Ethernet, IPv4 (RFC 791) or IPv6 (RFC 8200), TCP, UDP or an
// echo with right checksums.
import { addressBytes } from "../engine/address-book.ts";
import { halvesOf, internetChecksum } from "../engine/internet-checksum.ts";
import type { Address } from "../observe/run-result.ts";
import { ICMP6, isIcmp, TCP, UDP } from "./packet-request.ts";

const ETH = 14, IPV4_HEADER = 20, IPV6_HEADER = 40;
/** Linux' default. */
export const PROBE_TTL = 64;
const ECHO = 8, ECHO_REPLY = 0, ECHO6 = 128, ECHO6_REPLY = 129, TIME_EXCEEDED6 = 3;

export interface ProbeTuple {
  readonly protocol: number;
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
}

/** The first packet of a connection (SYN, datagram, echo request), or the answer to one (SYN-ACK, datagram, echo reply). */
export function probeFrame(tuple: ProbeTuple, isAnswer: boolean): Uint8Array {
  const addresses = Buffer.concat([addressBytes(tuple.source), addressBytes(tuple.destination)]), l4 = l4Bytes(tuple, addresses, isAnswer);
  const six = typeof tuple.source === "bigint", header = six ? IPV6_HEADER : IPV4_HEADER;
  const frame = new Uint8Array(ETH + header + l4.length), view = new DataView(frame.buffer);
  frame.set([0x02, 0, 0, 0, 0xee, 0x01, 0x02, 0, 0, 0, 0xee, 0x02]);
  view.setUint16(12, six ? 0x86dd : 0x0800);
  if (six) {
    frame[ETH] = 0x60;
    view.setUint16(ETH + 4, l4.length);
    frame[ETH + 6] = tuple.protocol;
    frame[ETH + 7] = PROBE_TTL;
    frame.set(addresses, ETH + 8);
  } else {
    view.setUint16(ETH, 0x4500);
    view.setUint16(ETH + 2, header + l4.length);
    view.setUint16(ETH + 6, 0x4000);
    frame[ETH + 8] = PROBE_TTL;
    frame[ETH + 9] = tuple.protocol;
    frame.set(addresses, ETH + 12);
    view.setUint16(ETH + 10, internetChecksum(frame.subarray(ETH, ETH + header), 0));
  }
  frame.set(l4, ETH + header);
  return frame;
}

function l4Bytes(tuple: ProbeTuple, addresses: Uint8Array, isAnswer: boolean): Uint8Array {
  const bytes = new Uint8Array(tuple.protocol === TCP ? 20 : 8), view = new DataView(bytes.buffer);
  // RFC 9293 section 3.1, RFC 768 and, for ICMPv6, RFC 4443 section 2.3: addresses, protocol and length are summed too.
  const pseudo = halvesOf(addresses) + tuple.protocol + bytes.length;
  if (isIcmp(tuple.protocol)) {
    const six = tuple.protocol === ICMP6;
    bytes[0] = six ? (isAnswer ? ECHO6_REPLY : ECHO6) : isAnswer ? ECHO_REPLY : ECHO;
    view.setUint16(4, isAnswer ? tuple.destinationPort : tuple.sourcePort);
    view.setUint16(6, 1);
    view.setUint16(2, internetChecksum(bytes, six ? pseudo : 0));
    return bytes;
  }
  view.setUint16(0, tuple.sourcePort);
  view.setUint16(2, tuple.destinationPort);
  if (tuple.protocol === TCP) {
    view.setUint16(12, 0x5000 | (isAnswer ? 0x12 : 0x02));
    view.setUint16(14, 0xffff);
  } else view.setUint16(4, 8);
  const sum = internetChecksum(bytes, pseudo);
  view.setUint16(tuple.protocol === TCP ? 16 : 6, tuple.protocol === UDP && sum === 0 ? 0xffff : sum);
  return bytes;
}

/** Tuple and TTL of a frame that the datapath gave back; an echo identifier stands for the port of the asking side, and an
 * error has none. */
export function readTuple(frame: Uint8Array): ProbeTuple & { readonly ttl: number } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength), six = view.getUint16(12) === 0x86dd;
  const l4 = ETH + (six ? IPV6_HEADER : (view.getUint8(ETH) & 0x0f) * 4), protocol = view.getUint8(ETH + (six ? 6 : 9));
  const address = (at: number): Address => (six ? (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8) : view.getUint32(at));
  const ends = {
    protocol, source: address(ETH + (six ? 8 : 12)), destination: address(ETH + (six ? 24 : 16)), ttl: view.getUint8(ETH + (six ? 7 : 8)),
  };
  if (!isIcmp(protocol)) return { ...ends, sourcePort: view.getUint16(l4), destinationPort: view.getUint16(l4 + 2) };
  const type = view.getUint8(l4), isRequest = type === (six ? ECHO6 : ECHO), identifier = six && type === TIME_EXCEEDED6 ? 0 : view.getUint16(l4 + 4);
  return { ...ends, sourcePort: isRequest ? identifier : 0, destinationPort: isRequest ? 0 : identifier };
}
