import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classicFile, join, PcapngBlocks, sampleFrame } from "./capture-bytes.ts";
import { drain, openBytes } from "./read-records.ts";
import { mergeCaptures, type MergedCaptures } from "../../src/io/merge.ts";

const LITTLE_NANO = { littleEndian: true, nanoseconds: true };

interface Stamp {
  readonly sec: number;
  readonly nsec: number;
}

/** Captures whose frames hold their capture's and their own number. */
function captureOf(stamps: readonly Stamp[], capture: number): Uint8Array {
  return classicFile(LITTLE_NANO, stamps.map((stamp, number) => ({ ...stamp, frame: Uint8Array.of(capture, number) })));
}

async function merged(files: readonly Uint8Array[]): Promise<MergedCaptures> {
  return mergeCaptures(await Promise.all(files.map((file) => openBytes(file, 64, 50))));
}

async function order(merge: MergedCaptures): Promise<(readonly [number, number])[]> {
  const seen: (readonly [number, number])[] = [];
  const { fault } = await drain(merge, ({ frame }) => {
    expect(merge.captureIndex).toBe(frame[0]);
    seen.push([frame[0] ?? -1, frame[1] ?? -1]);
  });
  expect(fault).toBeNull();
  await merge.close();
  return seen;
}

const stamp = fc.record({ sec: fc.nat({ max: 3 }), nsec: fc.constantFrom(0, 1, 999_999_999) });

describe("mergeCaptures", () => {
  it("gives what a stable sort by time gives, where every capture is in order itself", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(stamp, { maxLength: 9 }), { maxLength: 6 }), async (drawn) => {
        const captures = drawn.map((stamps) => stamps.toSorted((a, b) => a.sec - b.sec || a.nsec - b.nsec));
        const expected = captures
          .flatMap((stamps, capture) => stamps.map((each, number) => ({ ...each, capture, number })))
          .sort((a, b) => a.sec - b.sec || a.nsec - b.nsec)
          .map(({ capture, number }) => [capture, number]);
        expect(await order(await merged(captures.map(captureOf)))).toEqual(expected);
      }),
      { numRuns: 80 },
    );
  });

  it("keeps each capture's own order where its times go back", async () => {
    const back = captureOf([{ sec: 5, nsec: 0 }, { sec: 1, nsec: 0 }, { sec: 6, nsec: 0 }], 0);
    const forth = captureOf([{ sec: 2, nsec: 0 }, { sec: 7, nsec: 0 }], 1);
    expect(await order(await merged([back, forth]))).toEqual([[1, 0], [0, 0], [0, 1], [0, 2], [1, 1]]);
  });

  it("goes on with the others where one is broken, and keeps the fault", async () => {
    const stamps = [1, 2, 3, 4].map((sec) => ({ sec, nsec: 0 }));
    const whole = captureOf(stamps, 0);
    const broken = captureOf(stamps, 1).slice(0, -5);
    const merge = await merged([whole, broken]);
    expect(await order(merge)).toEqual([[0, 0], [1, 0], [0, 1], [1, 1], [0, 2], [1, 2], [0, 3]]);
    expect(merge.faults).toHaveLength(1);
    expect(merge.faults[0]).toMatchObject({ capture: 1, error: { name: "InputError" } });
    expect(merge.faults[0]?.error.message).toContain("record 4 at offset");
  });

  it("goes on with the others where one cannot be read on, and keeps that fault once", async () => {
    const stamps = [1, 2, 3, 4].map((sec) => ({ sec, nsec: 0 }));
    const merge = await merged([gzipSync(captureOf(stamps, 0)).subarray(0, -12), captureOf(stamps, 1)]);
    const seen = await order(merge);
    expect(seen.filter(([capture]) => capture === 1)).toHaveLength(4);
    expect(merge.faults.map(({ capture, error }) => [capture, error.message])).toEqual([
      [0, expect.stringContaining("the gzip data end in the middle")],
    ]);
  });

  it("ends with the records and the fault of a single broken capture", async () => {
    const merge = await merged([captureOf([{ sec: 1, nsec: 0 }, { sec: 2, nsec: 0 }], 0).slice(0, -1)]);
    expect(await order(merge)).toEqual([[0, 0]]);
    expect(merge.faults.map(({ capture }) => capture)).toEqual([0]);
    expect(merge.next()).toBe(-1);
  });

  it("does not hide a fault of ours", async () => {
    const [reader] = (await merged([captureOf([], 0)])).readers;
    if (reader === undefined) throw new Error("no reader");
    const wrong = Object.assign(Object.create(reader), { next: () => { throw new TypeError("a bug"); } });
    expect(() => mergeCaptures([wrong]).next()).toThrow("a bug");
  });

  it("names the interface of the capture that the record is from", async () => {
    const blocks = new PcapngBlocks(true);
    const named = (name: string, time: bigint) =>
      join([blocks.section(), blocks.interface([[2, new TextEncoder().encode(name)]]), blocks.enhanced(0, time, sampleFrame(3, 1))]);
    const merge = await merged([named("late0", 9n), named("early0", 3n)]);
    const { records } = await drain(merge);
    expect(records.map(({ interfaceName }) => interfaceName)).toEqual(["early0", "late0"]);
    await merge.close();
  });
});
