import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { classicFile, join, PcapngBlocks, sampleFrame } from "./capture-bytes.ts";
import { drain, openBytes, readBytes } from "./read-records.ts";

const LITTLE = { littleEndian: true, nanoseconds: false };
const RECORD_LENGTH = 16 + 200;

function records(count: number) {
  return Array.from({ length: count }, (_, index) => ({ sec: index, nsec: 0, frame: noise(200, index) }));
}

/** Bytes that gzip cannot shorten much, so that cuts fall all over the data. */
function noise(length: number, seed: number): Uint8Array {
  let state = (seed + 1) * 2654435761;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

describe("a gzip-compressed capture", () => {
  it("gives the same records as the plain one, and says that it is compressed", async () => {
    const plain = classicFile(LITTLE, records(500));
    const reader = await openBytes(gzipSync(plain), 4096, 1000);
    expect([reader.format, reader.compressed]).toEqual(["pcap", true]);
    expect(await drain(reader)).toEqual(await readBytes(plain));
    await reader.close();
  });

  it("may be pcapng, and several gzip members one after the other", async () => {
    const blocks = new PcapngBlocks(false);
    const parts = [blocks.section(), blocks.interface(), blocks.enhanced(0, 1n, sampleFrame(50, 1)), blocks.enhanced(0, 2n, sampleFrame(51, 2))];
    const { records: read, fault } = await readBytes(join(parts.map((part) => gzipSync(part))), 64, 17);
    expect(fault).toBeNull();
    expect(read.map(({ frame }) => frame)).toEqual([sampleFrame(50, 1), sampleFrame(51, 2)]);
  });

  it("cut anywhere gives records in order and then says that the gzip data end, and after how many bytes", async () => {
    const sample = records(40);
    const packed = gzipSync(classicFile(LITTLE, sample));
    let longest = 0;
    for (let cut = 30; cut < packed.length; cut += 97) {
      const { records: read, fault } = await readBytes(packed.slice(0, cut), 512);
      expect(read.map(({ frame }) => frame)).toEqual(sample.slice(0, read.length).map(({ frame }) => frame));
      expect(fault).toMatch(/^standard input: the gzip data end in the middle, after \d+ uncompressed bytes/);
      expect(Number(/after (\d+)/.exec(fault ?? "")?.[1])).toBeGreaterThanOrEqual(24 * Number(read.length > 0) + read.length * RECORD_LENGTH);
      longest = Math.max(longest, read.length);
    }
    expect(longest).toBeGreaterThan(35);
  });

  it("with corrupt data gives all but the last 64 KiB before the damage and says what zlib found", async () => {
    const sample = records(2000);
    const packed = gzipSync(classicFile(LITTLE, sample));
    packed.fill(0xff, packed.length - 2000, packed.length - 1000);
    const { records: read, fault } = await readBytes(packed, 4096);
    expect(fault).toMatch(/^standard input: the gzip data are corrupt after \d+ uncompressed bytes \(.+\)/);
    expect(read.length * RECORD_LENGTH).toBeGreaterThan(2000 * RECORD_LENGTH - 65536 - 8192);
    expect(read.map(({ frame }) => frame)).toEqual(sample.slice(0, read.length).map(({ frame }) => frame));
  });

  it("of nothing is a clear fault", async () => {
    expect((await readBytes(gzipSync(new Uint8Array(0)))).fault).toContain("standard input: is empty once unpacked");
    expect((await readBytes(gzipSync("hello, world"))).fault).toContain('the bytes 68656c6c ("hell") at offset 0');
  });

  it("that expands a thousandfold is read in little memory", async () => {
    const frame = new Uint8Array(200_000);
    const packed = gzipSync(classicFile(LITTLE, Array.from({ length: 500 }, (_, sec) => ({ sec, nsec: 0, frame }))));
    const reader = await openBytes(packed, 65536);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let count = 0;
    for (;;) {
      const status = reader.next();
      if (status < 0) break;
      if (status === 0) await reader.fill();
      else count++;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    await reader.close();
    expect(count).toBe(500);
    expect(most).toBeLessThan(64 << 20);
  });
});
