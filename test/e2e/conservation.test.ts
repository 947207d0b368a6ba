// Every packet ends in exactly one place, whatever it is.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import type { OutputKind, ReplayOptions } from "../../src/engine/replay-options.ts";
import { brokenSums } from "../../src/observe/conservation.ts";
import { runTool, toolIsMissing } from "../io/capture-tools.ts";
import { foreignCluster, type ForeignFile, surveyFile } from "./foreign-model.ts";
import { draws } from "./hard-traffic.ts";
import { CLUSTER, edge, FIXTURES, type Outcome, replay, Scratch, tablesOf, UNBUILT, withoutTiming } from "./replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const POINTS = ["pod", "node"] as const;
const FIXTURE_FILES = ["captures", "edge"].flatMap((folder) => readdirSync(join(FIXTURES, folder)).map((name) => join(FIXTURES, folder, name)));

const shared = join(import.meta.dirname, "../../../shared/captures");
const absent = UNBUILT !== "" ? UNBUILT : existsSync(shared) ? "" : "../shared/captures is not beside the checkout";
const skipped = absent === "" ? "" : ` (skipped: ${absent})`;
const CAPTURE = /\.(pcap|pcapng|cap)(\.gz)?$/;
const BATCH = 110;
const GZIP = Buffer.of(0x1f, 0x8b);
const EVERYTHING: ReadonlySet<OutputKind> = new Set<OutputKind>(["pod", "overlay", "external", "trace"]);
const STREAM_FILES = ["pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng"] as const;

async function replayAt(tables: DatapathTables, paths: readonly string[], point: "pod" | "node", changes: Partial<ReplayOptions> = {}): Promise<Outcome> {
  const outcome = await replay(tables, paths.map((path) => ({ path, point })), changes);
  expect(brokenSums(outcome.result), paths.join(" ")).toEqual([]);
  return outcome;
}

describe(UNBUILT === "" ? "the sums" : `the sums (skipped: ${UNBUILT})`, () => {
  it.skipIf(UNBUILT !== "").each(POINTS)("hold for every fixture by itself, captured at the %s", { timeout: 60_000 }, async (point) => {
    const tables = await tablesOf(CLUSTER);
    for (const path of FIXTURE_FILES) {
      const { result, flows } = await replayAt(tables, [path], point);
      const { forwarded, delivered, passed, dropped, ignored, received } = result;
      for (const unit of ["packets", "bytes"] as const)
        expect(forwarded[unit] + delivered[unit] + passed[unit] + dropped[unit] + ignored[unit], `${unit} of ${path}`).toBe(received[unit]);
      expect(result.flowCount, path).toBe(flows.length);
      const inFlows = flows.reduce((sum, flow) => sum + flow.forward.packets + flow.reply.packets, 0);
      expect(inFlows + ignored.packets, path).toBe(received.packets);
      expect(flows.reduce((sum, flow) => sum + flow.dropped.packets, 0), path).toBe(dropped.packets);
    }
  });

  it.skipIf(UNBUILT !== "").each([
    ["truncated.pcap", /record 4 at offset 318 /], ["oversized-record.pcap", /1,?073,?741,?824.*offset \d+|offset \d+.*1,?073,?741,?824/],
  ])("hold for %s up to its fault, which is told with its offset", async (name, message) => {
    const { result } = await replayAt(await tablesOf(CLUSTER), [edge(name)], "pod");
    expect(result.captures[0]?.fault).toMatch(message);
    expect(result.received.packets).toBeGreaterThan(0);
    expect(result.interrupted).toBe(true);
  });
});

describe.skipIf(absent !== "")(`captures of other projects${skipped}`, { timeout: 90_000 }, () => {
  let files: readonly ForeignFile[] = [];
  let tables: DatapathTables;

  beforeAll(async () => {
    const names = readdirSync(shared, { recursive: true, encoding: "utf8" }).filter((name) => CAPTURE.test(name)).sort();
    const found: ForeignFile[] = [];
    for (const name of names) found.push(await surveyFile(join(shared, name)));
    files = found;
    tables = await tablesOf(scratch.file("foreign.yaml", foreignCluster(files.flatMap(({ addresses }) => addresses))));
  }, 90_000);

  it.each(POINTS)("end in one place each, with either kernel and more workers, captured at the %s", async (point) => {
    const opened = files.filter(({ opens }) => opens).map(({ path }) => path);
    expect(opened.length).toBeGreaterThan(500);
    let hooked = 0;
    const drops = new Set<number>();
    for (let at = 0; at < opened.length; at += BATCH) {
      const batch = opened.slice(at, at + BATCH), folders = [scratch.place(), scratch.place()] as const;
      const { result } = await replayAt(tables, batch, point, { outDir: folders[0], write: EVERYTHING, tracePackets: 1e9 });
      const again = await replayAt(tables, batch, point, { outDir: folders[1], write: EVERYTHING, tracePackets: 1e9, kernel: "ts", workers: 2 });
      expect(withoutTiming(again.result)).toEqual(withoutTiming(result));
      for (const name of STREAM_FILES) expect(readFileSync(join(folders[1], name)).equals(readFileSync(join(folders[0], name))), `${name} of ${batch[0]}`).toBe(true);
      hooked += result.received.packets - result.ignored.packets;
      for (const { code } of result.drops) drops.add(code);
    }
    expect(hooked).toBeGreaterThan(20_000);
    expect([...drops]).toEqual(expect.arrayContaining([137, 175, 196]));
  });

  const capinfos = toolIsMissing("capinfos");
  it.skipIf(capinfos !== "")(`have as many packets as capinfos counts${capinfos === "" ? "" : ` (skipped: ${capinfos})`}`, async () => {
    const opened = files.filter(({ opens }) => opens).map(({ path }) => path);
    const { stdout, stderr } = runTool("capinfos", ["-T", "-r", "-m", "-M", "-c", ...opened]);
    const counted = new Map<string, number>();
    for (const [, count, name] of stderr.matchAll(/after reading (\d+) packets? from "(.*)"/g)) counted.set(name ?? "", Number(count));
    for (const line of stdout.trim().split("\n")) counted.set(line.slice(0, line.lastIndexOf(",")), Number(line.slice(line.lastIndexOf(",") + 1)));
    let compared = 0;
    for (let at = 0; at < opened.length; at += BATCH) {
      const { result } = await replayAt(tables, opened.slice(at, at + BATCH), "pod");
      for (const { name, packets } of result.captures) {
        if (!counted.has(name)) continue;
        expect(packets, name).toBe(counted.get(name));
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(0.95 * opened.length);
  });

  it("that are cut short are processed up to the cut, which is told with its offset", async () => {
    const long = files.filter(({ opens, addresses }) => opens && addresses.length > 0).filter((_, k) => k % 15 === 0);
    expect(long.length).toBeGreaterThan(10);
    for (const { path } of long) {
      const bytes = readFileSync(path), cut = scratch.file("cut.pcap", bytes.subarray(0, Math.floor(bytes.length * 0.7) - 1));
      const { result } = await replayAt(tables, [cut], "pod");
      expect(result.captures[0]?.fault ?? "", path).toMatch(bytes.subarray(0, 2).equals(GZIP) ? /cut|end|unpack/i : /offset \d+/);
      expect(result.interrupted, path).toBe(true);
    }
  });

  it("that have bytes changed at random are counted to the last packet or up to a fault with its offset", async () => {
    const draw = draws(99), chosen = files.filter(({ opens, addresses }) => opens && addresses.length > 0).filter((_, k) => k % 5 === 2);
    const changed = chosen.map(({ path }, k) => {
      const bytes = readFileSync(path);
      for (let n = 0; n < 12; n++) bytes[24 + draw(bytes.length - 24)] = draw(256);
      return scratch.file(`changed-${k}.pcap`, bytes);
    });
    for (const point of POINTS) {
      const { result } = await replayAt(tables, changed, point);
      expect(result.captures.filter(({ fault }) => fault === null).length).toBeGreaterThan(10);
      for (const { fault, name } of result.captures) if (fault !== null) expect(fault, name).toMatch(/offset \d+/);
      expect(withoutTiming((await replayAt(tables, changed, point, { kernel: "ts", workers: 3 })).result)).toEqual(withoutTiming(result));
    }
  });

  it("that are no captures are refused by name", async () => {
    for (const { path } of files.filter(({ opens }) => !opens)) await expect(replay(tables, [path]), path).rejects.toThrow(path);
  });
});
