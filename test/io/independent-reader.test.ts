import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "pcap-parser";
import { afterAll, describe, expect, it } from "vitest";
import { classicFile, sampleFrame } from "./capture-bytes.ts";
import { readFile } from "./read-records.ts";

// pcap-parser reads classic microsecond captures of version 2.4 alone, and takes a truncated file for a whole one.

interface Seen {
  readonly sec: number;
  readonly nsec: number;
  readonly origLen: number;
  readonly frame: Uint8Array;
}

function readByPcapParser(path: string): Promise<Seen[]> {
  return new Promise((resolve, reject) => {
    const seen: Seen[] = [];
    parse(path)
      .on("packet", ({ header, data }) =>
        seen.push({
          sec: header.timestampSeconds,
          nsec: header.timestampMicroseconds * 1000,
          origLen: header.originalLength,
          frame: Uint8Array.from(data),
        }),
      )
      .on("end", () => resolve(seen))
      .on("error", reject);
  });
}

async function readByUs(path: string): Promise<Seen[]> {
  const { records, fault } = await readFile(path, 4096);
  expect(fault).toBeNull();
  return records.map(({ sec, nsec, origLen, frame }) => ({ sec, nsec, origLen, frame }));
}

function isClassicMicrosecond(path: string): boolean {
  const head = readFileSync(path).subarray(0, 8);
  const order = head.readUInt32BE(0);
  return (order === 0xa1b2c3d4 && head.readUInt16BE(6) === 4) || (order === 0xd4c3b2a1 && head.readUInt16LE(6) === 4);
}

const folder = mkdtempSync(join(tmpdir(), "egwsim-independent-"));
afterAll(() => rmSync(folder, { recursive: true }));
const fixtures = join(import.meta.dirname, "../../fixtures/captures");
const bundled = existsSync(fixtures)
  ? readdirSync(fixtures).filter((name) => name.endsWith(".pcap") && isClassicMicrosecond(join(fixtures, name)))
  : [];

describe("the package pcap-parser, an independent reader,", () => {
  it.each([true, false])("sees the same packets in a microsecond capture (little-endian: %s)", async (littleEndian) => {
    const records = Array.from({ length: 300 }, (_, index) => ({
      sec: 1_700_000_000 + index,
      nsec: index * 1000,
      frame: sampleFrame((index * 53) % 1600, index),
      origLen: 1600,
    }));
    const path = join(folder, `sample-${littleEndian}.pcap`);
    writeFileSync(path, classicFile({ littleEndian, nanoseconds: false }, records));
    const seen = await readByPcapParser(path);
    expect(seen).toHaveLength(300);
    expect(await readByUs(path)).toEqual(seen);
  });

  it.skipIf(bundled.length === 0)(`sees the same packets in the ${bundled.length} bundled microsecond captures`, async () => {
    for (const name of bundled) expect(await readByUs(join(fixtures, name)), name).toEqual(await readByPcapParser(join(fixtures, name)));
  });
});
