/** Seeded source of numbers: the same seed gives the same sequence on every machine. Marsaglia's xorshift with 128 bits of
 * state and the shifts 11, 19, 8 (Xorshift RNGs, Journal of Statistical Software 8(14), 2003, section 4). */
export class SeededRandom {
  private x = 0;
  private y = 0;
  private z = 0;
  private w = 0;

  /** seed: an integer from 0 to 2^53 - 1. */
  constructor(seed: number) {
    const low = seed >>> 0;
    const high = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.x = mixWord(low ^ 0x6a09e667);
    this.y = mixWord(high ^ 0xbb67ae85);
    this.z = mixWord(low + 0x3c6ef372);
    this.w = mixWord(high + 0xa54ff53a) | 1;
    for (let i = 0; i < 16; i++) this.word();
  }

  /** 0 to 2^32 - 1. */
  word(): number {
    const t = this.x ^ (this.x << 11);
    this.x = this.y;
    this.y = this.z;
    this.z = this.w;
    this.w = this.w ^ (this.w >>> 19) ^ t ^ (t >>> 8);
    return this.w >>> 0;
  }

  /** 0 (inclusive) to 1 (exclusive). */
  unit(): number {
    return this.word() / 0x1_0000_0000;
  }

  /** An integer from 0 to bound - 1. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  /** An integer from 0 to bound - 1, small ones more often: P(k) = ln((k + 2) / (k + 1)) / ln(bound + 1), which follows Zipf's
   * 1 / (k + 1) within a few per cent beyond the first ranks and needs no table. */
  zipfBelow(bound: number): number {
    return Math.min(bound - 1, Math.floor(Math.exp(this.unit() * Math.log(bound + 1))) - 1);
  }
}

/** Spreads the bits of a word, so that neighbouring seeds start far apart. */
function mixWord(word: number): number {
  let mixed = word | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
  return mixed ^ (mixed >>> 15);
}
