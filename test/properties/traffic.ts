// Packets that pods of fixtures/cluster, or of fixtures/cluster-dual, send, and what an honest peer in the world makes of them: both independent of the
// kernel.
import fc from "fast-check";
import {
  ACK, addressAt, echo, filler, fragments, ICMP, ICMP6, icmp6Error, icmp6Message, icmpMessage, internetChecksum, ip, PSH_ACK, SYN, tcp, UDP, udp, udpDatagram,
  withExtensions,
} from "../e2e/packets.ts";

/** Ends of one family. */
export interface Ends {
  readonly pods: readonly string[];
  readonly remotes: readonly string[];
}

/** Remotes that policies with two egress IPs match, one excludes (198.51.100.64/26), none matches, and one on many ports. */
export const FOURTH: Ends = {
  pods: ["10.244.1.10", "10.244.1.11", "10.244.2.10", "10.244.2.30", "10.244.3.10", "10.244.4.10"],
  remotes: ["203.0.113.10", "203.0.113.11", "198.51.100.7", "198.51.100.70", "192.0.2.1"],
};
/** Of fixtures/cluster-dual: matched, matched with another gateway, excluded, matched by none but pay. */
export const SIXTH: Ends = {
  pods: ["fd00:10:1::10", "fd00:10:1::11", "fd00:10:2::10", "fd00:10:2::11", "fd00:10:3::10"],
  remotes: ["2001:db8:113::10", "2001:db8:113::11", "2001:db8:113:0:8000::7", "2001:db8:198::70", "2001:db8:aaaa::1"],
};
/** In SNAT's range and below it, so that they are kept, moved and collide. */
const PORTS = [1, 1024, 40_000, 40_001, 65_535] as const;
const REMOTE_PORTS = [53, 443, 50_000] as const;
const KINDS = ["tcp", "udp", "udp-without-checksum", "echo", "fragments", "options"] as const;

export interface Question {
  readonly kind: (typeof KINDS)[number];
  readonly pod: string;
  readonly remote: string;
  readonly port: number;
  readonly remotePort: number;
  readonly length: number;
  readonly ttl: number;
  readonly opens: boolean;
  /** How the world reacts. */
  readonly answer: "mirror" | "error" | "none";
}

export const questionOf = ({ pods, remotes }: Ends): fc.Arbitrary<Question> => fc.record({
  kind: fc.constantFrom(...KINDS), pod: fc.constantFrom(...pods), remote: fc.constantFrom(...remotes), port: fc.constantFrom(...PORTS),
  remotePort: fc.constantFrom(...REMOTE_PORTS), length: fc.integer({ min: 0, max: 120 }), ttl: fc.integer({ min: 8, max: 255 }), opens: fc.boolean(),
  answer: fc.constantFrom("mirror", "mirror", "mirror", "error", "none"),
});

/** The packets of a question, in order; `id` is the IP identification. */
export function asked(each: Question, id: number): Uint8Array[] {
  const ends = { from: each.pod, to: each.remote }, fields = { ttl: each.ttl, id };
  switch (each.kind) {
    case "tcp": return [tcp(ends, each.port, each.remotePort, each.opens ? SYN : each.length === 0 ? ACK : PSH_ACK, each.opens ? 0 : each.length, fields)];
    case "udp": return [udp(ends, each.port, each.remotePort, each.length, fields)];
    case "echo": return [echo(ends, each.port, false, fields)];
    case "options": return [withOptions(udp(ends, each.port, each.remotePort, each.length, fields), 1 + (each.length % 10))];
    case "fragments": return fragments(ends, UDP, udpDatagram(ends, each.port, each.remotePort, filler(300 + each.length)), 128, id).map((packet) => withTtl(packet, each.ttl));
    case "udp-without-checksum": {
      const datagram = udpDatagram(ends, each.port, each.remotePort, filler(each.length));
      datagram.set([0, 0], 6);
      return [ip(ends, UDP, datagram, fields)];
    }
  }
}

export const isSixth = (packet: Uint8Array): boolean => (packet[0] ?? 0) >> 4 === 6;
const TTL_AT = (packet: Uint8Array): number => (isSixth(packet) ? 7 : 8);
const SOURCE_AT = (packet: Uint8Array): number => (isSixth(packet) ? 8 : 12);
const DESTINATION_AT = (packet: Uint8Array): number => (isSixth(packet) ? 24 : 16);
const ADDRESS_BYTES = (packet: Uint8Array): number => (isSixth(packet) ? 16 : 4);
const FRAGMENT = 44, EXTENSIONS = new Set([0, 43, FRAGMENT, 60]);

/** Offset and protocol of the transport header, behind IPv4's options and IPv6's extension headers; the offset of IPv6's
 * fragment header, -1 for none. */
function transport(packet: Uint8Array): { readonly at: number; readonly protocol: number; readonly fragment: number } {
  if (!isSixth(packet)) return { at: ((packet[0] ?? 0) & 15) * 4, protocol: packet[9] ?? 0, fragment: -1 };
  let at = 40, protocol = packet[6] ?? 0, fragment = -1;
  while (EXTENSIONS.has(protocol)) {
    if (protocol === FRAGMENT) fragment = at;
    const units = protocol === FRAGMENT ? 0 : packet[at + 1] ?? 0;
    protocol = packet[at] ?? 0;
    at += 8 * (units + 1);
  }
  return { at, protocol, fragment };
}

/** Length of all headers before the transport's. */
export function headerOf(packet: Uint8Array): number { return transport(packet).at; }
export function protocolOf(packet: Uint8Array): number { return transport(packet).protocol; }
export const isIcmp = (packet: Uint8Array): boolean => protocolOf(packet) === (isSixth(packet) ? ICMP6 : ICMP);

/** With the header checksum made anew, where the family has one. */
function sealed(packet: Buffer): Buffer {
  if (isSixth(packet)) return packet;
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(internetChecksum(packet.subarray(0, headerOf(packet))), 10);
  return packet;
}

export function withTtl(packet: Uint8Array, ttl: number): Buffer {
  const copy = Buffer.from(packet);
  copy[TTL_AT(packet)] = ttl;
  return sealed(copy);
}

export const ttlOf = (packet: Uint8Array): number => packet[TTL_AT(packet)] ?? 0;

/** `words` words of no-operation between header and transport (RFC 791 section 3.1); in IPv6 a hop-by-hop header. */
function withOptions(packet: Uint8Array, words: number): Buffer {
  if (isSixth(packet)) return Buffer.from(withExtensions(packet, ...(words % 2 === 0 ? [0] : [0, 60])));
  const longer = Buffer.concat([packet.subarray(0, 20), Buffer.alloc(4 * words, 1), packet.subarray(20)]);
  longer[0] = 0x45 + words;
  longer.writeUInt16BE(longer.length, 2);
  return sealed(longer);
}

function isLaterFragment(packet: Buffer): boolean {
  const { fragment } = transport(packet);
  return isSixth(packet) ? fragment >= 0 && packet.readUInt16BE(fragment + 2) >= 8 : (packet.readUInt16BE(6) & 0x1fff) !== 0;
}

export const sourceOf = (packet: Uint8Array): string => addressAt(packet, SOURCE_AT(packet));
export const destinationOf = (packet: Uint8Array): string => addressAt(packet, DESTINATION_AT(packet));

/** Sent back as it came: ends exchanged, an echo request answered. Exchanging addresses and ports keeps their sums. */
export function mirrored(packet: Uint8Array, ttl: number): Buffer {
  const back = Buffer.from(packet), { at: l4 } = transport(packet), from = SOURCE_AT(packet), to = DESTINATION_AT(packet), length = ADDRESS_BYTES(packet);
  back.set(packet.subarray(from, from + length), to);
  back.set(packet.subarray(to, to + length), from);
  if (isIcmp(packet)) {
    const word = back.readUInt32BE(l4 + 4), data = Buffer.from(back.subarray(l4 + 8)), ends = { from: destinationOf(packet), to: sourceOf(packet) };
    back.set(isSixth(packet) ? icmp6Message(ends, 129, 0, word, data) : icmpMessage(0, 0, word, data), l4);
  } else if (!isLaterFragment(back)) {
    back.set(packet.subarray(l4, l4 + 2), l4 + 2);
    back.set(packet.subarray(l4 + 2, l4 + 4), l4);
  }
  return withTtl(back, ttl);
}

/** The complaint about a packet that finds its way back: of IPv4 the destination's, with as much quoted as fits 68 bytes; of
 * IPv6 a packet-too-big, the only one that Cilium 1.19 translates. */
export function refused(packet: Uint8Array, ttl: number): Buffer {
  if (isSixth(packet)) return Buffer.from(icmp6Error(destinationOf(packet), packet, 2, 0, 1280, 108, { ttl }));
  const ends = { from: destinationOf(packet), to: sourceOf(packet) };
  return Buffer.from(ip(ends, ICMP, icmpMessage(3, 1, 0, packet.subarray(0, 68)), { ttl }));
}

/** What an ICMP error quotes, null for any other packet. */
export function quoteOf(packet: Uint8Array): Buffer | null {
  const { at } = transport(packet), type = packet[at] ?? 0;
  const isError = isIcmp(packet) && (isSixth(packet) ? type >= 1 && type <= 4 : type === 3 || type === 11 || type === 12);
  return isError ? Buffer.from(packet.subarray(at + 8)) : null;
}

/** Protocol, ends and ports (an echo identifier in the sender's place) of a packet that is no later fragment. */
export function tupleOf(packet: Uint8Array): string {
  const bytes = Buffer.from(packet), { at: l4, protocol } = transport(packet);
  const ports = isIcmp(packet) ? [bytes.readUInt16BE(l4 + 4), 0] : [bytes.readUInt16BE(l4), bytes.readUInt16BE(l4 + 2)];
  return [protocol, sourceOf(packet), ports[0], destinationOf(packet), ports[1]].join(" ");
}

export const isPod = (address: string): boolean => [...FOURTH.pods, ...SIXTH.pods].includes(address);
export const isFirst = (packet: Uint8Array): boolean => !isLaterFragment(Buffer.from(packet));
