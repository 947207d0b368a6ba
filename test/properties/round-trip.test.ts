// Pod → world → pod is the identity on the packet but for TTL, header checksum, MACs and the recorded defect: what the
// gateway lets out is answered by a mirror of our own, from outside, and what reaches the pod is held against what it sent.
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathConfig, DatapathTables } from "../../src/control/tables.ts";
import { captureOfFrames, ethernet, internetChecksum, UDP } from "../e2e/packets.ts";
import { CLUSTER, DUAL_STACK, type Outcome, replay, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";
import { readFile } from "../io/read-records.ts";
import {
  asked, type Ends, FOURTH, headerOf, isFirst, isIcmp, isPod, isSixth, mirrored, protocolOf, questionOf, type Question, quoteOf, refused, SIXTH, sourceOf, ttlOf, tupleOf, withTtl,
} from "./traffic.ts";
import { seeded, settings } from "./seed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const REASON = UNBUILT === "" ? "" : ` (skipped: ${UNBUILT})`;
const ETH = 14, SECOND = 1_700_000_000, STEP = 1_000_000, WORLD_TTL = 64;

/** Ways to build a cluster that a packet's bytes must not depend on. */
const configuration = fc.constantFrom<Partial<DatapathConfig>[]>({}, { hostRouting: "legacy" }, { routingMode: "native" }, { tunnelProtocol: "geneve", tunnelPort: 6081 }, { sctp: true, conntrackAccounting: true });

interface Timed {
  readonly nsec: number;
  readonly packet: Buffer;
}

interface Asked extends Timed {
  readonly question: Question;
}

async function streamOf(folder: string, name: string): Promise<Timed[]> {
  return (await readFile(join(folder, name))).records.map(({ nsec, frame }) => ({ nsec, packet: Buffer.from(frame).subarray(ETH) }));
}

interface Run extends Outcome {
  readonly pod: readonly Timed[];
  readonly external: readonly Timed[];
}

async function run(tables: DatapathTables, pod: readonly Timed[], node: readonly Timed[]): Promise<Run> {
  const folder = scratch.place();
  const captures = ([["pod", pod], ["node", node]] as const).filter(([, packets]) => packets.length > 0).map(([point, packets]) => ({
    point, path: scratch.file(`${point}.pcap`, captureOfFrames(packets.map(({ nsec, packet }) => ({ sec: SECOND, nsec, frame: ethernet(packet) })))),
  }));
  const outcome = await replay(tables, captures, { outDir: folder, write: new Set(["pod", "external"]) });
  return { ...outcome, pod: await streamOf(folder, "pod.pcap"), external: await streamOf(folder, "external.pcap") };
}

/** Questions with their times; answers get the odd milliseconds. */
function timed(questions: readonly Question[]): Asked[] {
  return questions.flatMap((each, k) => asked(each, k + 1).map((packet) => ({ question: each, packet: Buffer.from(packet) }))).map((each, k) => ({ ...each, nsec: 2 * k * STEP }));
}

/** The same packet but for TTL and header checksum, the latter right. */
function expectSame(found: Buffer, expected: Buffer, told: string): void {
  if (!isSixth(found)) expect(internetChecksum(found.subarray(0, headerOf(found))), `header checksum of ${told}`).toBe(0);
  expect(withTtl(found, 0).toString("hex"), told).toBe(withTtl(expected, 0).toString("hex"));
}

const FAMILIES: readonly (readonly [string, string, Ends])[] = [["IPv4", CLUSTER, FOURTH], ["IPv6", DUAL_STACK, SIXTH]];

/** Gives `found` the checksum of the other's ICMP header; was it another one? */
function takeChecksum(found: Buffer, from: Buffer): boolean {
  const at = headerOf(from) + 2, isOther = !found.subarray(at, at + 2).equals(from.subarray(at, at + 2));
  found.set(from.subarray(at, at + 2), at);
  return isOther;
}

/** An error whose checksum 1.19 leaves wrong: about an echo, in IPv6 about UDP without checksum. */
function isKnownDefect(packet: Buffer): boolean {
  const quoted = quoteOf(packet);
  if (quoted === null) return false;
  return isSixth(packet) ? protocolOf(quoted) === UDP && quoted.readUInt16BE(headerOf(quoted) + 6) === 0 : isIcmp(quoted);
}

describe.skipIf(UNBUILT !== "").each(FAMILIES)(`pod to world and back by %s, ${seeded}${REASON}`, { timeout: 120_000 }, (family, cluster, ends) => {
  const question = questionOf(ends), isFourth = family === "IPv4";
  let tables: DatapathTables;
  beforeAll(async () => { tables = await tablesOf(cluster); });

  it("brings the world's mirror image of every packet to the pod that sent it", async () => {
    let mirrors = 0, errors = 0, defects = 0, moved = 0;
    await fc.assert(fc.asyncProperty(fc.array(question, { minLength: 1, maxLength: 80, size: "max" }), configuration, async (questions, config) => {
      const configured = { ...tables, config: { ...tables.config, ...config } }, sent = timed(questions), first = await run(configured, sent, []);
      const left = new Map(first.external.map((each) => [each.nsec, each.packet]));
      expect(first.result.drops).toEqual([]);
      const tuples = new Map<string, string>(), owners = new Map<string, string>();
      const answers: (Timed & { readonly expected: Buffer; readonly isDefect: boolean })[] = [];
      for (const { nsec, packet, question: its } of sent) {
        const outside = left.get(nsec);
        if (outside === undefined) throw new Error(`packet at ${nsec} did not leave`);
        expect(isPod(sourceOf(outside))).toBe(false);
        if (isFirst(packet)) {
          // One flow, one tuple outside; one tuple outside, one flow.
          const inside = tupleOf(packet), translated = tupleOf(outside);
          expect(tuples.get(inside) ?? translated).toBe(translated);
          expect(owners.get(translated) ?? inside).toBe(inside);
          tuples.set(inside, translated);
          owners.set(translated, inside);
          if (translated.split(" ")[2] !== inside.split(" ")[2]) moved++;
        }
        if (its.answer === "mirror") answers.push({ nsec: nsec + STEP, packet: mirrored(outside, WORLD_TTL), expected: mirrored(packet, WORLD_TTL), isDefect: false });
        else if (its.answer === "error" && its.kind !== "fragments")
          answers.push({
            nsec: nsec + STEP, packet: refused(outside, WORLD_TTL), expected: refused(withTtl(packet, ttlOf(outside)), WORLD_TTL), isDefect: isKnownDefect(refused(packet, WORLD_TTL)),
          });
      }
      const second = await run(configured, sent, answers), reached = new Map(second.pod.filter(({ nsec }) => (nsec / STEP) % 2 === 1).map((each) => [each.nsec, each.packet]));
      expect(second.result.drops).toEqual([]);
      expect(reached.size).toBe(answers.length);
      for (const { nsec, expected, isDefect } of answers) {
        const found = reached.get(nsec) ?? Buffer.alloc(20);
        if (isDefect) {
          // Cilium 1.19 leaves the outer checksum of an error wrong: about an echo, in IPv6 about UDP without checksum.
          expect(second.result.defects[isFourth ? "echoErrorChecksum" : "quoteChecksum6"]).toBeGreaterThan(0);
          takeChecksum(found, expected);
          defects++;
        }
        expectSame(found, expected, `answer at ${nsec}`);
        if (quoteOf(expected) !== null) errors++;
        else mirrors++;
      }
    }), settings(20));
    for (const count of [mirrors, errors, moved, defects]) expect(count).toBeGreaterThan(10);
  });

  it("finds the same in a capture that was taken at the pods", async () => {
    let restored = 0, defects = 0;
    await fc.assert(fc.asyncProperty(fc.array(question, { minLength: 1, maxLength: 80, size: "max" }), fc.integer({ min: 1, max: 253 }), configuration, async (questions, ttl, config) => {
      const packets: Timed[] = [];
      for (const { nsec, packet, question: its } of timed(questions)) {
        packets.push({ nsec, packet });
        if (its.answer === "mirror") packets.push({ nsec: nsec + STEP, packet: mirrored(packet, ttl) });
        else if (its.answer === "error" && its.kind !== "fragments") packets.push({ nsec: nsec + STEP, packet: refused(packet, ttl) });
      }
      const { result, pod } = await run({ ...tables, config: { ...tables.config, ...config } }, packets, []), replies = packets.filter(({ nsec }) => (nsec / STEP) % 2 === 1);
      expect(result.drops).toEqual([]);
      expect(result.replies).toMatchObject({ restored: replies.length, identical: replies.length - result.replies.knownDefect, different: 0 });
      expect(pod.length).toBe(packets.length);
      for (const [k, { nsec, packet }] of packets.entries()) {
        const written = pod[k];
        expect(written?.nsec).toBe(nsec);
        const found = Buffer.from(written?.packet ?? Buffer.alloc(20));
        if ((nsec / STEP) % 2 === 0) {
          expect(found.equals(packet)).toBe(true);
          continue;
        }
        if (isKnownDefect(packet) && takeChecksum(found, packet)) defects++;
        expectSame(found, packet, `reply at ${nsec}`);
        restored++;
      }
    }), settings(20));
    expect(restored).toBeGreaterThan(50);
    expect(defects).toBeGreaterThan(0);
  });
});
