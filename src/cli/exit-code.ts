import type { Report } from "../observe/report-shape.ts";

export const EXIT_NOTHING = 0;
export const EXIT_FINDINGS = 1;
export const EXIT_COULD_NOT_RUN = 2;
export const EXIT_OUR_FAULT = 3;

export type ExitCode = typeof EXIT_NOTHING | typeof EXIT_FINDINGS | typeof EXIT_COULD_NOT_RUN | typeof EXIT_OUR_FAULT;

/** The one table, as --help prints it. */
export const EXIT_CODE_HELP = `Exit codes:
  0  nothing to report
  1  findings: packets were dropped, the manifests earned a warning or an error,
     replies differ from the capture, packets look recorded twice, or a signal
     ended the run early
  2  could not run, or not to the end: bad usage, bad manifests, a broken capture
     (what came before the fault was processed and written)
  3  a fault of egwsim itself`;

/** What a run's report says to the shell. Findings of severity info never count. */
export function exitCodeOf(report: Report): ExitCode {
  if (!report.conservation.holds) return EXIT_OUR_FAULT;
  if (report.captures.some((capture) => capture.fault !== null)) return EXIT_COULD_NOT_RUN;
  const somethingToSay = report.interrupted || report.outcomes.dropped.packets > 0 || report.replies.different > 0
    || report.frames.repeated > 0 || report.findings.some((finding) => finding.severity !== "info");
  return somethingToSay ? EXIT_FINDINGS : EXIT_NOTHING;
}
