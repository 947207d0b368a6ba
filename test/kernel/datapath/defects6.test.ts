// The recorded defects of 1.19's IPv6 side: each has its note when it is repeated, and is gone when the node repairs them.
import { expect, test } from "vitest";
import {
  NF_REPAIR, NOTE_ANSWERED, NOTE_DEFECT6_ERROR_NOT_TRANSLATED, NOTE_DEFECT6_LEFTOVER_PORT, NOTE_DEFECT6_QUOTE_CSUM, NOTE_DEFECT6_QUOTED_REPLY,
  NOTE_DEFECT6_SHORT_QUOTE, NOTE_DEFECT6_TIME_EXCEEDED_LOST, NOTE_DEFECT6_UNSPECIFIED, TO_SELF, TO_TUNNEL,
} from "../../../src/kernel/layout.ts";
import {
  DROP_CSUM_L4, DROP_INVALID, DROP_INVALID_TC_BUFFER, VERDICT_OK, VERDICT_REDIRECT,
} from "../../../src/kernel/verdict.ts";
import { LabMemory } from "../../../src/vectors/lab-memory.ts";
import { recordings } from "../../vectors/recorded-files.ts";
import { checksumIsRight, upperLayer } from "../ipv6-frames.ts";
import { type Done, runSteps } from "./lab-run.ts";

const FILES = [
  "tcp6", "udp6", "icmp6", "icmp6_error", "policy6", "collision6", "fragments6", "hoplimit6", "exthdr6", "malformed6", "reply6", "variant6", "arp_nd", "random6-a",
].map((name) => `${name}.jsonl.gz`);
const ALL_DEFECTS = NOTE_DEFECT6_ERROR_NOT_TRANSLATED | NOTE_DEFECT6_LEFTOVER_PORT | NOTE_DEFECT6_QUOTE_CSUM | NOTE_DEFECT6_QUOTED_REPLY |
  NOTE_DEFECT6_SHORT_QUOTE | NOTE_DEFECT6_TIME_EXCEEDED_LOST | NOTE_DEFECT6_UNSPECIFIED;
const WRONG_CHECKSUM = NOTE_DEFECT6_QUOTE_CSUM | NOTE_DEFECT6_LEFTOVER_PORT;
const ICMP6 = 58;

const memory = new LabMemory("ts");
const everyStep = (extraFlags: number): Done[] => FILES.flatMap((file) => recordings(file).flatMap(({ recorded }) => runSteps(memory, recorded, extraFlags)));
const plain = everyStep(0), repaired = everyStep(NF_REPAIR);
const told = ({ step, notes }: Done): string => `${step.node} ${step.hook} notes ${notes} ${step.in_hex}`;
/** Came with a right checksum and went on with a wrong one. */
const spoiled = (done: Done): boolean => done.verdict >= 0 && checksumIsRight(done.input) === true && checksumIsRight(done.frame) === false;

/** Where the upper layer of a quote begins, without extension headers. */
const QUOTED_L4 = 14 + 40 + 8 + 40;
/** ICMPv6 type that a packet-too-big quotes. */
function quotedType(frame: Uint8Array): number | undefined {
  return frame[20] === ICMP6 && frame[54] === 2 && frame[QUOTED_L4 - 34] === ICMP6 ? frame[QUOTED_L4] : undefined;
}

test("a checksum that was right goes out wrong only where a note says so, and always there", () => {
  const wrong = plain.filter(spoiled);
  for (const done of wrong) expect(done.notes & WRONG_CHECKSUM, told(done)).not.toBe(0);
  for (const done of plain.filter(({ verdict, notes, input }) => verdict >= 0 && (notes & WRONG_CHECKSUM) !== 0 && checksumIsRight(input) === true))
    expect(spoiled(done), told(done)).toBe(true);
  expect(new Set(wrong.map(({ notes }) => notes & WRONG_CHECKSUM))).toEqual(new Set([NOTE_DEFECT6_QUOTE_CSUM, NOTE_DEFECT6_LEFTOVER_PORT]));
});

test("repaired, no checksum is spoiled and no defect is noted", () => {
  expect(repaired.filter(spoiled).map(told)).toEqual([]);
  expect(repaired.filter(({ notes }) => (notes & ALL_DEFECTS) !== 0).map(told)).toEqual([]);
  expect(repaired).toHaveLength(plain.length);
});

test("what the programs send themselves has a right checksum", () => {
  const answers = plain.filter(({ notes, input }) => (notes & NOTE_ANSWERED) !== 0 && checksumIsRight(input) === true);
  for (const done of answers) expect(checksumIsRight(done.frame), told(done)).toBe(true);
  expect(new Set(answers.map(({ frame }) => frame[upperLayer(frame)?.at ?? 0]))).toEqual(new Set([3, 136]));
});

/** Steps whose defect shows in what becomes of the packet, with what becomes of it in either mode. */
test.each<[string, number, (done: Done) => boolean, (done: Done) => boolean]>([
  ["an error other than packet-too-big goes untranslated", NOTE_DEFECT6_ERROR_NOT_TRANSLATED,
    (done) => done.verdict === VERDICT_OK && Buffer.compare(done.input, done.frame) === 0, (done) => Buffer.compare(done.input, done.frame) !== 0],
  ["a Time Exceeded is lost in the tunnel device", NOTE_DEFECT6_TIME_EXCEEDED_LOST,
    (done) => done.verdict === VERDICT_REDIRECT && done.to === TO_SELF, (done) => done.verdict === VERDICT_REDIRECT && done.to === TO_TUNNEL && done.remote !== 0],
  ["an error that quotes eight bytes of TCP is dropped", NOTE_DEFECT6_SHORT_QUOTE, (done) => done.verdict === DROP_CSUM_L4, (done) => done.verdict >= 0],
  ["a packet to the unspecified address is dropped", NOTE_DEFECT6_UNSPECIFIED, (done) => done.verdict === DROP_INVALID_TC_BUFFER, (done) => done.verdict >= 0],
])("%s, and not when repaired", (_, bit, defect, repair) => {
  const hit = plain.map((done, k) => [done, repaired[k]] as const).filter(([done]) => (done.notes & bit) !== 0);
  expect(hit.length).toBeGreaterThan(0);
  for (const [done, after] of hit) {
    expect(defect(done), told(done)).toBe(true);
    expect(after !== undefined && repair(after), told(done)).toBe(true);
  }
});

test("a packet-too-big that quotes an echo reply is dropped, and not when repaired", () => {
  // Of the recorded ones that quote an echo request, with the quoted type changed to a reply's.
  const echo = recordings("icmp6_error.jsonl.gz").flatMap(({ recorded }) => recorded.steps.map((step) => ({ recorded, step })))
    .filter(({ step }) => step.hook === "from_netdev" && quotedType(Buffer.from(step.in_hex, "hex")) === 128);
  expect(echo.length).toBeGreaterThan(0);
  for (const { recorded, step } of echo) {
    const frame = Buffer.from(step.in_hex, "hex");
    frame[QUOTED_L4] = 129;
    const altered = { ...recorded, steps: [{ ...step, in_hex: frame.toString("hex") }] };
    expect(runSteps(memory, altered, 0)[0]).toMatchObject({ verdict: DROP_INVALID, notes: NOTE_DEFECT6_QUOTED_REPLY });
    expect(runSteps(memory, altered, NF_REPAIR)[0]).toMatchObject({ verdict: VERDICT_OK, notes: 0 });
  }
});

test("errors about translated flows reach the pod with the quote that it sent, when repaired", () => {
  const back = repaired.filter(({ step, verdict, to, frame, input }) => step.hook === "from_netdev" && verdict === VERDICT_REDIRECT && to === TO_TUNNEL &&
    upperLayer(frame)?.proto === ICMP6 && [1, 2, 3, 4].includes(frame[upperLayer(frame)?.at ?? 0] ?? 0) && checksumIsRight(input) === true);
  for (const done of back) {
    const at = upperLayer(done.frame)?.at ?? 0;
    expect(checksumIsRight(done.frame), told(done)).toBe(true);
    // The quoted source is the outer destination: the pod.
    expect(Buffer.compare(done.frame.subarray(at + 16, at + 32), done.frame.subarray(38, 54)), told(done)).toBe(0);
  }
  expect(new Set(back.map(({ frame }) => frame[upperLayer(frame)?.at ?? 0])).size).toBeGreaterThanOrEqual(3);
});
