// Records that are taken in by the run lead to what each of them leads to when it is taken in by itself.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { OutputKind } from "../../src/engine/replay-options.ts";
import { runGenerate } from "../../src/generate/generate.ts";
import { captureOfFrames, ethernet, filler, udp } from "../e2e/packets.ts";
import { errorsAndFragments } from "../e2e/hard-traffic.ts";
import { CLUSTER, replay, Scratch, tablesOf, UNBUILT, withoutTiming } from "../e2e/replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const FILES = ["pod.pcap", "overlay.pcap", "external.pcap"] as const;
const WRITTEN: ReadonlySet<OutputKind> = new Set(["pod", "overlay", "external"]);

/** The same classic capture in the other byte order, which goes record by record. */
function bigEndian(capture: Buffer): Buffer {
  const out = Buffer.from(capture);
  out.writeUInt32BE(capture.readUInt32LE(0), 0);
  for (const at of [4, 6]) out.writeUInt16BE(capture.readUInt16LE(at), at);
  for (const at of [8, 12, 16, 20]) out.writeUInt32BE(capture.readUInt32LE(at), at);
  for (let at = 24; at < capture.length; at += 16 + capture.readUInt32LE(at + 8)) for (let k = 0; k < 16; k += 4) out.writeUInt32BE(capture.readUInt32LE(at + k), at + k);
  return out;
}

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "a run of records" : `a run of records (skipped: ${UNBUILT})`, { timeout: 60_000 }, () => {
  async function expectSame(capture: string, cluster: string): Promise<number> {
    const tables = await tablesOf(cluster), other = scratch.file("other.pcap", bigEndian(readFileSync(capture)));
    const outcome = async (path: string, kernel: "ts" | "wasm", workers: number) => {
      const outDir = scratch.place(), { result, flows } = await replay(tables, [path], { outDir, write: WRITTEN, kernel, workers });
      const { captures, ...rest } = withoutTiming(result);
      return { captures: captures.map(({ name: _name, ...each }) => each), rest, flows, files: FILES.map((name) => readFileSync(join(outDir, name))) };
    };
    const single = await outcome(other, "wasm", 1);
    for (const [kernel, workers] of [["wasm", 1], ["wasm", 3], ["ts", 2]] as const) {
      const { files, ...run } = await outcome(capture, kernel, workers);
      expect(run).toEqual({ captures: single.captures, rest: single.rest, flows: single.flows });
      expect(files.map((file, k) => file.equals(single.files[k] ?? Buffer.alloc(0)))).toEqual([true, true, true]);
    }
    return single.rest.received.packets;
  }

  it("gives the same for large and small frames of all protocols", async () => {
    const { capture, cluster } = await runGenerate({ out: scratch.place(), packets: 9000, flows: 300, pods: 20, nodes: 5, gateways: 2, policies: 2, prefixes: 6, remotes: 12, frameSize: "imix", seed: 2 });
    expect(await expectSame(capture, cluster)).toBe(9000);
  });

  it("gives the same where pauses, fragments, errors and frames of nobody interrupt it", async () => {
    expect(await expectSame(scratch.file("hard.pcap", errorsAndFragments(900)), CLUSTER)).toBeGreaterThan(900);
  });

  it("gives the same where frames of nobody fill all blocks between the packets of one chunk", async () => {
    const pod = { from: "10.244.1.10", to: "203.0.113.9" }, lldp = ethernet(filler(1486), 0x88cc);
    const frames = Array.from({ length: 6000 }, (_, k) => ({ sec: 1_700_000_000, nsec: k * 1000, frame: k % 40 === 0 ? ethernet(udp(pod, 4000 + (k % 7), 53, 60)) : lldp }));
    expect(await expectSame(scratch.file("sparse.pcap", captureOfFrames(frames)), CLUSTER)).toBe(6000);
  });
});
