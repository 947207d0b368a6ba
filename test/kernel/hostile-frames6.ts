// IPv6 frames that lie: recorded ones with lengths, extension headers, fragments, quotes and bytes changed.
import { below } from "./seeded.ts";

const ETH = 14, L4 = ETH + 40;
/** Extension headers, upper layers with and without ports, and what is neither. */
const NEXT_HEADERS = [0, 43, 44, 51, 59, 60, 6, 17, 58, 132, 50, 41, 255];
const EXTENSIONS = [0, 43, 44, 51, 60];
const ICMP6_TYPES = [1, 2, 3, 4, 100, 128, 129, 133, 135, 136, 137, 143];
const ERRORS = [1, 2, 3, 4];

type Frame = Uint8Array<ArrayBuffer>;
type Change = (frame: Frame, random: () => number) => Frame;

const put = (frame: Uint8Array, at: number, value: number): void => { if (at < frame.length) frame[at] = value; };
const pick = (random: () => number, from: readonly number[]): number => from[below(random, from.length)] ?? 0;

/** Puts an extension header of `units` times eight bytes (random ones) behind the IPv6 header. */
function extended(frame: Frame, random: () => number): Frame {
  const units = 1 + below(random, 4), kind = pick(random, EXTENSIONS), longer = new Uint8Array(frame.length + 8 * units);
  longer.set(frame.subarray(0, L4));
  for (let k = 0; k < 8 * units; k++) longer[L4 + k] = below(random, 256);
  longer.set(frame.subarray(L4), L4 + 8 * units);
  longer[L4] = frame[ETH + 6] ?? 0;
  // A right length, one too long, or any; a fragment header's has no meaning, an authentication header's another unit.
  longer[L4 + 1] = kind === 44 ? 0 : kind === 51 ? 2 * units - 2 : units - 1;
  if (below(random, 4) === 0) longer[L4 + 1] = below(random, 256);
  if (kind === 44) {
    put(longer, L4 + 2, below(random, 3) === 0 ? below(random, 256) : 0);
    put(longer, L4 + 3, [0, 1, 8, 9][below(random, 4)] ?? 0);
  }
  longer[ETH + 6] = kind;
  return longer;
}

/** An ICMPv6 error that quotes the packet itself, turned round, cut anywhere. */
function quoting(frame: Frame, random: () => number): Frame {
  const quote = frame.slice(ETH), whole = new Uint8Array(L4 + 8 + quote.length);
  whole.set(frame.subarray(0, L4));
  whole.set(quote, L4 + 8);
  put(whole, ETH + 6, 58);
  put(whole, L4, pick(random, ERRORS));
  put(whole, L4 + 1, below(random, 9));
  // The quote went from the outer destination to somewhere; half of them turned round port by port too.
  for (let k = 0; k < 16; k++) {
    put(whole, L4 + 8 + 8 + k, frame[ETH + 24 + k] ?? 0);
    put(whole, L4 + 8 + 24 + k, frame[ETH + 8 + k] ?? 0);
  }
  if (below(random, 2) === 0) {
    for (let k = 0; k < 2; k++) {
      put(whole, L4 + 8 + 40 + k, frame[L4 + 2 + k] ?? 0);
      put(whole, L4 + 8 + 42 + k, frame[L4 + k] ?? 0);
    }
  }
  return whole.slice(0, L4 + below(random, 8 + quote.length + 1));
}

const CHANGES: readonly Change[] = [
  (frame, random) => frame.slice(0, below(random, frame.length + 1)),
  (frame, random) => frame.slice(0, Math.max(0, L4 + below(random, 80) - 4)),
  (frame, random) => { put(frame, ETH + 4, below(random, 256)); put(frame, ETH + 5, below(random, 256)); return frame; },
  (frame, random) => { put(frame, ETH + 6, pick(random, NEXT_HEADERS)); return frame; },
  (frame, random) => { put(frame, ETH + 7, below(random, 4)); return frame; },
  // Another address, often one that the laboratory knows or that is never forwarded.
  (frame, random) => { frame.copyWithin(ETH + 24, ETH + 8, ETH + 24); put(frame, ETH + 39, below(random, 256)); return frame; },
  (frame, random) => { frame.fill(0, ETH + 24, ETH + 40); put(frame, ETH + 24, pick(random, [0, 0xfe, 0xff])); put(frame, ETH + 39, below(random, 2)); return frame; },
  (frame, random) => {
    put(frame, ETH + 6, 58);
    put(frame, L4, pick(random, ICMP6_TYPES));
    put(frame, L4 + 1, below(random, 9));
    return frame;
  },
  // A solicitation for the router address (or nearly), of any length.
  (frame, random) => {
    const asked = new Uint8Array(L4 + below(random, 40));
    asked.set(frame.subarray(0, Math.min(frame.length, asked.length)));
    put(asked, ETH + 6, 58);
    put(asked, L4, 135);
    for (const [k, byte] of [0xfd, 0, 0, 0x10, 0, below(random, 2) === 0 ? 1 : 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, pick(random, [1, 1, 16, 99])].entries()) put(asked, L4 + 8 + k, byte);
    return asked;
  },
  extended, extended, extended, quoting, quoting,
  (frame, random) => {
    for (let k = below(random, 6); k >= 0; k--) put(frame, below(random, frame.length), below(random, 256));
    return frame;
  },
];

/** `frame` with one to four changes, or now and then as it is. */
export function hostile6(frame: Frame, random: () => number): Frame {
  let changed = frame.slice();
  for (let k = below(random, 5); k > 0 && changed.length >= L4; k--) changed = CHANGES[below(random, CHANGES.length)]?.(changed, random) ?? changed;
  return changed;
}
