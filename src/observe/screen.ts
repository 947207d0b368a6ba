import { join } from "node:path";
import { formatRate, formatSeconds } from "./number-text.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import type { Report } from "./report-shape.ts";
import { liveLines } from "./screen-live.ts";
import { assumptionLines, findingLines, noteLines } from "./screen-notes.ts";
import { conservationLine, headLines, outcomeLines } from "./screen-outcome.ts";
import { policyLines } from "./screen-policies.ts";

/** The report as text, within one page: totals last, counters that are zero left out. `outDir` null: no files to name. */
export function renderScreen(report: Report, outDir: string | null, paint: Paint): string {
  const speed = `${formatSeconds(report.timing.wallSeconds)}, ${formatRate(report.timing.packetsPerSecond)} packets/s`;
  const files = outDir === null ? [] : report.files.map((file) => printable(join(outDir, file)));
  const blocks = [
    headLines(report, paint),
    outcomeLines(report, paint),
    liveLines(report, paint),
    policyLines(report, paint),
    findingLines(report, paint),
    assumptionLines(report, paint),
    noteLines(report, paint),
    [`  ${paint.strong(conservationLine(report))}      ${speed}`, ...(files.length === 0 ? [] : [`  ${files.join("  ")}`])],
  ];
  return `${blocks.filter((block) => block.length > 0).map((block) => block.join("\n")).join("\n\n")}\n`;
}
