// The middle of the screen: which policy sent what through which gateway, and what left with a node's own address.
import { counted, formatBytes, formatShare, withThousands } from "./number-text.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import type { Report, ReportPortUse } from "./report-shape.ts";
import { NO_TALLY, addTally } from "./tally-sum.ts";
import { alignRows, clip, left, right, type Cell } from "./text-table.ts";

const POLICY_ROWS = 8;
const UNUSED_NAMES = 6;
const NAME_WIDTH = 40;

function portsText(use: ReportPortUse | null): string {
  if (use === null || use.inUse === 0) return "";
  const end = use.remotePort === 0 ? use.remote : use.remote.includes(":") ? `[${use.remote}]:${use.remotePort}` : `${use.remote}:${use.remotePort}`;
  return `${formatShare(use.inUse, use.capacity)} (${end}/${use.protocol.toLowerCase()})`;
}

type Masquerade = Report["masqueradeUse"][number];

/** One row for all nodes: the node by name where it is only one. */
function masqueradeRow(uses: readonly Masquerade[], name: string, remark: string, paint: Cell["paint"]): Cell[] {
  const [only, ...others] = uses;
  let flows = 0, packets = NO_TALLY;
  for (const use of uses) {
    flows += use.flows;
    packets = addTally(packets, addTally(use.forward, use.reply));
  }
  const single = others.length === 0 && only !== undefined;
  return [
    left(name, paint), left(single ? printable(only.node ?? "own node") : "own node"), left(single ? only.sourceIp ?? "" : "node IP"),
    right(withThousands(flows)), right(withThousands(packets.packets)), right(formatBytes(packets.bytes)), left(remark, paint),
  ];
}

/** Empty where no packet met a policy or a node's masquerading. */
export function policyLines(report: Report, paint: Paint): string[] {
  const uses = report.policyUse, unmatched = report.masqueradeUse.filter((use) => !use.excluded);
  const excluded = report.masqueradeUse.filter((use) => use.excluded);
  const lines: string[] = [];
  if (uses.length + unmatched.length + excluded.length > 0) {
    const rows: Cell[][] = [[
      ...["policy", "gateway", "egress IP"].map((title) => left(title, paint.dim)),
      ...["flows", "packets", "bytes"].map((title) => right(title, paint.dim)), left("SNAT ports in use (fullest remote)", paint.dim),
    ]];
    for (const use of uses.slice(0, POLICY_ROWS)) {
      const both = addTally(use.forward, use.reply);
      rows.push([
        left(clip(printable(use.policy ?? ""), NAME_WIDTH)), left(clip(printable(use.gateway ?? "none"), NAME_WIDTH)), left(use.egressIp ?? "none"),
        right(withThousands(use.flows)), right(withThousands(both.packets)), right(formatBytes(both.bytes)), left(portsText(use.fullestRemote)),
      ]);
    }
    if (unmatched.length > 0) rows.push(masqueradeRow(unmatched, "(no policy)", "<- these leave with a node's address", paint.warn));
    if (excluded.length > 0) rows.push(masqueradeRow(excluded, "(excluded)", "<- kept off the gateway by excludedCIDRs", undefined));
    lines.push(...alignRows(rows, "  "));
    if (uses.length > POLICY_ROWS) lines.push(`  +${uses.length - POLICY_ROWS} more in report.json`);
  }
  const unused = report.policies.filter((policy) => policy.accepted && !policy.used).map((policy) => printable(policy.name));
  if (unused.length > 0) {
    const more = unused.length > UNUSED_NAMES ? ` and ${counted(unused.length - UNUSED_NAMES, "other")}` : "";
    lines.push(`  no traffic met ${unused.slice(0, UNUSED_NAMES).map((name) => clip(name, NAME_WIDTH)).join(", ")}${more}`);
  }
  return lines;
}
