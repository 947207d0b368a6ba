// Any number of workers and either kernel give the same bytes: random small captures of what pods and the world might
// send, sense and nonsense mixed, over long and short pauses.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import type { OutputKind, ReplayOptions } from "../../src/engine/replay-options.ts";
import { captureOfFrames, echo, ethernet } from "../e2e/packets.ts";
import { CLUSTER, DUAL_STACK, replay, Scratch, tablesOf, UNBUILT, withoutTiming } from "../e2e/replayed.ts";
import { asked, type Ends, FOURTH, mirrored, questionOf, type Question, refused, SIXTH, withTtl } from "./traffic.ts";
import { seeded, settings } from "./seed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const REASON = UNBUILT === "" ? "" : ` (skipped: ${UNBUILT})`;
const SECOND = 1_700_000_000, FILES = ["pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng"] as const;
const EVERYTHING: ReadonlySet<OutputKind> = new Set(["pod", "overlay", "external", "trace"]);
const RUNS: readonly Partial<ReplayOptions>[] = [{ workers: 1, kernel: "ts" }, { workers: 2, kernel: "wasm" }, { workers: 3, kernel: "ts" }];

/** A question, what is done to one of its frames, and how long nothing happens afterwards. */
const eventOf = (ends: Ends, node: string) => fc.record({
  question: questionOf(ends), answered: fc.boolean(), inside: fc.option(fc.constantFrom(...ends.pods, node)), damage: fc.option(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { freq: 4 }),
  cut: fc.option(fc.nat({ max: 60 }), { freq: 8 }), pause: fc.constantFrom(0, 0, 0, 0, 1, 70, 400, 9000), lowTtl: fc.boolean(),
});
type Event = ReturnType<typeof eventOf> extends fc.Arbitrary<infer T> ? T : never;

function packetsOf(each: Event, id: number): Uint8Array[] {
  const its: Question = each.question, packets = asked(its, id);
  const all = each.answered ? packets.flatMap((packet) => [packet, its.answer === "error" ? refused(packet, 62) : mirrored(packet, 62)]) : packets;
  if (each.inside !== null) all.push(echo({ from: its.pod, to: each.inside }, its.port), echo({ from: each.inside, to: its.pod }, its.port, true));
  return all.map((packet, k) => {
    const changed = Buffer.from(each.lowTtl && k === 0 ? withTtl(packet, its.ttl % 4) : packet);
    if (each.damage !== null) changed[each.damage[0] % changed.length] = each.damage[1];
    return changed;
  });
}

const FAMILIES = [["IPv4", CLUSTER, FOURTH, "192.168.60.11"], ["IPv6", DUAL_STACK, SIXTH, "fd00:c0a8:1::13"]] as const;

describe.skipIf(UNBUILT !== "").each(FAMILIES)(`output of %s, ${seeded}${REASON}`, { timeout: 120_000 }, (_, cluster, ends, node) => {
  const event = eventOf(ends, node);
  let tables: DatapathTables;
  beforeAll(async () => { tables = await tablesOf(cluster); });

  it("depends on no number of workers and on no build of the kernel", async () => {
    let dropped = 0, delivered = 0, collected = 0, passed = 0;
    await fc.assert(fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 120, size: "max" }), fc.constantFrom("pod", "node"), fc.constantFrom("pod", "outside"), async (events, point, assumeOpener) => {
        let second = SECOND;
        const records = events.flatMap((each, k) => {
          const made = packetsOf(each, k + 1).map((packet, n) => {
            const frame = ethernet(packet), capLen = each.cut === null ? frame.length : Math.max(14, frame.length - each.cut);
            return { sec: second, nsec: (k * 64 + n) * 1000, frame: frame.subarray(0, capLen), origLen: frame.length };
          });
          second += each.pause;
          return made;
        });
        const capture = { path: scratch.file("events.pcap", captureOfFrames(records)), point };
        const run = async (changes: Partial<ReplayOptions>) => {
          const outDir = scratch.place();
          const { result, flows, workers } = await replay(tables, [capture], { outDir, write: EVERYTHING, tracePackets: 1e9, assumeOpener, ...changes });
          expect(workers ?? 1).toBe(changes.workers ?? 1);
          return { result, flows, files: FILES.map((name) => readFileSync(join(outDir, name))) };
        };
        const first = await run({});
        for (const changes of RUNS) {
          const again = await run(changes), told = `${changes.workers} workers, ${changes.kernel}`;
          expect(withoutTiming(again.result), told).toEqual(withoutTiming(first.result));
          expect(again.flows, told).toEqual(first.flows);
          expect(again.files.map((file, k) => file.equals(first.files[k] ?? Buffer.alloc(0))), told).toEqual([true, true, true, true]);
        }
        dropped += first.result.dropped.packets;
        delivered += first.result.delivered.packets;
        passed += first.result.passed.packets;
        collected += first.result.garbageCollected;
      }), settings(6));
    for (const [what, count] of Object.entries({ dropped, delivered, collected, passed })) expect(count, what).toBeGreaterThan(5);
  });
});
