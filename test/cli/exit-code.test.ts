import { expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/exit-code.ts";
import type { Finding } from "../../src/cluster/finding.ts";
import { buildReport } from "../../src/observe/report.ts";
import type { RunResult } from "../../src/observe/run-result.ts";
import { FINDINGS, MONDAY_RUN, QUIET_RUN, reportInput } from "../observe/sample-run.ts";

const codeOf = (result: RunResult, findings: readonly Finding[] = []): number => exitCodeOf(buildReport(reportInput(result, { findings })));
const withSeverity = (severity: Finding["severity"]): Finding[] => FINDINGS.map((finding) => ({ ...finding, severity }));
const FAULTY = QUIET_RUN.captures.map((capture) => ({ ...capture, fault: "cut short at byte 99" }));

test("a run with nothing to report is 0, remarks of severity info included", () => {
  expect(codeOf(QUIET_RUN)).toBe(0);
  expect(codeOf(QUIET_RUN, withSeverity("info"))).toBe(0);
});

test("drops, warnings, errors, replies that differ, doubled packets and an interruption are findings", () => {
  expect(codeOf(MONDAY_RUN)).toBe(1);
  expect(codeOf(QUIET_RUN, withSeverity("warning"))).toBe(1);
  expect(codeOf(QUIET_RUN, withSeverity("error"))).toBe(1);
  expect(codeOf({ ...QUIET_RUN, replies: { restored: 4, identical: 3, knownDefect: 0, different: 1, firstDifferent: 7 } })).toBe(1);
  expect(codeOf({ ...QUIET_RUN, repeatedFrames: 3 })).toBe(1);
  expect(codeOf({ ...QUIET_RUN, interrupted: true })).toBe(1);
});

test("a broken capture outweighs findings, and counters that do not add up outweigh both", () => {
  expect(codeOf({ ...QUIET_RUN, interrupted: true, captures: FAULTY }, FINDINGS)).toBe(2);
  expect(codeOf({ ...QUIET_RUN, captures: FAULTY, received: { packets: 11, bytes: 1000 } }, FINDINGS)).toBe(3);
});
