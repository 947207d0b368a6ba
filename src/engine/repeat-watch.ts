import { hashWord } from "./image/static-hash.ts";

const REMEMBERED = 16, L4_BYTES = 8;
/** By family: bytes of the header, and where the next protocol and the hops left stand in it. */
const IPV4 = { end: 20, protocol: 9, hops: 8 }, IPV6 = { end: 40, protocol: 6, hops: 7 }, CHECKSUM4 = 10;

/** Notices packets that the capture holds more than once, as `tcpdump -i any` gives them: the same IP header but for the
 * hops left and checksum, with the same eight bytes behind it, seen on another interface or in another direction shortly before. */
export class RepeatWatch {
  readonly #hashes = new Int32Array(REMEMBERED);
  readonly #places = new Int32Array(REMEMBERED).fill(-1);
  #next = 0;
  /** Packets that looked like a repetition. */
  count = 0;

  /** `place` tells interface and direction apart; -1 where the capture does not say. */
  see(bytes: Uint8Array, ip: number, length: number, place: number): void {
    const six = (bytes[ip] as number) >> 4 === 6, { end, protocol, hops } = six ? IPV6 : IPV4;
    if (place < 0 || length < end + L4_BYTES) return;
    let hash = 0;
    for (let k = 0; k < end + L4_BYTES; k += 2) {
      if (k === (hops & ~1) || (!six && k === CHECKSUM4)) continue;
      hash = hashWord(hash ^ ((bytes[ip + k] as number) | ((bytes[ip + k + 1] as number) << 8)));
    }
    hash = hashWord(hash ^ (bytes[ip + protocol] as number));
    for (let k = 0; k < REMEMBERED; k++) {
      if (this.#hashes[k] === hash && this.#places[k] !== -1 && this.#places[k] !== place) {
        this.count++;
        break;
      }
    }
    this.#hashes[this.#next] = hash;
    this.#places[this.#next] = place;
    this.#next = (this.#next + 1) % REMEMBERED;
  }
}
