import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runTool, toolIsMissing } from "./capture-tools.ts";
import { readFile } from "./read-records.ts";

// Captures that others made, many of them to crash parsers; they are not part of this repository.
const captures = join(import.meta.dirname, "../../../shared/captures");
const reason = !existsSync(captures) ? "../shared/captures is not beside the checkout" : toolIsMissing("capinfos", "tshark");
const CAPTURE = /\.(pcap|pcapng|cap)(\.gz)?$/;
const files = existsSync(captures)
  ? readdirSync(captures, { recursive: true, encoding: "utf8" }).filter((name) => CAPTURE.test(name)).sort()
  : [];

interface Counted {
  readonly packets: Map<string, number>;
  readonly complaints: string;
}

/** What capinfos counts; of a damaged file, what it could read. */
function countByCapinfos(names: readonly string[]): Counted {
  const { stdout, stderr } = runTool("capinfos", ["-T", "-r", "-m", "-M", "-c", ...names], captures);
  const packets = new Map<string, number>();
  for (const [, count, name] of stderr.matchAll(/after reading (\d+) packets? from "(.*)"/g)) packets.set(name ?? "", Number(count));
  for (const line of stdout.trim().split("\n")) packets.set(line.slice(0, line.lastIndexOf(",")), Number(line.slice(line.lastIndexOf(",") + 1)));
  return { packets, complaints: stderr };
}

describe(reason === "" ? "captures of other projects" : `captures of other projects (skipped: ${reason})`, () => {
  it.skipIf(reason !== "")("open and give as many records as capinfos counts, or end in a fault with an offset", { timeout: 60_000 }, async () => {
    const { packets, complaints } = countByCapinfos(files);
    expect(packets.size).toBeGreaterThan(600);
    for (const name of files) {
      const { records, fault } = await readFile(join(captures, name), 65536);
      const counted = packets.get(name);
      if (counted !== undefined) expect(records.length, `${name}: ${fault ?? "no fault"}`).toBe(counted);
      // capinfos knows more or fewer link types than there are files here; what it cannot open at all is no capture.
      else expect(complaints, name).toContain(`The file "${name}"`);
      if (fault !== null) {
        expect(fault).toMatch(/offset \d+/);
        expect(complaints, fault).toContain(`"${name}"`);
      }
    }
  });

  it.skipIf(reason !== "")("show the same times and lengths as tshark", { timeout: 60_000 }, async () => {
    const chosen = ["pcapng", "pcap"].flatMap((extension) => files.filter((name) => name.endsWith(`.${extension}`)).slice(0, 8));
    let compared = 0;
    for (const name of chosen) {
      const fields = ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len"];
      const shown = runTool("tshark", ["-n", "-r", join(captures, name), ...fields]);
      if (shown.status !== 0) continue;
      const { records } = await readFile(join(captures, name));
      const ours = records.map(({ sec, nsec, frame, origLen }) => `${sec}.${String(nsec).padStart(9, "0")}\t${frame.length}\t${origLen}`);
      expect(ours, name).toEqual(shown.stdout.trim().split("\n"));
      compared++;
    }
    expect(compared).toBeGreaterThan(10);
  });
});
