// The lower part of the screen: findings, what was assumed, and remarks that only show when there is something to say.
import { formatSourceRef } from "../cluster/source.ts";
import { counted, withThousands } from "./number-text.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import type { Report } from "./report-shape.ts";
import { alignRows, clip, left } from "./text-table.ts";

const FINDING_ROWS = 5;
const ASSUMPTION_ROWS = 3;
const IGNORED_KIND_NAMES = 5;
const MESSAGE_WIDTH = 150;

const SEVERITY_RANK = { error: 0, warning: 1, info: 2 } as const;

/** Errors first, then as found; the first few only. */
export function findingLines(report: Report, paint: Paint): string[] {
  if (report.findings.length === 0) return [];
  const paints = { error: paint.bad, warning: paint.warn, info: paint.dim } as const;
  const ordered = [...report.findings].sort((a, b) => SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity]);
  const rows = ordered.slice(0, FINDING_ROWS).map((finding) => [
    left(finding.severity, paints[finding.severity]), left(printable(finding.at === null ? finding.object : formatSourceRef(finding.at))),
    left(finding.rule), left(clip(printable(finding.message), MESSAGE_WIDTH)),
  ]);
  const more = ordered.length > FINDING_ROWS ? [`  +${ordered.length - FINDING_ROWS} more in report.json`] : [];
  return [`  ${paint.dim("findings")}`, ...alignRows(rows, "  "), ...more];
}

/** What the model filled in, and which objects it read and did not use. */
export function assumptionLines(report: Report, paint: Paint): string[] {
  const lines: string[] = [];
  if (report.assumptions.length > 0) {
    const most = [...report.assumptions].sort((a, b) => b.count - a.count);
    lines.push(`  ${paint.dim("assumed")}`, ...alignRows(
      most.slice(0, ASSUMPTION_ROWS).map((assumption) => [left(`${withThousands(assumption.count)}x`), left(clip(printable(assumption.message), MESSAGE_WIDTH))]), "  "));
    if (most.length > ASSUMPTION_ROWS) lines.push(`  +${most.length - ASSUMPTION_ROWS} more in report.json`);
  }
  if (report.ignoredKinds.length > 0) {
    const names = report.ignoredKinds.map((kind) => `${printable(kind.kind)} ${withThousands(kind.count)}`);
    const more = names.length > IGNORED_KIND_NAMES ? `, +${names.length - IGNORED_KIND_NAMES} more kinds` : "";
    lines.push(`  ${paint.dim("not used:")} ${names.slice(0, IGNORED_KIND_NAMES).join(", ")}${more}`);
  }
  return lines;
}

function replyNote(report: Report, paint: Paint): string[] {
  const { replies } = report;
  if (replies.restored === 0) return [];
  const parts = [`${withThousands(replies.identical)} came out as captured`];
  if (replies.knownDefect > 0) parts.push(`${withThousands(replies.knownDefect)} with a checksum defect that Cilium 1.19 has too`);
  if (replies.different > 0) {
    const first = replies.firstDifferent === null ? "" : ` (first is packet ${withThousands(replies.firstDifferent)})`;
    parts.push(paint.bad(`${withThousands(replies.different)} differ${first}`));
  }
  return [`replies: ${withThousands(replies.restored)} put back into the outside's form, ${parts.join(", ")}`];
}

/** Remarks about the input and the tables; each only where its counter is not zero. */
export function noteLines(report: Report, paint: Paint): string[] {
  const { frames, flows, maps, defects } = report;
  const note = (count: number, noun: string, text: string): string[] => (count === 0 ? [] : [`${counted(count, noun)}${text}`]);
  const faults = report.captures.flatMap((capture) => capture.fault ?? []);
  const lines = [
    ...(report.interrupted && faults.length === 0 ? [paint.warn("interrupted: this is the report so far")] : []),
    ...faults.map((fault) => paint.bad(`broken capture: ${printable(fault)}; this is the report so far`)),
    ...note(frames.repeated, "packet", " looks recorded on several interfaces (tcpdump -i any?): --capture-interface takes one of them").map(paint.warn),
    ...replyNote(report, paint),
    ...note(report.services.untranslatedFlows, "flow",
      " to a service's address: sockets are translated when they connect, so these are no packets of a pod's socket; nothing translates them here").map(paint.warn),
    ...note(frames.partialChecksumsCompleted, "partial checksum", " completed (recorded before the network card filled it in)"),
    ...note(frames.oversized, "frame", " larger than the MTU (offloaded in the recording host; a real wire carries several)"),
    ...note(frames.snapped, "frame", " captured in part: processed by the headers"),
    ...note(flows.openersAssumed, "flow", ` without a visible opener: assumed ${report.options.assumeOpener} (--assume-opener)`),
    ...note(flows.notListed, "flow", ` beyond --max-flows ${withThousands(report.options.maxFlows)}: counted, without a line of its own`),
    ...note(flows.packetsWithoutFlow, "packet", " of flows that found the flow table full: counted, in no flow's line"),
    ...note(defects.podErrorChecksum, "ICMP error", " of pods with an outer checksum that Cilium 1.19 leaves wrong (--semantics intent repairs it)"),
    ...note(defects.errorNotTranslated6, "ICMPv6 error", " about translated flows not translated: Cilium 1.19 does so for packet-too-big only (--semantics intent repairs it)"),
    ...note(defects.timeExceededLost6, "ICMPv6 Time Exceeded", " of a gateway lost on the way back, as in Cilium 1.19 (--semantics intent repairs it)"),
    ...note(report.answered, "packet", " answered by the programs themselves (Time Exceeded, neighbour discovery)"),
    ...note(maps.conntrackEvicted + maps.natEvicted, "eviction",
      `: a map is full (conntrack ${withThousands(maps.conntrackEvicted)}, NAT ${withThousands(maps.natEvicted)})`),
    ...note(maps.natRetriesOverHalf, "SNAT port draw", " took more than half of the 32 tries"),
  ];
  return lines.map((line) => `  ${line}`);
}

