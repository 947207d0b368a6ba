// Frames for a kernel to warm up on: for pods of the run's own cluster, one of each kind that goes another way through the hooks.
import { ICMP_ECHO, ICMP_UNREACHABLE, TCP_ACK, TCP_FIN, TCP_SYN } from "../kernel/wire/l4.ts";
import { ETH_LEN, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, IP_HEADER, PROTO_ICMP, PROTO_TCP, PROTO_UDP } from "../kernel/wire/ipv4.ts";
import { IP6_HEADER } from "../kernel/wire/ipv6.ts";
import { halvesOf } from "./internet-checksum.ts";
import { ENTRY_HOST, ENTRY_NETDEV, ENTRY_OVERLAY, ENTRY_POD, ENTRY_REPLY } from "../kernel/pipeline/layout-batch.ts";

export interface WarmUpPod {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly node: number;
  /** Destinations that its egress policies name, beside such as none does. */
  readonly remotes: readonly Uint8Array[];
}

export interface WarmUpFrame {
  readonly bytes: Uint8Array;
  /** ENTRY_…. */
  readonly entry: number;
  readonly node: number;
  /** Offset of the port (or echo identifier) that makes another flow of it; 0: none. */
  readonly portAt: number;
}

/** Payload of a frame of 64 bytes on the wire. */
const TCP_SEGMENT = 20, PAYLOAD = 8, MORE_FRAGMENTS = 0x2000, LATER_FRAGMENT = 3;
/** Documentation addresses (RFC 5737, RFC 3849): outside any cluster. */
const REMOTES = [[198, 51, 100, 7], [192, 0, 2, 33]].map((bytes) => Uint8Array.from(bytes));
const REMOTE6 = Uint8Array.from([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);

interface Header {
  readonly proto: number;
  readonly ttl?: number;
  readonly fragment?: number;
  /** IPv4's own checksum. Most are wrong, which no hook looks at. */
  readonly checksum?: number;
}

function ipPacket(source: Uint8Array, destination: Uint8Array, { proto, ttl = 64, fragment = 0, checksum = 1 }: Header, body: Uint8Array): Uint8Array {
  const six = source.length === 16, header = six ? IP6_HEADER : IP_HEADER, frame = new Uint8Array(ETH_LEN + header + body.length), view = new DataView(frame.buffer);
  view.setUint16(ETH_LEN - 2, six ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
  if (six) {
    frame.set([0x60, 0, 0, 0, 0, body.length, proto, ttl], ETH_LEN);
    frame.set([...source, ...destination], ETH_LEN + 8);
  } else {
    frame.set([0x45, 0, 0, header + body.length, 0, 1, fragment >>> 8, fragment & 0xff, ttl, proto, checksum >>> 8, checksum & 0xff, ...source, ...destination], ETH_LEN);
  }
  frame.set(body, ETH_LEN + header);
  return frame;
}

function segment(proto: number, from: number, to: number, flags = TCP_ACK, checksum = 0x1234): Uint8Array {
  const bytes = new Uint8Array(proto === PROTO_TCP ? TCP_SEGMENT : 8 + PAYLOAD), view = new DataView(bytes.buffer);
  view.setUint16(0, from);
  view.setUint16(2, to);
  if (proto === PROTO_TCP) bytes.set([0x50, flags, 0, 0, checksum >>> 8, checksum & 0xff], 12);
  else bytes.set([0, bytes.length, checksum >>> 8, checksum & 0xff], 4);
  return bytes;
}

/** The sum that a sender leaves in the checksum's place for its network card to complete (RFC 9293 section 3.1). */
function pseudoSum(source: Uint8Array, destination: Uint8Array, proto: number, length: number): number {
  const sum = halvesOf(Uint8Array.from([...source, ...destination, 0, proto, 0, length]));
  return (sum & 0xffff) + (sum >>> 16);
}

function icmp(type: number, rest: Uint8Array): Uint8Array { return Uint8Array.from([type, 0, 0x12, 0x34, 0, 9, 0, 1, ...rest]); }

/** All kinds of frames of one pod and a peer: both ways, opening, going on and closing, errors, fragments, and what hooks drop. */
function framesOf(pod: WarmUpPod, remote: Uint8Array, inside: boolean): WarmUpFrame[] {
  const { address, node } = pod, l4 = ETH_LEN + (address.length === 16 ? IP6_HEADER : IP_HEADER), frames: WarmUpFrame[] = [];
  const put = (bytes: Uint8Array, entry: number, portAt: number): void => void frames.push({ bytes, entry, node, portAt });
  const out = (header: Header, body: Uint8Array, portAt = l4): void => put(ipPacket(address, remote, header, body), ENTRY_POD, portAt);
  const back = (header: Header, body: Uint8Array, portAt = l4 + 2): void => put(ipPacket(remote, address, header, body), inside ? ENTRY_NETDEV : ENTRY_REPLY, portAt);
  for (const proto of [PROTO_TCP, PROTO_UDP]) {
    for (const flags of [TCP_SYN, TCP_ACK, TCP_ACK, TCP_ACK | TCP_FIN]) {
      out({ proto }, segment(proto, 40_000, 443, flags));
      back({ proto }, segment(proto, 443, 40_000, flags | TCP_ACK));
    }
    // What leaves a way for a packet: checksums of 0 and 0xffff, which are one number, and such as were left to the card.
    for (const checksum of [0, 0xffff, pseudoSum(address, remote, proto, segment(proto, 0, 0).length)]) {
      out({ proto }, segment(proto, 40_000, 443, TCP_ACK, checksum));
      out({ proto, checksum }, segment(proto, 40_000, 443));
      out({ proto }, segment(proto, 47_000, 443, TCP_ACK, checksum));
      out({ proto, checksum }, segment(proto, 48_000, 443));
    }
    out({ proto, ttl: 1 }, segment(proto, 41_000, 443));
    out({ proto, fragment: MORE_FRAGMENTS }, segment(proto, 42_000, 53));
    out({ proto, fragment: LATER_FRAGMENT }, segment(proto, 0, 0), 0);
    out({ proto }, segment(proto, 43_000, 443).subarray(0, 3), 0);
    put(ipPacket(remote, address, { proto }, segment(proto, 443, 44_000)), ENTRY_NETDEV, l4 + 2);
    put(ipPacket(address, remote, { proto }, segment(proto, 45_000, 443)), ENTRY_OVERLAY, l4);
    put(ipPacket(address, remote, { proto }, segment(proto, 46_000, 443)), ENTRY_HOST, l4);
  }
  const quoted = ipPacket(address, remote, { proto: PROTO_UDP }, segment(PROTO_UDP, 40_000, 443)).subarray(ETH_LEN);
  out({ proto: PROTO_ICMP }, icmp(ICMP_ECHO, new Uint8Array(PAYLOAD)), l4 + 4);
  back({ proto: PROTO_ICMP }, icmp(0, new Uint8Array(PAYLOAD)), l4 + 4);
  back({ proto: PROTO_ICMP }, icmp(ICMP_UNREACHABLE, quoted), 0);
  out({ proto: PROTO_ICMP }, icmp(ICMP_UNREACHABLE, quoted), 0);
  out({ proto: 47 }, new Uint8Array(PAYLOAD), 0);
  return frames;
}

/** Frames of the pods, towards the outside and to each other. */
export function warmUpFrames(pods: readonly WarmUpPod[]): WarmUpFrame[] {
  const frames = pods.flatMap((pod, k) => {
    if (pod.address.length === 16) return framesOf(pod, REMOTE6, false);
    const peer = pods.find(({ address }, other) => other !== k && address.length === 4);
    return [...[...REMOTES, ...pod.remotes].flatMap((remote) => framesOf(pod, remote, false)), ...(peer === undefined ? [] : framesOf(pod, peer.address, true))];
  });
  const [first] = pods;
  if (first !== undefined) {
    const arp = new Uint8Array(42);
    new DataView(arp.buffer).setUint16(ETH_LEN - 2, ETHERTYPE_ARP);
    frames.push({ bytes: arp, entry: ENTRY_POD, node: first.node, portAt: 0 });
  }
  return frames;
}
