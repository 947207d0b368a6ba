// A tally as text and as JSON.
import type { StepReport, Tally } from "./tally.ts";

/** Differences of one step that are printed; a wrong frame often drags all table entries along. */
const MOST_DIFFERENCES = 8;

function place(report: StepReport): string {
  return `${report.file}:${report.line} ${report.name} step ${report.step.number} (${report.step.node} ${report.step.hook})`;
}

export function tallyText(tally: Tally): string {
  const lines: string[] = [];
  for (const failure of tally.failures) {
    lines.push(`FAILED ${place(failure)}`);
    const { differences } = failure.step;
    for (const each of differences.slice(0, MOST_DIFFERENCES))
      lines.push(`  ${each.category}: ${each.field}`, `    recorded ${each.recorded}`, `    ours     ${each.ours}`);
    if (differences.length > MOST_DIFFERENCES) lines.push(`  and ${differences.length - MOST_DIFFERENCES} more differences`);
  }
  for (const [why, count] of skipReasons(tally)) lines.push(`skipped ${count} steps: ${why}`);
  lines.push(`compared ${[...tally.compared].map(([category, count]) => `${category} ${count}`).join(", ")}`);
  lines.push(tally.lastLine);
  return `${lines.join("\n")}\n`;
}

function skipReasons(tally: Tally): Map<string, number> {
  const reasons = new Map<string, number>();
  for (const { step } of tally.skips) if (step.skipped !== null) reasons.set(step.skipped, (reasons.get(step.skipped) ?? 0) + 1);
  return reasons;
}

export function tallyJson(tally: Tally): string {
  const describe = (report: StepReport): object => ({ file: report.file, line: report.line, case: report.name, ...report.step });
  return `${JSON.stringify({
    cases: tally.cases, steps: tally.steps, passed: tally.passed, failed: tally.failures.length, skipped: tally.skips.length,
    compared: Object.fromEntries(tally.compared), skipReasons: Object.fromEntries(skipReasons(tally)), failures: tally.failures.map(describe),
  })}\n`;
}
