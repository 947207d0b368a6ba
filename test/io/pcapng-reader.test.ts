import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { join, PcapngBlocks, sampleFrame } from "./capture-bytes.ts";
import { type ReadOutcome, readBytes } from "./read-records.ts";

const IF_NAME = 2;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;
const LITTLE = new PcapngBlocks(true);
const BIG = new PcapngBlocks(false);
const text = new TextEncoder();

function times({ records }: ReadOutcome): (readonly [number, number])[] {
  return records.map(({ sec, nsec }) => [sec, nsec] as const);
}

describe("a pcapng capture", () => {
  it("gives the packets of Enhanced Packet Blocks of either byte order, whatever the sizes of block and pieces", async () => {
    const packet = fc.record({ time: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), frame: fc.uint8Array({ maxLength: 120 }), more: fc.nat(99) });
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(packet, { maxLength: 8 }), fc.integer({ min: 64, max: 300 }), fc.integer({ min: 1, max: 99 }), async (little, packets, blockSize, piece) => {
        const blocks = new PcapngBlocks(little);
        const body = packets.map(({ time, frame, more }) => blocks.enhanced(0, time, frame, frame.length + more));
        const file = join([blocks.section(), blocks.interface([[IF_TSRESOL, Uint8Array.of(9)]]), ...body]);
        const { records, fault } = await readBytes(file, blockSize, piece);
        expect(fault).toBeNull();
        expect(records.map(({ sec, nsec, frame, origLen }) => [sec, nsec, frame, origLen])).toEqual(
          packets.map(({ time, frame, more }) => [Number(time / 1_000_000_000n), Number(time % 1_000_000_000n), frame, frame.length + more]),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("cut anywhere gives exactly the whole packets before the cut, and a fault unless the cut is between two blocks", async () => {
    for (const blocks of [LITTLE, BIG]) {
      const parts = [
        blocks.section([[4, text.encode("maker")]]),
        blocks.interface([[IF_NAME, text.encode("eth0")]]),
        blocks.enhanced(0, 7n, sampleFrame(41, 1), 50, [[1, text.encode("a comment")]]),
        blocks.block(0x0bad, sampleFrame(200, 9)),
        blocks.simple(30, sampleFrame(30, 2)),
        blocks.section(),
        blocks.interface(),
        blocks.obsolete(0, 8n, sampleFrame(22, 3)),
      ];
      const packetParts = [2, 4, 7];
      const frames = [sampleFrame(41, 1), sampleFrame(30, 2), sampleFrame(22, 3)];
      const file = join(parts);
      const ends = parts.map((_, index) => join(parts.slice(0, index + 1)).length);
      for (let cut = 1; cut <= file.length; cut++) {
        const { records, fault } = await readBytes(file.slice(0, cut));
        const whole = packetParts.filter((part) => (ends[part] ?? 0) <= cut).length;
        expect(records.map(({ frame }) => frame)).toEqual(frames.slice(0, whole));
        if (ends.includes(cut)) expect(fault).toBeNull();
        else expect(fault).toMatch(/^standard input: .*\d/);
      }
    }
  });

  it("names the block and its whole length where a block that is only skipped is cut short", async () => {
    const start = join([LITTLE.section(), LITTLE.block(0x77, sampleFrame(1000, 1))]);
    expect((await readBytes(start.slice(0, 500))).fault).toContain(
      "block at offset 28 (before the first record) is cut short: it takes 1012 bytes, the file ends after 472",
    );
  });

  it("gives each section its own interfaces and byte order", async () => {
    const file = join([
      LITTLE.section(),
      LITTLE.interface([[IF_NAME, text.encode("lan")]], 1),
      LITTLE.interface([[IF_NAME, text.encode("any")]], 113),
      LITTLE.enhanced(1, 1n, sampleFrame(20, 1)),
      BIG.section(),
      BIG.interface([[IF_NAME, text.encode("tun")]], 101),
      BIG.enhanced(0, 2n, sampleFrame(21, 2)),
      BIG.enhanced(1, 3n, sampleFrame(22, 3)),
    ]);
    const { records, fault } = await readBytes(file);
    expect(records.map(({ interfaceName, linkType }) => [interfaceName, linkType])).toEqual([["any", 113], ["tun", 101]]);
    expect(fault).toContain("is of interface 1; its section describes 1 so far");
  });

  it("counts time in the interface's own units, from its own offset", async () => {
    const resolution = (value: number) => LITTLE.interface([[IF_TSRESOL, Uint8Array.of(value)]]);
    const file = join([
      LITTLE.section(),
      LITTLE.interface(),
      resolution(3),
      resolution(9),
      resolution(0x8a),
      resolution(12),
      LITTLE.interface([[IF_TSOFFSET, LITTLE.i64(-5n)]]),
      LITTLE.enhanced(0, 1_700_000_000_123_456n, sampleFrame(1, 1)),
      LITTLE.enhanced(1, 1_700_000_000_123n, sampleFrame(1, 1)),
      LITTLE.enhanced(2, 1_700_000_000_123_456_789n, sampleFrame(1, 1)),
      LITTLE.enhanced(3, 100n * 1024n + 513n, sampleFrame(1, 1)),
      LITTLE.enhanced(4, 1_700_000_123_456_789_012n, sampleFrame(1, 1)),
      LITTLE.enhanced(5, 7_000_001n, sampleFrame(1, 1)),
    ]);
    expect(times(await readBytes(file))).toEqual([
      [1_700_000_000, 123_456_000],
      [1_700_000_000, 123_000_000],
      [1_700_000_000, 123_456_789],
      [100, 500_976_562],
      [1_700_000, 123_456_789],
      [2, 1000],
    ]);
  });

  it("cuts a Simple Packet Block at the snapshot length, and gives it the time of the packet before", async () => {
    const file = join([LITTLE.section(), LITTLE.interface([], 1, 20), LITTLE.enhanced(0, 1_000_002n, sampleFrame(9, 1)), LITTLE.simple(54, sampleFrame(20, 2))]);
    const { records, fault } = await readBytes(file);
    expect(fault).toBeNull();
    expect(records[1]).toMatchObject({ sec: 1, nsec: 2000, frame: sampleFrame(20, 2), origLen: 54 });
  });

  it("skips blocks that it does not know, far larger than what it holds", async () => {
    const file = join([LITTLE.section(), LITTLE.interface(), LITTLE.block(0x0bad, new Uint8Array(5 << 20)), LITTLE.enhanced(0, 1n, sampleFrame(9, 1))]);
    const { records, fault } = await readBytes(file, 4096, 1 << 20);
    expect(fault).toBeNull();
    expect(records.map(({ frame }) => frame)).toEqual([sampleFrame(9, 1)]);
  });

  it("replaces control characters in an interface's name", async () => {
    const file = join([LITTLE.section(), LITTLE.interface([[IF_NAME, text.encode("e\u001b[31mth")]]), LITTLE.enhanced(0, 1n, sampleFrame(1, 1))]);
    expect((await readBytes(file)).records[0]?.interfaceName).toBe("e\u{fffd}[31mth");
  });

  const start = join([LITTLE.section(), LITTLE.interface()]);
  const packet = LITTLE.enhanced(0, 1n, sampleFrame(8, 1));
  const head = (capLen: number, id = 0) => join([LITTLE.u32(id), new Uint8Array(8), LITTLE.u32(capLen), LITTLE.u32(capLen)]);
  it.each([
    ["a block shorter than its framing", LITTLE.block(0x0bad, new Uint8Array(0), 8), "claims 8 bytes; its kind has at least 12"],
    ["a length that is no multiple of 4", LITTLE.block(6, join([head(1), Uint8Array.of(1)])), "claims 33 bytes, which is no multiple of 4"],
    ["a packet block that is too short for its fields", LITTLE.block(6, new Uint8Array(16)), "claims 28 bytes; its kind has at least 32"],
    ["two lengths that differ", LITTLE.block(6, join([head(4), new Uint8Array(4)]), 36, 40), "gives its length as 36 bytes at its beginning and as 40 at its end"],
    ["two lengths of a skipped block that differ", LITTLE.block(0x0bad, new Uint8Array(4), 16, 20), "gives its length as 16 bytes at its beginning and as 20 at its end"],
    ["a frame longer than its block", LITTLE.block(6, join([head(500), new Uint8Array(8)])), "claims a frame of 500 bytes; the block has 40 in all"],
    ["a frame of more than 262144 bytes", LITTLE.block(6, head(0x40001)), "claims a frame of 262145 bytes; no frame has more than 262144"],
    ["a packet block of 4 GiB", LITTLE.block(6, new Uint8Array(80), 0xfffffffc), "claims 4294967292 bytes; blocks of this kind are read up to"],
    ["an interface that was not described", LITTLE.enhanced(7, 0n, sampleFrame(4, 1)), "is of interface 7; its section describes 1 so far"],
    ["an option that leaves its block", LITTLE.block(1, join([LITTLE.u32(1), LITTLE.u32(0), LITTLE.u16(2), LITTLE.u16(99)])), "has an option 2 of 99 bytes, 0 are left in the block"],
    ["an option that reaches into its block's second length", LITTLE.block(1, join([LITTLE.u32(1), LITTLE.u32(0), LITTLE.u16(2), LITTLE.u16(1)])), "has an option 2 of 1 bytes, 0 are left in the block"],
    ["a time resolution of two bytes", LITTLE.interface([[IF_TSRESOL, Uint8Array.of(6, 6)]]), "has an if_tsresol option of 2 bytes, expected 1"],
    ["a time resolution of 10^-20", LITTLE.interface([[IF_TSRESOL, Uint8Array.of(20)]]), "has a time resolution of 10^-20 s, too fine to read"],
    ["a section without byte order", LITTLE.block(0x0a0d0d0a, new Uint8Array(16)), "begins a section, but has no byte-order magic"],
    ["a section of version 2.0", LITTLE.section([], [2, 0]), "begins a section of version 2.0; only 1.0 is known"],
  ])("with %s is a fault at that offset, after the packets before it", async (_, block, message) => {
    const { records, fault } = await readBytes(join([start, packet, block, packet]));
    expect(records).toHaveLength(1);
    expect(fault).toContain(`standard input: block at offset ${start.length + packet.length} (after record 1) ${message}`);
  });

  it("survives any damage: it gives frames of at most 262144 bytes and ends, or faults", async () => {
    const blocks = [LITTLE.section(), LITTLE.interface([[IF_NAME, text.encode("x")]]), packet, LITTLE.simple(8, sampleFrame(8, 2)), LITTLE.obsolete(0, 1n, sampleFrame(8, 3))];
    const file = join(blocks);
    const damage = fc.array(fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const damaged = file.slice();
        for (const [at, value] of changes) damaged[at] = value;
        const { records } = await readBytes(damaged);
        expect(records.length).toBeLessThanOrEqual(3);
      }),
      { numRuns: 300, seed: 20261123 },
    );
  });
});
