// What peers write, compared with what egwsim writes. Files that must be the same are compared by all their bytes. OVS chooses other
// identifications, UDP ports and an order of its own for its tunnel, so of that the rest is compared, packet by packet: outer
// addresses, identity and the whole inner packet after SNAT. Of egwsim that is in two captures, the tunnel's and the one outside.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { type CaptureReader, type CaptureRecord, NEXT_END, NEXT_FILL } from "../../src/io/capture-record.ts";
import { openCapture } from "../../src/io/open-capture.ts";
import { SAME } from "./peer.ts";

const ETHERNET = 14, OUTER_ADDRESSES = 26, VNI = 46, INNER = 64, SOURCE = 12;
const IPV4_HEADER = 20, PROTOCOL = 9, TCP = 6, TCP_CHECKSUM = 16, UDP_CHECKSUM = 6;

type Counts = Map<number, number>;

/** How often each packet occurs, by a hash of 53 bits: as it is, and without source port and checksum of TCP or UDP. Two pods with one
 * source port towards one destination need different ports behind one egress IP, and everyone draws those in a way of their own. */
export class PacketBag {
  readonly exact: Counts = new Map();
  readonly anyPort: Counts = new Map();

  /** `inner`: the record that holds the inner packet, at `at` of its frame; `outer` has the headers of the tunnel. What pads a frame
   * behind the packet is left out. */
  add(outer: CaptureRecord, inner: CaptureRecord, at: number): void {
    const from = inner.offset + at, end = from + (word(inner, at) & 0xffff), { block } = inner;
    const port = from + IPV4_HEADER, checksum = port + (block[from + PROTOCOL] === TCP ? TCP_CHECKSUM : UDP_CHECKSUM);
    let a = word(outer, OUTER_ADDRESSES) | 0, b = word(outer, OUTER_ADDRESSES + 4) ^ (word(outer, VNI) >>> 8), c = a, d = b;
    for (let k = from; k < end; k++) {
      const byte = block[k] ?? 0;
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b ^ byte, 0x85ebca6b) ^ (b >>> 15);
      if (k === port || k === port + 1 || k === checksum || k === checksum + 1) continue;
      c = Math.imul(c ^ byte, 0x01000193);
      d = Math.imul(d ^ byte, 0x85ebca6b) ^ (d >>> 15);
    }
    count(this.exact, a, b);
    count(this.anyPort, c, d);
  }
}

function count(counts: Counts, high: number, low: number): void {
  const hash = (high >>> 0) * 2 ** 21 + (low >>> 11);
  counts.set(hash, (counts.get(hash) ?? 0) + 1);
}

/** Packets of one that the other has not. */
const beyond = (one: Counts, other: Counts): number => [...one].reduce((sum, [hash, times]) => sum + Math.max(0, times - (other.get(hash) ?? 0)), 0);

export async function fileDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** What left through gateways: the packets of the tunnel's capture, with what became of them outside. Null where some of the former
 * never got there. */
export async function translatedPackets(overlay: string, external: string, egressIps: ReadonlySet<number>): Promise<PacketBag | null> {
  const tunnel = await openCapture(overlay), outside = await openCapture(external), bag = new PacketBag();
  try {
    while (await given(outside)) {
      if (!egressIps.has(word(outside, ETHERNET + SOURCE))) continue;
      if (!(await given(tunnel))) return null;
      bag.add(tunnel, outside, ETHERNET);
    }
    return (await given(tunnel)) ? null : bag;
  } finally {
    await tunnel.close();
    await outside.close();
  }
}

/** Whether the packets of a tunnel's capture are those, inner packets translated before they were encapsulated. */
export async function sameTranslated(path: string, wanted: PacketBag): Promise<string> {
  const capture = await openCapture(path), bag = new PacketBag();
  while (await given(capture)) bag.add(capture, capture, INNER);
  await capture.close();
  const foreign = beyond(bag.anyPort, wanted.anyPort), lost = beyond(wanted.anyPort, bag.anyPort), otherPorts = beyond(bag.exact, wanted.exact);
  const counted = (packets: number): string => packets.toLocaleString("en-US");
  if (foreign > 0) return `no, ${counted(foreign)} packets differ`;
  return [`${SAME}, inner packets`, ...(otherPorts > 0 ? [`${counted(otherPorts)} with another port`] : []), ...(lost > 0 ? [`${counted(lost)} lost`] : [])].join("; ");
}

/** Packets of a capture, and by its time stamps the seconds that its second half took and the share of packets in that. */
export async function secondHalf(path: string): Promise<{ readonly packets: number; readonly seconds: number; readonly share: number }> {
  const capture = await openCapture(path), times: number[] = [];
  let first = -1;
  while (await given(capture)) {
    if (first < 0) first = capture.timeSec;
    times.push(capture.timeSec - first + capture.timeNsec / 1e9);
  }
  await capture.close();
  const packets = times.length, middle = packets >> 1, seconds = (times.at(-1) ?? 0) - (times[middle] ?? 0);
  return { packets, seconds, share: (packets - 1 - middle) / packets };
}

async function given(capture: CaptureReader): Promise<boolean> {
  for (;;) {
    const next = capture.next();
    if (next !== NEXT_FILL) return next !== NEXT_END;
    await capture.fill();
  }
}

function word({ block, offset }: CaptureRecord, at: number): number {
  const from = offset + at;
  return (((block[from] ?? 0) << 24) | ((block[from + 1] ?? 0) << 16) | ((block[from + 2] ?? 0) << 8) | (block[from + 3] ?? 0)) >>> 0;
}
