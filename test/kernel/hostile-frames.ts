// Frames that lie: recorded ones with lengths, header sizes, fragments, quotes and bytes changed.
import { below } from "./seeded.ts";

const ETH = 14;
const PROTOCOLS = [1, 6, 17, 132, 47, 50, 255];
const ICMP_TYPES = [0, 3, 5, 8, 11, 12, 13, 255];

type Change = (frame: Uint8Array<ArrayBuffer>, random: () => number) => Uint8Array<ArrayBuffer>;

const put = (frame: Uint8Array, at: number, value: number): void => { if (at < frame.length) frame[at] = value; };
const l4Of = (frame: Uint8Array): number => ETH + ((frame[ETH] ?? 0) & 0x0f) * 4;

const CHANGES: readonly Change[] = [
  // Cut anywhere, also inside the Ethernet header.
  (frame, random) => frame.slice(0, below(random, frame.length + 1)),
  // Cut close to where the transport header and an ICMP quote begin.
  (frame, random) => frame.slice(0, Math.max(0, l4Of(frame) + below(random, 80) - 4)),
  (frame, random) => { put(frame, ETH, (below(random, 16) << 4) | below(random, 16)); return frame; },
  (frame, random) => { put(frame, ETH, 0x40 | below(random, 16)); return frame; },
  (frame, random) => { put(frame, ETH + 2, below(random, 256)); put(frame, ETH + 3, below(random, 256)); return frame; },
  // Fragment flags and offset; often offset 0 or 1.
  (frame, random) => {
    put(frame, ETH + 6, below(random, 2) * 0x20 | (below(random, 4) === 0 ? below(random, 32) : 0));
    put(frame, ETH + 7, below(random, 3));
    return frame;
  },
  (frame, random) => { put(frame, ETH + 8, below(random, 4)); return frame; },
  (frame, random) => { put(frame, ETH + 9, PROTOCOLS[below(random, PROTOCOLS.length)] ?? 0); return frame; },
  // An ICMP header with a quote of whatever follows.
  (frame, random) => {
    put(frame, ETH + 9, 1);
    put(frame, l4Of(frame), ICMP_TYPES[below(random, ICMP_TYPES.length)] ?? 0);
    put(frame, l4Of(frame) + 1, below(random, 20));
    return frame;
  },
  // An ICMP error that quotes the packet itself, turned round, cut anywhere.
  (frame, random) => {
    const quote = frame.slice(ETH), l4 = ETH + 20;
    const whole = new Uint8Array(l4 + 8 + quote.length);
    whole.set(frame.subarray(0, l4));
    whole.set(quote, l4 + 8);
    put(whole, ETH, 0x45);
    put(whole, ETH + 9, 1);
    put(whole, l4, [3, 11, 12][below(random, 3)] ?? 3);
    put(whole, l4 + 1, below(random, 3));
    for (let k = 0; k < 4; k++) {
      put(whole, l4 + 8 + 12 + k, frame[ETH + 16 + k] ?? 0);
      put(whole, l4 + 8 + 16 + k, frame[ETH + 12 + k] ?? 0);
    }
    for (let k = 0; k < 2; k++) {
      put(whole, l4 + 8 + 20 + k, frame[ETH + 22 + k] ?? 0);
      put(whole, l4 + 8 + 22 + k, frame[ETH + 20 + k] ?? 0);
    }
    return whole.slice(0, l4 + below(random, 8 + quote.length + 1));
  },
  // IP options between header and transport.
  (frame, random) => {
    const words = 1 + below(random, 10), longer = new Uint8Array(frame.length + 4 * words);
    longer.set(frame.subarray(0, ETH + 20));
    for (let k = 0; k < 4 * words; k++) put(longer, ETH + 20 + k, below(random, 256));
    longer.set(frame.subarray(ETH + 20), ETH + 20 + 4 * words);
    put(longer, ETH, 0x45 + words);
    return longer;
  },
  (frame, random) => {
    for (let k = below(random, 6); k >= 0; k--) put(frame, below(random, frame.length), below(random, 256));
    return frame;
  },
  (_, random) => Uint8Array.from({ length: below(random, 120) }, () => below(random, 256)),
];

/** `frame` with one to three changes, or now and then as it is. */
export function hostile(frame: Uint8Array<ArrayBuffer>, random: () => number): Uint8Array<ArrayBuffer> {
  let changed = frame.slice();
  for (let k = below(random, 4); k > 0 && changed.length >= ETH + 20; k--) changed = CHANGES[below(random, CHANGES.length)]?.(changed, random) ?? changed;
  return changed;
}
