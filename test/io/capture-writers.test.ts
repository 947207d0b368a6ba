import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { sampleFrame } from "./capture-bytes.ts";
import { runTool, toolIsMissing } from "./capture-tools.ts";
import { readFile } from "./read-records.ts";
import { PcapWriter, putPcapRecordHeader } from "../../src/io/pcap-writer.ts";
import { PcapngWriter } from "../../src/io/pcapng-writer.ts";
import { SystemFault } from "../../src/io/system-fault.ts";

const folder = mkdtempSync(joinPath(tmpdir(), "egwsim-write-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => joinPath(folder, name);

function runOfRecords(frames: readonly Uint8Array[], sec = 1_700_000_000): Uint8Array {
  const shared = new Uint8Array(new SharedArrayBuffer(frames.reduce((length, frame) => length + 16 + frame.length, 0)));
  const view = new DataView(shared.buffer);
  let at = 0;
  frames.forEach((frame, index) => {
    putPcapRecordHeader(view, at, sec + index, index, frame.length, frame.length + 4);
    shared.set(frame, at + 16);
    at += 16 + frame.length;
  });
  return shared;
}

/** toEqual() takes seconds for frames of this size. */
function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}

function faultOf(act: () => unknown): SystemFault {
  try {
    act();
  } catch (error) {
    if (error instanceof SystemFault) return error;
    throw error;
  }
  throw new Error("no fault");
}

describe("PcapWriter", () => {
  it("writes runs of records out of shared memory that read back the same, however they are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 3000 }), { maxLength: 20 }), fc.integer({ min: 1, max: 40_000 }), async (lengths, step) => {
        const frames = lengths.map((length, seed) => sampleFrame(length, seed));
        const run = runOfRecords(frames);
        const writer = new PcapWriter(path("runs.pcap"), { overwrite: true });
        for (let at = 0; at < run.length; at += step) writer.write(run.subarray(at, at + step));
        writer.close();
        expect(writer.length).toBe(24 + run.length);
        const { records, fault } = await readFile(path("runs.pcap"));
        expect(fault).toBeNull();
        expect(records.map(({ sec, nsec, frame, origLen }) => [sec, nsec, frame, origLen])).toEqual(
          frames.map((frame, index) => [1_700_000_000 + index, index, frame, frame.length + 4]),
        );
      }),
      { numRuns: 30 },
    );
  });

  it("takes a run larger than what it gathers, and the caller may reuse the memory at once", async () => {
    const frames = Array.from({ length: 40 }, (_, seed) => sampleFrame(20_000, seed));
    const run = runOfRecords(frames);
    const writer = new PcapWriter(path("large.pcap"));
    writer.write(run);
    run.fill(0xee);
    writer.close();
    const { records } = await readFile(path("large.pcap"));
    expect(records.map(({ frame }, index) => sameBytes(frame, frames[index]))).toEqual(frames.map(() => true));
  });

  it("overwrites nothing unless told to", () => {
    writeFileSync(path("precious.pcap"), "mine");
    const fault = faultOf(() => new PcapWriter(path("precious.pcap")));
    expect([fault.code, fault.message]).toEqual(["EEXIST", expect.stringContaining("the file exists already")]);
    expect(readFileSync(path("precious.pcap"), "utf8")).toBe("mine");
    new PcapWriter(path("precious.pcap"), { overwrite: true }).close();
    expect(readFileSync(path("precious.pcap"))).toHaveLength(24);
  });

  it("names a folder that is not there", () => {
    expect(faultOf(() => new PcapWriter(path("no/such/x.pcap"))).message).toContain("creating it failed: there is no such file or folder");
  });

  it.skipIf(!existsSync("/dev/full"))("says how far it came where the device is full, and then closes quietly", () => {
    const writer = new PcapWriter("/dev/full", { overwrite: true });
    writer.write(new Uint8Array(1000));
    const fault = faultOf(() => writer.write(new Uint8Array(300_000)));
    expect(fault.code).toBe("ENOSPC");
    expect(fault.message).toMatch(/^\/dev\/full: writing it \(after 0 bytes\) failed: no space is left on the device\n/);
    expect(() => writer.close()).not.toThrow();
    const other = new PcapWriter("/dev/full", { overwrite: true });
    expect(faultOf(() => other.close()).code).toBe("ENOSPC");
  });
});

const HOPS = ["worker-1 from-container", "gateway-1 from-overlay", "outside"];

function writeTrace(name: string, count: number): void {
  const writer = new PcapngWriter(path(name), HOPS, "egwsim test", { overwrite: true });
  for (let index = 0; index < count; index++) {
    const shared = new Uint8Array(new SharedArrayBuffer(100));
    shared.set(sampleFrame(60 + (index % 5), index), 10);
    writer.writePacket(index % 3, 1_700_000_000 + index, 999_999_999 - index, shared, 10, 60 + (index % 5), 1500, commentOf(index));
  }
  writer.close();
}

function commentOf(index: number): string {
  return index % 4 === 0 ? "" : `forwarded ${"→".repeat(index % 4)} ${index}`;
}

describe("PcapngWriter", () => {
  it("writes packets with interface, nanoseconds and both lengths that read back the same", async () => {
    writeTrace("trace.pcapng", 40);
    const { records, fault } = await readFile(path("trace.pcapng"));
    expect(fault).toBeNull();
    expect(records).toEqual(
      Array.from({ length: 40 }, (_, index) => ({
        sec: 1_700_000_000 + index,
        nsec: 999_999_999 - index,
        frame: sampleFrame(60 + (index % 5), index),
        origLen: 1500,
        linkType: 1,
        interfaceId: index % 3,
        interfaceName: HOPS[index % 3],
      })),
    );
  });

  it("keeps every time from 1970 to 2514 to the nanosecond", async () => {
    const times = fc.tuple(fc.integer({ min: 0, max: 2 ** 34 }), fc.nat({ max: 999_999_999 }));
    await fc.assert(
      fc.asyncProperty(fc.array(times, { maxLength: 20 }), async (drawn) => {
        const writer = new PcapngWriter(path("times.pcapng"), ["a"], "egwsim test", { overwrite: true });
        for (const [sec, nsec] of drawn) writer.writePacket(0, sec, nsec, new Uint8Array(1), 0, 1, 1, "");
        writer.close();
        const { records } = await readFile(path("times.pcapng"));
        expect(records.map(({ sec, nsec }) => [sec, nsec])).toEqual(drawn);
      }),
      { numRuns: 30 },
    );
  });

  it("writes frames and comments of the largest sizes, the comment cut between characters", async () => {
    const writer = new PcapngWriter(path("largest.pcapng"), ["a"], "egwsim test");
    const frame = sampleFrame(262144, 1);
    writer.writePacket(0, 1, 0, frame, 0, frame.length, frame.length, `x${"→".repeat(30_000)}`);
    writer.writePacket(0, 2, 0, frame, 0, 5, 5, new TextEncoder().encode("bytes"));
    writer.close();
    const { records, fault } = await readFile(path("largest.pcapng"));
    expect(fault).toBeNull();
    expect(records).toHaveLength(2);
    expect(sameBytes(records[0]?.frame, frame)).toBe(true);
    expect(sameBytes(records[1]?.frame, frame.slice(0, 5))).toBe(true);
    const optionAt = readFileSync(path("largest.pcapng")).indexOf("x→→→");
    expect(readFileSync(path("largest.pcapng")).readUInt16LE(optionAt - 2)).toBe(1 + 3 * 21844);
  });

  it("refuses an interface that has no name", () => {
    const writer = new PcapngWriter(path("two.pcapng"), ["a", "b"], "egwsim test");
    expect(() => writer.writePacket(2, 0, 0, new Uint8Array(1), 0, 1, 1, "")).toThrow("interface 2 of 2");
    writer.close();
  });
});

const missing = toolIsMissing("tshark", "capinfos", "tcpdump");

describe(missing === "" ? "tshark, capinfos and tcpdump" : `tshark, capinfos and tcpdump (skipped: ${missing})`, () => {
  it.skipIf(missing !== "")("open both kinds without a warning and see the same packets", () => {
    writeTrace("tools.pcapng", 12);
    const writer = new PcapWriter(path("tools.pcap"));
    writer.write(runOfRecords(Array.from({ length: 12 }, (_, seed) => sampleFrame(60, seed))));
    writer.close();
    for (const name of ["tools.pcapng", "tools.pcap"]) {
      const counted = runTool("capinfos", ["-T", "-r", "-m", "-M", "-c", path(name)]);
      expect([counted.stdout.trim(), counted.stderr]).toEqual([`${path(name)},12`, ""]);
      const dumped = runTool("tcpdump", ["-n", "-t", "-r", path(name)]);
      expect(dumped.status).toBe(0);
      expect(dumped.stderr.trim().split("\n").filter((line) => !/^(reading from file|dropped privs)/.test(line))).toEqual([]);
    }
    const fields = ["frame.time_epoch", "frame.cap_len", "frame.len", "frame.interface_name", "frame.comment"];
    const shown = runTool("tshark", ["-r", path("tools.pcapng"), "-T", "fields", ...fields.flatMap((field) => ["-e", field])]);
    const expected = Array.from({ length: 12 }, (_, index) =>
      [`${1_700_000_000 + index}.${999_999_999 - index}`, 60 + (index % 5), 1500, HOPS[index % 3], commentOf(index)].join("\t"),
    );
    expect(shown.stdout.trimEnd().split("\n")).toEqual(expected);
    expect(shown.stderr.trim().split("\n").filter((line) => line !== "" && !line.startsWith("Running as user"))).toEqual([]);
  });
});
