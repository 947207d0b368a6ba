// Packets made byte by byte for the tests, independently of the generator and of the kernel, with right checksums. Which
// family a packet is of, its addresses say.
import { formatIpv6, parseAddress } from "../../src/cluster/cidr.ts";
import { classicFile, classicRecord, CLASSIC_SHAPES, type SampleRecord } from "../io/capture-bytes.ts";

export const ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58;
export const SYN = 2, RST = 4, PSH_ACK = 0x18, ACK = 0x10, SYN_ACK = 0x12, FIN_ACK = 0x11;
const FRAGMENT_HEADER = 44, ROUTING_HEADER = 43;
/** Little-endian, nanoseconds. */
const SHAPE = CLASSIC_SHAPES[2] ?? { littleEndian: true, nanoseconds: true };

export function addressNumber(text: string): number {
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function addressText(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join(".");
}

export const isSix = (address: string): boolean => address.includes(":");

/** Four or sixteen bytes in wire order. */
export function addressBytes(text: string): Uint8Array {
  if (!isSix(text)) return be32(addressNumber(text));
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.why}`);
  return Buffer.from(parsed.value.value.toString(16).padStart(32, "0"), "hex");
}

/** RFC 1071, the long way. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let k = 0; k < bytes.length; k += 2) sum += (bytes[k] ?? 0) * 256 + (bytes[k + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65_536);
  return ~sum & 0xffff;
}

function be16(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [(value >>> 8) & 255, value & 255]));
}

function be32(value: number): Uint8Array {
  return be16(value >>> 16, value & 0xffff);
}

export interface Ends {
  readonly from: string;
  readonly to: string;
}

export interface IpFields {
  readonly ttl?: number;
  readonly id?: number;
  /** Flags and offset as they stand in the header: 0x2000 is more fragments, the offset counts eights of bytes. */
  readonly fragment?: number;
}

/** An IPv4 packet without link header (RFC 791 section 3.1). */
export function ipv4({ from, to }: Ends, protocol: number, payload: Uint8Array, { ttl = 64, id = 1, fragment = 0 }: IpFields = {}): Uint8Array {
  const header = Buffer.concat([
    Uint8Array.of(0x45, 0), be16(20 + payload.length, id, fragment), Uint8Array.of(ttl, protocol), be16(0), be32(addressNumber(from)), be32(addressNumber(to)),
  ]);
  header.set(be16(internetChecksum(header)), 10);
  return Buffer.concat([header, payload]);
}

/** An IPv6 packet (RFC 8200 section 3); a fragment has the header of section 4.5, with `id` and what `fragment` says. */
function ipv6({ from, to }: Ends, protocol: number, payload: Uint8Array, { ttl = 64, id = 1, fragment = 0 }: IpFields): Uint8Array {
  const offset = ((fragment & 0x1fff) << 3) | ((fragment & 0x2000) === 0 ? 0 : 1);
  const extension = fragment === 0 ? Buffer.alloc(0) : Buffer.concat([Uint8Array.of(protocol, 0), be16(offset), be32(id)]);
  return Buffer.concat([
    Uint8Array.of(0x60, 0, 0, 0), be16(extension.length + payload.length), Uint8Array.of(fragment === 0 ? protocol : FRAGMENT_HEADER, ttl), addressBytes(from),
    addressBytes(to), extension, payload,
  ]);
}

/** A packet of the family that its ends are of. */
export function ip(ends: Ends, protocol: number, payload: Uint8Array, fields: IpFields = {}): Uint8Array {
  return isSix(ends.from) ? ipv6(ends, protocol, payload, fields) : ipv4(ends, protocol, payload, fields);
}

/** IPv6 with extension headers, `kinds` of eight bytes each, padded (RFC 8200 sections 4.3 to 4.6), between header and payload. */
export function withExtensions(packet: Uint8Array, ...kinds: readonly number[]): Uint8Array {
  const protocol = packet[6] ?? 0, following = [...kinds.slice(1), protocol];
  const made = Buffer.concat([
    packet.subarray(0, 40), ...following.map((next, k) => Uint8Array.of(next, 0, ...(kinds[k] === ROUTING_HEADER ? [4, 0, 0, 0, 0, 0] : [1, 4, 0, 0, 0, 0]))),
    packet.subarray(40),
  ]);
  made[6] = kinds[0] ?? protocol;
  made.writeUInt16BE(made.length - 40, 4);
  return made;
}

function withTransportChecksum({ from, to }: Ends, protocol: number, segment: Uint8Array, at: number): Uint8Array {
  const pseudo = Buffer.concat([addressBytes(from), addressBytes(to), be16(protocol, segment.length)]);
  const sum = internetChecksum(pseudo, segment);
  segment.set(be16(protocol === UDP && sum === 0 ? 0xffff : sum), at);
  return segment;
}

export function udpDatagram(ends: Ends, fromPort: number, toPort: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  return withTransportChecksum(ends, UDP, Buffer.concat([be16(fromPort, toPort, 8 + data.length, 0), data]), 6);
}

export function tcpSegment(ends: Ends, fromPort: number, toPort: number, flags: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const segment = Buffer.concat([be16(fromPort, toPort), be32(1), be32(1), be16(0x5000 | flags, 0xffff, 0, 0), data]);
  return withTransportChecksum(ends, TCP, segment, 16);
}

/** Type, code, the four bytes that follow, and the rest. */
export function icmpMessage(type: number, code: number, word: number, data: Uint8Array): Uint8Array {
  const message = Buffer.concat([Uint8Array.of(type, code), be16(0), be32(word), data]);
  message.set(be16(internetChecksum(message)), 2);
  return message;
}

/** The same of ICMPv6, whose checksum has the addresses in it (RFC 4443 section 2.3). */
export function icmp6Message(ends: Ends, type: number, code: number, word: number, data: Uint8Array): Uint8Array {
  return withTransportChecksum(ends, ICMP6, Buffer.concat([Uint8Array.of(type, code), be16(0), be32(word), data]), 2);
}

export const udp = (ends: Ends, fromPort: number, toPort: number, length = 10, fields: IpFields = {}): Uint8Array =>
  ip(ends, UDP, udpDatagram(ends, fromPort, toPort, filler(length)), fields);

export const tcp = (ends: Ends, fromPort: number, toPort: number, flags: number, length = 0, fields: IpFields = {}): Uint8Array =>
  ip(ends, TCP, tcpSegment(ends, fromPort, toPort, flags, filler(length)), fields);

export const echo = (ends: Ends, id: number, reply = false, fields: IpFields = {}): Uint8Array =>
  isSix(ends.from)
    ? ip(ends, ICMP6, icmp6Message(ends, reply ? 129 : 128, 0, id * 65_536 + 1, filler(12)), fields)
    : ip(ends, ICMP, icmpMessage(reply ? 0 : 8, 0, id * 65_536 + 1, filler(12)), fields);

/** An ICMP error of `router` about `packet`, of which it quotes the first `quote` bytes. */
export const icmpError = (router: string, packet: Uint8Array, type = 3, code = 1, quote = 28, fields: IpFields = {}): Uint8Array =>
  ipv4({ from: router, to: addressText(new DataView(packet.buffer, packet.byteOffset).getUint32(12)) }, ICMP, icmpMessage(type, code, 0, packet.slice(0, quote)), fields);

/** An ICMPv6 error of `router` about `packet`; `word` is a packet-too-big's MTU or a parameter problem's pointer. */
export function icmp6Error(router: string, packet: Uint8Array, type: number, code = 0, word = 0, quote = 1232, fields: IpFields = {}): Uint8Array {
  const ends = { from: router, to: addressAt(packet, 8) };
  return ip(ends, ICMP6, icmp6Message(ends, type, code, word, packet.slice(0, quote)), fields);
}

/** The address of `packet`'s family at an offset, as text. */
export function addressAt(packet: Uint8Array, at: number): string {
  if ((packet[0] ?? 0) >> 4 === 4) return [...packet.subarray(at, at + 4)].join(".");
  return formatIpv6(BigInt(`0x${Buffer.from(packet.subarray(at, at + 16)).toString("hex")}`));
}

/** A datagram cut into fragments of at most `size` bytes of payload, a multiple of eight. */
export function fragments(ends: Ends, protocol: number, payload: Uint8Array, size: number, id: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const more = at + size < payload.length ? 0x2000 : 0;
    parts.push(ip(ends, protocol, payload.slice(at, at + size), { id, fragment: more | (at / 8) }));
  }
  return parts;
}

export function filler(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, k) => (k * 37 + 11) & 255);
}

export function ethernet(packet: Uint8Array, etherType = (packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800, tags: readonly number[] = []): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2), ...tags.map((id) => be16(0x8100, id)), be16(etherType), packet,
  ]);
}

/** A capture of Ethernet frames, one each `gap` seconds; a packet may say how long the frame was before it was cut. */
export function captureOf(packets: readonly Uint8Array[], gap = 0.001, first = 1_700_000_000): Uint8Array {
  return captureAt(packets.map((packet, k) => ({ at: first + k * gap, packet })));
}

/** The same with a time for each. */
export function captureAt(packets: readonly { readonly at: number; readonly packet: Uint8Array }[]): Uint8Array {
  return captureOfFrames(packets.map(({ at, packet }) => ({ sec: Math.floor(at), nsec: Math.round((at - Math.floor(at)) * 1e6) * 1000, frame: ethernet(packet) })));
}

export function captureOfFrames(records: readonly SampleRecord[], network = 1): Uint8Array {
  return classicFile(SHAPE, records, { network, snapLen: 262_144 });
}

export function recordOf(record: SampleRecord): Uint8Array {
  return classicRecord(SHAPE, record);
}
