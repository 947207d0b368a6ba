// What the tests need to know of IPv6 frames, found without the kernel's help.
const ETH = 14;
const EXTENSIONS = new Set([0, 43, 44, 51, 60]);
const TCP = 6, UDP = 17, ICMP6 = 58;
const CSUM_AT: Readonly<Record<number, number>> = { [TCP]: 16, [UDP]: 6, [ICMP6]: 2 };

export interface Upper {
  readonly proto: number;
  /** Offset from the start of the frame. */
  readonly at: number;
}

export function isIpv6(frame: Uint8Array): boolean { return frame.length >= ETH + 40 && frame[12] === 0x86 && frame[13] === 0xdd; }

/** The upper layer of a whole packet; null for a fragment, or where headers are cut. */
export function upperLayer(frame: Uint8Array): Upper | null {
  let proto = frame[ETH + 6] ?? 0, at = ETH + 40;
  while (EXTENSIONS.has(proto)) {
    if (at + 8 > frame.length || proto === 44) return null;
    const units = frame[at + 1] ?? 0, length = proto === 51 ? (units + 2) * 4 : (units + 1) * 8;
    proto = frame[at] ?? 0;
    at += length;
  }
  return at <= frame.length ? { proto, at } : null;
}

/** RFC 8200 section 8.1: is the upper layer's checksum right? null where there is none to check. */
export function checksumIsRight(frame: Uint8Array): boolean | null {
  if (!isIpv6(frame)) return null;
  const upper = upperLayer(frame), csumAt = upper === null ? undefined : CSUM_AT[upper.proto];
  if (upper === null || csumAt === undefined || upper.at + csumAt + 2 > frame.length) return null;
  const end = ETH + 40 + (((frame[ETH + 4] ?? 0) << 8) | (frame[ETH + 5] ?? 0));
  if (end > frame.length || end < upper.at) return null;
  if (upper.proto === UDP && frame[upper.at + 6] === 0 && frame[upper.at + 7] === 0) return null;
  const length = end - upper.at;
  let sum = (length >>> 16) + (length & 0xffff) + upper.proto;
  const add = (from: number, to: number): void => { for (let k = from; k < to; k += 2) sum += ((frame[k] ?? 0) << 8) | (k + 1 < to ? frame[k + 1] ?? 0 : 0); };
  add(ETH + 8, ETH + 40);
  add(upper.at, end);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum === 0xffff;
}
