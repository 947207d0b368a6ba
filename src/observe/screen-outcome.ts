// The upper half of the screen: what came in and what became of it.
import { counted, formatBytes, formatSeconds, withThousands } from "./number-text.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import type { Report } from "./report-shape.ts";
import { alignRows, left, right, type Cell } from "./text-table.ts";

const DROP_ROWS = 5;

function captureTitle(report: Report): string {
  const [first, ...others] = report.captures;
  if (first === undefined) return "no capture";
  return others.length === 0 ? printable(first.name) : counted(report.captures.length, report.live === undefined ? "capture" : "device");
}

/** Seconds between the first and the last packet of all captures; null where no packet was read. */
export function trafficSeconds(report: Report): number | null {
  const first = report.captures.flatMap((capture) => capture.firstTime ?? []);
  const last = report.captures.flatMap((capture) => capture.lastTime ?? []);
  return first.length === 0 || last.length === 0 ? null : Math.max(0, Math.max(...last) - Math.min(...first));
}

/** The lines that say what ran: input, model, mode. */
export function headLines(report: Report, paint: Paint): string[] {
  const { cluster, outcomes, findings, timing } = report;
  const seconds = trafficSeconds(report);
  const traffic = [
    counted(outcomes.received.packets, "packet"), formatBytes(outcomes.received.bytes),
    ...(seconds === null ? [] : [`${formatSeconds(seconds)} of traffic`]), counted(report.flows.total, "flow"),
  ];
  const model = [
    counted(cluster.nodes, "node"), counted(cluster.pods, "pod"),
    cluster.policies === 1 ? "1 policy" : `${withThousands(cluster.policies)} policies`,
  ];
  if (cluster.policiesIgnored > 0) model.push(`${withThousands(cluster.policiesIgnored)} of them ignored by the agent`);
  if (report.services.frontends > 0) model.push(serviceText(report));
  if (findings.length > 0) model.push(`${counted(findings.length, "finding")}, see below`);
  return alignRows([
    [left(captureTitle(report), paint.strong), left(traffic.join(", "))],
    [left("cluster", paint.strong), left(model.join(", "))],
    [left("run", paint.strong), left(`${report.semantics} semantics, ${timing.kernel} kernel, ${counted(timing.workers, "worker")}`)],
  ], "", "   ");
}

/** How many services there are, and who translates what is sent to them. */
function serviceText({ services }: Report): string {
  return `${counted(services.objects, "service")} translated ${services.translation === "socket" ? "at the socket" : "per packet"}`;
}

interface DropLine {
  readonly code: number;
  readonly text: string;
  packets: number;
  firstPacket: number;
  /** Of the place with most packets: report.drops is sorted by packets. */
  readonly cure: string;
  places: number;
}

/** One line per reason; hook, node and policy are told apart in report.json. */
function dropLines(report: Report): DropLine[] {
  const lines = new Map<number, DropLine>();
  for (const drop of report.drops) {
    const line = lines.get(drop.code);
    if (line === undefined) {
      lines.set(drop.code, { code: drop.code, text: drop.text, packets: drop.packets, firstPacket: drop.firstPacket, cure: drop.cure, places: 1 });
      continue;
    }
    line.packets += drop.packets;
    line.firstPacket = Math.min(line.firstPacket, drop.firstPacket);
    line.places += 1;
  }
  return [...lines.values()].sort((a, b) => b.packets - a.packets || a.code - b.code);
}

const IGNORED_NAMES: Readonly<Record<Report["ignored"][number]["reason"], string>> = {
  arp: "ARP", lldp: "LLDP", ipv6: "IPv6", "not-ip": "not IP", "not-of-the-model": "no pod or node of the model",
  "too-short": "cut short", "link-type": "unknown link type", "other-interface": "other interface",
  "too-long": "too long", "other-mac": "to other MACs", "neighbour-discovery": "neighbour discovery",
};

/** The table of outcomes; rows without packets are left out, and all of it where no packet was read. */
export function outcomeLines(report: Report, paint: Paint): string[] {
  const { outcomes, flows } = report;
  const row = (name: string, paintName: Cell["paint"], packets: number, flowCount: number | null, remark: string): Cell[] => [
    left(name, paintName), right(withThousands(packets)), right(flowCount === null ? "" : withThousands(flowCount)), left(remark),
  ];
  const rows: Cell[][] = [[left("outcome", paint.dim), right("packets", paint.dim), right("flows", paint.dim), left("(a flow counts where its last packet ended)", paint.dim)]];
  if (outcomes.forwarded.packets > 0) rows.push(row("forwarded", paint.good, outcomes.forwarded.packets, flows.byOutcome.forwarded, "left the cluster"));
  if (outcomes.delivered.packets > 0) rows.push(row("delivered", paint.good, outcomes.delivered.packets, flows.byOutcome.delivered, "reached a pod"));
  if (outcomes.passed.packets > 0) rows.push(row("passed", undefined, outcomes.passed.packets, flows.byOutcome.passed, "handed to a node's host stack"));
  if (outcomes.dropped.packets > 0) {
    rows.push(row("dropped", paint.bad, outcomes.dropped.packets, flows.byOutcome.dropped, ""));
    const reasons = dropLines(report);
    for (const reason of reasons.slice(0, DROP_ROWS)) {
      const where = reason.places === 1 ? "" : ` (and ${counted(reason.places - 1, "place")} more)`;
      const remark = [`first packet ${withThousands(reason.firstPacket)}`, printable(reason.cure) + (reason.cure === "" ? "" : where)];
      rows.push(row(`  ${reason.code} ${reason.text}`, paint.bad, reason.packets, null, remark.filter((part) => part !== "").join("; ")));
    }
    if (reasons.length > DROP_ROWS) rows.push([left(`  +${reasons.length - DROP_ROWS} more reasons in report.json`)]);
  }
  if (outcomes.ignored.packets > 0) {
    const reasons = report.ignored.map((ignored) => `${IGNORED_NAMES[ignored.reason]} ${withThousands(ignored.packets)}`).join(", ");
    rows.push(row("ignored", undefined, outcomes.ignored.packets, null, reasons));
  }
  return rows.length === 1 ? [] : alignRows(rows, "  ");
}

/** "1,204,881 in = 1,001,330 + 198,402 + …", in the order of the table above. */
export function conservationLine(report: Report): string {
  const { outcomes } = report;
  const parts = [outcomes.forwarded, outcomes.delivered, outcomes.passed, outcomes.dropped, outcomes.ignored];
  return `${withThousands(outcomes.received.packets)} in = ${parts.map((part) => withThousands(part.packets)).join(" + ")}`;
}
