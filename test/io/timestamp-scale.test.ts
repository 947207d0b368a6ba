import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TimestampScale } from "../../src/io/timestamp-scale.ts";

const NANOSECONDS = 1_000_000_000n;
const halves = fc.nat({ max: 0xffffffff });
const resolutions = fc.oneof(fc.integer({ min: 0, max: 19 }), fc.integer({ min: 0x80, max: 0x80 + 63 }));

describe("TimestampScale", () => {
  it("splits every count into whole seconds and cut nanoseconds, for every resolution", () => {
    fc.assert(
      fc.property(resolutions, halves, halves, (resolution, high, low) => {
        const units = resolution < 0x80 ? 10n ** BigInt(resolution) : 2n ** BigInt(resolution - 0x80);
        const count = (BigInt(high) << 32n) | BigInt(low);
        const scale = new TimestampScale(resolution, 0n);
        scale.split(high, low);
        expect(scale.nsec).toBe(Number(((count % units) * NANOSECONDS) / units));
        const sec = count / units;
        if (sec <= BigInt(Number.MAX_SAFE_INTEGER)) expect(scale.sec).toBe(Number(sec));
      }),
      { numRuns: 2000 },
    );
  });

  it("shifts the seconds by the offset, below zero too", () => {
    const scale = new TimestampScale(6, -10n);
    scale.split(0, 3_000_001);
    expect([scale.sec, scale.nsec]).toEqual([-7, 1000]);
  });

  it("refuses resolutions that libpcap refuses", () => {
    expect(() => new TimestampScale(20, 0n)).toThrow("10^-20 s");
    expect(() => new TimestampScale(0x80 + 64, 0n)).toThrow("2^-64 s");
  });
});
