// A reader that goes on in blocks of its caller's: the records are the same, and a block that was left stays as it was.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { NEXT_END, NEXT_FILL } from "../../src/io/capture-record.ts";
import { openCapture } from "../../src/io/open-capture.ts";
import { PcapReader } from "../../src/io/pcap-reader.ts";
import { captureOfFrames, filler } from "../e2e/packets.ts";
import { copyRecord, openBytes, readFile, type ReadRecord } from "./read-records.ts";

const folder = mkdtempSync(join(tmpdir(), "egwsim-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const BLOCK = 300_000;
const frames = Array.from({ length: 4000 }, (_, k) => ({ sec: 1_700_000_000 + k, nsec: k, frame: filler(k % 97 === 0 ? 200_000 - k : 60 + (k * 37) % 1400) }));
const path = join(folder, "frames.pcap");
writeFileSync(path, captureOfFrames(frames));

const isSame = (a: Uint8Array, b: Uint8Array = new Uint8Array(0)): boolean => Buffer.compare(a, b) === 0;

/** Records of the capture, each with a view of where it was read. */
async function readInSupplied(fillAtOnce: boolean): Promise<{ record: ReadRecord; view: Uint8Array }[]> {
  const reader = await openCapture(path), read: { record: ReadRecord; view: Uint8Array }[] = [];
  if (!(reader instanceof PcapReader)) throw new Error("a classic capture");
  reader.readInto((least) => new Uint8Array(new SharedArrayBuffer(Math.max(least, BLOCK))));
  for (;;) {
    const status = reader.next();
    if (status === NEXT_END) break;
    if (status === NEXT_FILL) {
      if (fillAtOnce) expect(reader.fillNow()).toBe(true);
      else await reader.fill();
    } else read.push({ record: copyRecord(reader), view: reader.block.subarray(reader.offset, reader.offset + reader.capLen) });
  }
  await reader.close();
  return read;
}

it.each([["at once", true], ["by promises", false]] as const)("a capture is read whole into blocks of the caller's, %s", async (_, atOnce) => {
  const { records } = await readFile(path), read = await readInSupplied(atOnce);
  expect(read.length).toBe(frames.length);
  const plain = ({ frame, ...fields }: ReadRecord): unknown => ({ ...fields, bytes: frame.length });
  expect(read.map(({ record }) => plain(record))).toEqual(records.map(plain));
  expect(new Set(read.map(({ view }) => view.buffer)).size).toBeGreaterThan(20);
  // As it was read, and as it stands in its block when the reader is through with the capture.
  const differ = read.filter(({ record, view }, k) => !isSame(record.frame, records[k]?.frame) || !isSame(view, record.frame));
  expect(differ.length).toBe(0);
});

it("what must be waited for is not read at once", async () => {
  const reader = await openBytes(captureOfFrames(frames.slice(1, 90)), 64, 1000);
  while (reader.next() !== NEXT_FILL);
  expect(reader.fillNow()).toBe(false);
  await reader.fill();
  expect(reader.next()).not.toBe(NEXT_END);
  await reader.close();
});
