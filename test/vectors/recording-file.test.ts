import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { InputError } from "../../src/cluster/input-error.ts";
import { LabMemory } from "../../src/vectors/lab-memory.ts";
import { readRecordings } from "../../src/vectors/recording-file.ts";
import { runCase } from "../../src/vectors/run-case.ts";
import { pathOf, recordedCaseOf } from "./recorded-files.ts";

const folder = mkdtempSync(join(tmpdir(), "recordings-"));
afterAll(() => rmSync(folder, { recursive: true }));

const good = readFileSync(pathOf("variant_sctp.jsonl"), "utf8").split("\n")[0] ?? "";

function write(name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

function problemsOf(file: string): readonly { at: unknown; message: string }[] {
  try {
    readRecordings(file);
  } catch (error) {
    if (error instanceof InputError) return error.problems;
    throw error;
  }
  return [];
}

test("plain and packed files hold the same cases", () => {
  const plain = readRecordings(write("a.jsonl", `${good}\n\n${good}\n`));
  expect(plain.map((each) => each.line)).toEqual([1, 3]);
  expect(readRecordings(write("a.jsonl.gz", gzipSync(`${good}\n\n${good}\n`))).map((each) => each.recorded)).toEqual(plain.map((each) => each.recorded));
});

test("every faulty line is named with its place", () => {
  const file = write("faulty.jsonl", `${good}\n{"name"\n${good.replace('"OK"', '"MAYBE"')}\n`);
  expect(problemsOf(file).map((problem) => problem.at)).toEqual([{ file, line: 2, column: 1 }, { file, line: 3, column: 1 }]);
});

test("a frame too short for an Ethernet header is no recording", () => {
  const file = write("short.jsonl", good.replace(/"in_hex": "[0-9a-f]+"/, '"in_hex": "0200"'));
  expect(problemsOf(file)[0]?.message).toContain("in_hex");
});

test("a missing file and a cut packed file are the user's to mend", () => {
  expect(problemsOf(join(folder, "nowhere.jsonl"))[0]?.message).toContain("cannot be read");
  expect(problemsOf(write("cut.jsonl.gz", gzipSync(good).subarray(0, 100)))[0]?.message).toContain("cannot be unpacked");
});

test("what the hooks cannot do yet is skipped with a sentence, and so is all that comes after a change of a table they lack", () => {
  const memory = new LabMemory("ts");
  const recorded = structuredClone(recordedCaseOf("variant_sctp.jsonl", JSON.parse(good).name as string).recorded);
  const second = recorded.steps[1];
  if (second !== undefined) second.map_changes_before = [{ op: "set_service", map: "services", node: "src" }];
  const { steps } = runCase(memory, recorded);
  expect(steps.map((step) => step.skipped === null)).toEqual(recorded.steps.map((_, k) => k === 0));
  expect(steps[1]?.skipped).toContain("set_service services");
  expect(runCase(memory, { ...recorded, build: "something new" }).steps.every((step) => step.skipped?.includes('"something new"'))).toBe(true);
});
