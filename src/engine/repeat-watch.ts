import { hashWord } from "./image/static-hash.ts";

const REMEMBERED = 16, HEADER_END = 20;

/** Notices packets that the capture holds more than once, as `tcpdump -i any` gives them: the same IPv4 header but for TTL
 * and checksum, with the same eight bytes behind it, seen on another interface or in another direction shortly before. */
export class RepeatWatch {
  readonly #hashes = new Int32Array(REMEMBERED);
  readonly #places = new Int32Array(REMEMBERED).fill(-1);
  #next = 0;
  /** Packets that looked like a repetition. */
  count = 0;

  /** `place` tells interface and direction apart; -1 where the capture does not say. */
  see(bytes: Uint8Array, ip: number, length: number, place: number): void {
    if (place < 0 || length < HEADER_END + 8) return;
    let hash = 0;
    for (let k = 0; k < HEADER_END + 8; k += 2) {
      if (k === 8 || k === 10) continue;
      hash = hashWord(hash ^ ((bytes[ip + k] as number) | ((bytes[ip + k + 1] as number) << 8)));
    }
    hash = hashWord(hash ^ (bytes[ip + 9] as number));
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
