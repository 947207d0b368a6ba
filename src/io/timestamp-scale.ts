const NANOSECONDS = 1_000_000_000;

/** Time stamps of one pcapng interface: 64-bit counts of `if_tsresol` units since 1970, shifted by `if_tsoffset`
 * (draft-ietf-opsawg-pcapng section 4.2). Exact for every count; nanoseconds are cut, not rounded, as Wireshark does.
 * Seconds beyond 2^53 are approximate. */
export class TimestampScale {
  /** Result of the last split(): whole seconds, and nanoseconds from 0 to 999,999,999. */
  sec = 0;
  nsec = 0;
  private readonly exactUnits: bigint;
  private readonly units: number;
  private readonly numerator: number;
  private readonly denominator: number;
  private readonly fitsDoubles: boolean;
  private readonly offsetSeconds: number;

  /** `resolution`: the option's byte, 10^-n or, with its highest bit set, 2^-n. Throws RangeError where libpcap refuses it
   * too (n over 19 and 63). */
  constructor(resolution: number, offsetSeconds: bigint) {
    const binary = (resolution & 0x80) !== 0;
    const exponent = resolution & 0x7f;
    if (exponent > (binary ? 63 : 19)) throw new RangeError(`${binary ? 2 : 10}^-${exponent} s`);
    this.exactUnits = (binary ? 2n : 10n) ** BigInt(exponent);
    this.units = Number(this.exactUnits);
    const divides = NANOSECONDS % this.units === 0;
    this.numerator = divides ? NANOSECONDS / this.units : NANOSECONDS;
    this.denominator = divides ? 1 : this.units;
    this.fitsDoubles = divides || this.units * NANOSECONDS <= Number.MAX_SAFE_INTEGER;
    this.offsetSeconds = Number(offsetSeconds);
  }

  /** `high` and `low`: the halves of the count, 0 to 2^32 - 1. */
  split(high: number, low: number): void {
    if (!this.fitsDoubles) return this.splitExactly(high, low);
    // Long division in base 2^16: a nanosecond count of today has 61 bits, a double holds 53.
    const units = this.units;
    const top = Math.floor(high / units);
    let rest = (high - top * units) * 65536 + (low >>> 16);
    const middle = Math.floor(rest / units);
    rest = (rest - middle * units) * 65536 + (low & 0xffff);
    const bottom = Math.floor(rest / units);
    rest -= bottom * units;
    this.sec = top * 4294967296 + middle * 65536 + bottom + this.offsetSeconds;
    this.nsec = Math.floor((rest * this.numerator) / this.denominator);
  }

  private splitExactly(high: number, low: number): void {
    const count = (BigInt(high) << 32n) | BigInt(low);
    const sec = count / this.exactUnits;
    this.sec = Number(sec) + this.offsetSeconds;
    this.nsec = Number(((count - sec * this.exactUnits) * BigInt(NANOSECONDS)) / this.exactUnits);
  }
}
