import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLASSIC_SHAPES, classicFile, classicHeader, join, rawRecord, sampleFrame, type SampleRecord } from "./capture-bytes.ts";
import { openBytes, readBytes } from "./read-records.ts";
import { NEXT_RECORD } from "../../src/io/capture-record.ts";

const LITTLE = { littleEndian: true, nanoseconds: false };
const LITTLE_NANO = { littleEndian: true, nanoseconds: true };
const NOTHING = new Uint8Array(0);

const shapes = fc.constantFrom(...CLASSIC_SHAPES);
const records = fc.array(
  fc.record({
    sec: fc.nat({ max: 0xffffffff }),
    nsec: fc.nat({ max: 999_999 }).map((microseconds) => microseconds * 1000),
    frame: fc.uint8Array({ maxLength: 150 }),
    more: fc.nat({ max: 2000 }),
  }),
  { maxLength: 12 },
);

function withLengths(drawn: readonly { sec: number; nsec: number; frame: Uint8Array; more: number }[]): SampleRecord[] {
  return drawn.map(({ sec, nsec, frame, more }) => ({ sec, nsec, frame, origLen: frame.length + more }));
}

describe("a classic capture", () => {
  it("gives every record of either byte order and resolution, whatever the sizes of block and pieces", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, records, fc.integer({ min: 64, max: 400 }), fc.integer({ min: 1, max: 99 }), async (shape, drawn, blockSize, piece) => {
        const sample = withLengths(drawn);
        const { records: read, fault } = await readBytes(classicFile(shape, sample), blockSize, piece);
        expect(fault).toBeNull();
        expect(read.map(({ sec, nsec, frame, origLen }) => ({ sec, nsec, frame, origLen }))).toEqual(sample);
      }),
      { numRuns: 60 },
    );
  });

  it("cut anywhere gives exactly the whole records before the cut, and a fault unless the cut is between two", async () => {
    for (const shape of CLASSIC_SHAPES) {
      const sample = [40, 0, 97, 5].map((length, seed) => ({ sec: 10 + seed, nsec: 5000, frame: sampleFrame(length, seed) }));
      const file = classicFile(shape, sample);
      const ends = sample.map((_, index) => classicFile(shape, sample.slice(0, index + 1)).length);
      for (let cut = 1; cut <= file.length; cut++) {
        const { records: read, fault } = await readBytes(file.slice(0, cut));
        const whole = ends.filter((end) => end <= cut).length;
        expect(read.map(({ frame }) => frame)).toEqual(sample.slice(0, whole).map(({ frame }) => frame));
        if (cut === 24 || ends.includes(cut)) expect(fault).toBeNull();
        else expect(fault).toMatch(/^standard input: .*\d/);
      }
    }
  });

  it("names the record, its offset and what is missing where it is cut short", async () => {
    const file = classicFile(LITTLE, [1, 2, 3].map((sec) => ({ sec, nsec: 0, frame: sampleFrame(60, sec) })));
    const { records: read, fault } = await readBytes(file.slice(0, -10));
    expect(read).toHaveLength(2);
    expect(fault).toContain("standard input: record 3 at offset 176 is cut short: it takes 76 bytes, the file ends after 66");
  });

  it("refuses a record that claims more than 262144 bytes, and gives one of just so many", async () => {
    const huge = new Uint8Array(262144).fill(7);
    const first = join([classicHeader(LITTLE), rawRecord(LITTLE, 1, 0, huge.length, huge.length, huge)]);
    const whole = await readBytes(first, 64, 8192);
    expect(whole.fault).toBeNull();
    expect(whole.records[0]?.frame.length).toBe(262144);
    const second = join([first, rawRecord(LITTLE, 1, 0, 262145, 262145, NOTHING)]);
    const { records: read, fault } = await readBytes(second, 64, 8192);
    expect(read).toHaveLength(1);
    expect(fault).toContain("record 2 at offset 262184 claims 262145 bytes; the file's snapshot length is 65535");
  });

  it("throws the same fault again when it is asked again", async () => {
    const reader = await openBytes(join([classicHeader(LITTLE), rawRecord(LITTLE, 1, 0, 0xffffffff, 1, NOTHING)]));
    expect(() => reader.next()).toThrow("record 1 at offset 24");
    expect(() => reader.next()).toThrow("record 1 at offset 24");
    await reader.close();
  });

  it("gives a record beyond the header's snapshot length whole", async () => {
    const file = classicFile(LITTLE, [{ sec: 1, nsec: 0, frame: sampleFrame(80, 1) }], { snapLen: 20 });
    expect((await readBytes(file)).records[0]?.frame).toEqual(sampleFrame(80, 1));
  });

  it("carries a fraction beyond one second into the seconds", async () => {
    const nano = join([classicHeader(LITTLE_NANO), rawRecord(LITTLE_NANO, 100, 4_000_000_123, 0, 0, NOTHING)]);
    expect((await readBytes(nano)).records[0]).toMatchObject({ sec: 104, nsec: 123 });
    const micro = join([classicHeader(LITTLE), rawRecord(LITTLE, 100, 4_000_000_123, 0, 0, NOTHING)]);
    expect((await readBytes(micro)).records[0]).toMatchObject({ sec: 4100, nsec: 123_000 });
  });

  it("takes seconds beyond 2038 as unsigned", async () => {
    const file = classicFile(LITTLE, [{ sec: 0xffffffff, nsec: 1000, frame: NOTHING }]);
    expect((await readBytes(file)).records[0]).toMatchObject({ sec: 4294967295, nsec: 1000 });
  });

  it("never gives an original length below the captured one", async () => {
    const file = join([classicHeader(LITTLE), rawRecord(LITTLE, 1, 0, 30, 10, sampleFrame(30, 1))]);
    expect((await readBytes(file)).records[0]).toMatchObject({ origLen: 30, frame: sampleFrame(30, 1) });
  });

  it.each([
    [2, 1, 90, 30],
    [2, 2, 90, 30],
    [543, 0, 90, 30],
    [2, 3, 90, 30],
    [2, 3, 30, 90],
    [2, 4, 30, 90],
  ])("of version %i.%i with lengths %i and %i has 30 of 90 bytes", async (major, minor, third, fourth) => {
    const file = join([classicHeader(LITTLE, { major, minor }), rawRecord(LITTLE, 1, 0, third, fourth, sampleFrame(30, 1))]);
    const { records: read, fault } = await readBytes(file);
    expect(fault).toBeNull();
    expect(read[0]).toMatchObject({ origLen: 90, frame: sampleFrame(30, 1) });
  });

  it("of another major version is refused by its number", async () => {
    expect((await readBytes(classicHeader(LITTLE, { major: 1 }))).fault).toContain("version 1.4 of the pcap format");
  });

  it("of Kuznetsov's tcpdump has eight bytes more before each frame", async () => {
    for (const littleEndian of [true, false]) {
      const shape = { littleEndian, nanoseconds: false };
      const frame = sampleFrame(33, 2);
      const record = rawRecord(shape, 5, 6, 33, 33, join([new Uint8Array(8).fill(0xee), frame]));
      const { records: read, fault } = await readBytes(join([classicHeader(shape, { magic: 0xa1b2cd34 }), record, record]));
      expect(fault).toBeNull();
      expect(read.map((each) => each.frame)).toEqual([frame, frame]);
    }
  });

  it("keeps the frame check sequence's flags out of the link type", async () => {
    const file = classicFile(LITTLE, [{ sec: 1, nsec: 0, frame: NOTHING }], { network: 0x24000071 });
    expect((await readBytes(file)).records[0]?.linkType).toBe(113);
  });

  it("does not allocate a block per record: the same block serves until fill()", async () => {
    const reader = await openBytes(classicFile(LITTLE, [1, 2, 3].map((sec) => ({ sec, nsec: 0, frame: NOTHING }))), 4096);
    const { block } = reader;
    let given = 0;
    while (reader.next() === NEXT_RECORD) {
      given++;
      expect(reader.block).toBe(block);
    }
    expect(given).toBe(3);
    await reader.close();
  });
});
