// Packets that pods of fixtures/cluster send, and what an honest peer in the world makes of them: both independent of the
// kernel.
import fc from "fast-check";
import { ACK, echo, filler, fragments, ICMP, icmpMessage, internetChecksum, ipv4, PSH_ACK, SYN, tcp, UDP, udp, udpDatagram } from "../e2e/packets.ts";

export const PODS = ["10.244.1.10", "10.244.1.11", "10.244.2.10", "10.244.2.30", "10.244.3.10", "10.244.4.10"] as const;
/** Matched by policies with two egress IPs, excluded by one (198.51.100.64/26), and the same remote on many ports. */
export const REMOTES = ["203.0.113.10", "203.0.113.11", "198.51.100.7", "198.51.100.70", "192.0.2.1"] as const;
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

export const question: fc.Arbitrary<Question> = fc.record({
  kind: fc.constantFrom(...KINDS), pod: fc.constantFrom(...PODS), remote: fc.constantFrom(...REMOTES), port: fc.constantFrom(...PORTS),
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
      return [ipv4(ends, UDP, datagram, fields)];
    }
  }
}

/** Length of the IPv4 header. */
export function headerOf(packet: Uint8Array): number { return ((packet[0] ?? 0) & 15) * 4; }

function withHeaderChecksum(packet: Buffer): Buffer {
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(internetChecksum(packet.subarray(0, headerOf(packet))), 10);
  return packet;
}

export function withTtl(packet: Uint8Array, ttl: number): Buffer {
  const copy = Buffer.from(packet);
  copy[8] = ttl;
  return withHeaderChecksum(copy);
}

/** `words` words of no-operation between header and transport (RFC 791 section 3.1). */
function withOptions(packet: Uint8Array, words: number): Buffer {
  const longer = Buffer.concat([packet.subarray(0, 20), Buffer.alloc(4 * words, 1), packet.subarray(20)]);
  longer[0] = 0x45 + words;
  longer.writeUInt16BE(longer.length, 2);
  return withHeaderChecksum(longer);
}

function isLaterFragment(packet: Buffer): boolean { return (packet.readUInt16BE(6) & 0x1fff) !== 0; }

/** Sent back as it came: ends exchanged, an echo request answered. Exchanging addresses and ports keeps their sums. */
export function mirrored(packet: Uint8Array, ttl: number): Buffer {
  const back = Buffer.from(packet), l4 = headerOf(packet);
  back.set(packet.subarray(12, 16), 16);
  back.set(packet.subarray(16, 20), 12);
  if (back[9] === ICMP) back.set(icmpMessage(0, 0, back.readUInt32BE(l4 + 4), back.subarray(l4 + 8)), l4);
  else if (!isLaterFragment(back)) {
    back.set(packet.subarray(l4, l4 + 2), l4 + 2);
    back.set(packet.subarray(l4 + 2, l4 + 4), l4);
  }
  return withTtl(back, ttl);
}

/** The destination's complaint about a packet, with as much of it quoted as fits 68 bytes. */
export function refused(packet: Uint8Array, ttl: number): Buffer {
  const ends = { from: addressAt(packet, 16), to: addressAt(packet, 12) };
  return Buffer.from(ipv4(ends, ICMP, icmpMessage(3, 1, 0, packet.subarray(0, 68)), { ttl }));
}

export function addressAt(packet: Uint8Array, at: number): string { return [...packet.subarray(at, at + 4)].join("."); }

/** Protocol, ends and ports (an echo identifier in the sender's place) of a packet that is no later fragment. */
export function tupleOf(packet: Uint8Array): string {
  const bytes = Buffer.from(packet), l4 = headerOf(packet), protocol = bytes[9] ?? 0;
  const ports = protocol === ICMP ? [bytes.readUInt16BE(l4 + 4), 0] : [bytes.readUInt16BE(l4), bytes.readUInt16BE(l4 + 2)];
  return [protocol, addressAt(packet, 12), ports[0], addressAt(packet, 16), ports[1]].join(" ");
}

export const isPod = (address: string): boolean => PODS.some((pod) => pod === address);
export const isFirst = (packet: Uint8Array): boolean => !isLaterFragment(Buffer.from(packet));
