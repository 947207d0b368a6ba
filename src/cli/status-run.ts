import { bySeverity, wholeFindings } from "../inspect/finding-lines.ts";
import { clusterStatus, statusLines } from "../inspect/status.ts";
import { printableJson } from "../observe/printable.ts";
import type { InspectOptions } from "./inspect-options.ts";
import { compiledModel, print } from "./inspect-run.ts";
import type { Terminal } from "./terminal.ts";

/** True where some finding is more than a remark. */
export async function showStatus(options: InspectOptions, terminal: Terminal): Promise<boolean> {
  const { control, node } = await compiledModel(options), { findings, assumptions, ignored } = control;
  const status = clusterStatus(control, node);
  if (options.output === "json") {
    print([`${printableJson(JSON.stringify({ ...status, findings: bySeverity(findings), assumptions, ignored }, null, 2))}\n`], terminal);
  } else {
    const sections = [
      statusLines(status, control.tables.config),
      wholeFindings(findings),
      assumptions.map(({ message, count }) => `assumed ${count}x: ${message}`),
      ignored.length === 0 ? [] : [`not used: ${ignored.map(({ kind, count }) => `${kind} ${count}`).join(", ")}`],
    ];
    print([sections.filter((lines) => lines.length > 0).map((lines) => `${lines.join("\n")}\n`).join("\n")], terminal);
  }
  return findings.some(({ severity }) => severity !== "info");
}
