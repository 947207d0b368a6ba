import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { classicFile, sampleFrame } from "./capture-bytes.ts";
import { faultOf, readBytes, readFile } from "./read-records.ts";
import { NEXT_FILL, NEXT_RECORD } from "../../src/io/capture-record.ts";
import { openCapture } from "../../src/io/open-capture.ts";

const LITTLE = { littleEndian: true, nanoseconds: false };
const folder = mkdtempSync(joinPath(tmpdir(), "egwsim-open-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, bytes: Uint8Array | string): string {
  const path = joinPath(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe("openCapture", () => {
  it("reads a file by its path", async () => {
    const path = fileOf("three.bin", classicFile(LITTLE, [1, 2, 3].map((sec) => ({ sec, nsec: 0, frame: sampleFrame(60, sec) }))));
    const { records, fault } = await readFile(path);
    expect(fault).toBeNull();
    expect(records.map(({ sec, frame }) => [sec, frame])).toEqual([1, 2, 3].map((sec) => [sec, sampleFrame(60, sec)]));
  });

  it("ends cleanly on a capture without records", async () => {
    expect(await readBytes(classicFile(LITTLE, []))).toEqual({ records: [], fault: null });
  });

  it.each([
    ["an empty file", "", ": is empty\n"],
    ["text", "kind: Pod\n", ': is no pcap or pcapng capture: the bytes 6b696e64 ("kind") at offset 0'],
    ["three bytes", "\xd4\xc3\xb2", ": is no pcap or pcapng capture"],
    ["zstd data", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0), ": is compressed with zstd\n    unpack it: zstd -dc FILE"],
    ["half a file header", classicFile(LITTLE, []).slice(0, 20), ": its header is cut short: 24 bytes expected, the file has 20"],
  ])("refuses %s with what it found", async (name, bytes, message) => {
    const path = fileOf(`${name}.pcap`, bytes);
    expect((await readFile(path)).fault).toContain(`${path}${message}`);
  });

  it("names a path that is not there, and one that is a folder", async () => {
    expect((await readFile(joinPath(folder, "none.pcap"))).fault).toContain("none.pcap: opening it failed: there is no such file or folder\n");
    expect((await readFile(folder)).fault).toContain(`${folder}: reading it failed: it is a folder`);
  });

  it("gives a record of a pipe as soon as it has arrived", async () => {
    const pipe = new PassThrough();
    const file = classicFile(LITTLE, [{ sec: 9, nsec: 0, frame: sampleFrame(40, 1) }]);
    pipe.write(file.slice(0, 24));
    const reader = await openCapture("-", { standardInput: pipe });
    expect(reader.next()).toBe(NEXT_FILL);
    pipe.write(file.slice(24));
    await reader.fill();
    expect(reader.next()).toBe(NEXT_RECORD);
    expect([reader.name, reader.timeSec, reader.capLen]).toEqual(["standard input", 9, 40]);
    await reader.close();
    expect(pipe.destroyed).toBe(true);
  });

  it("turns a failing pipe into a fault after the records that came through it", async () => {
    const pipe = new PassThrough();
    const file = classicFile(LITTLE, [{ sec: 9, nsec: 0, frame: sampleFrame(40, 1) }]);
    pipe.write(file);
    const reader = await openCapture("-", { standardInput: pipe });
    pipe.destroy(Object.assign(new Error("read EIO"), { code: "EIO" }));
    let given = 0;
    const error: unknown = await (async () => {
      for (;;) {
        const status = reader.next();
        if (status === NEXT_RECORD) given++;
        else await reader.fill();
      }
    })().catch((reason: unknown) => reason);
    expect(given).toBe(1);
    expect(faultOf(error)).toContain("standard input: reading it failed: the device reports an input/output error");
  });

  it("does not wait for a capture to be typed at a terminal", async () => {
    const terminal = Object.assign(new PassThrough(), { isTTY: true });
    await expect(openCapture("-", { standardInput: terminal })).rejects.toThrow("standard input: is a terminal, not a capture");
  });
});
