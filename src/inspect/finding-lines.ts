// Findings as a command shows them that was asked for something else (briefly), and as `status` does (whole).
import type { Finding } from "../cluster/finding.ts";
import { formatSourceRef } from "../cluster/source.ts";
import { printable } from "../observe/printable.ts";
import { alignRows, clip, left } from "../observe/text-table.ts";

const SEVERITIES = ["error", "warning", "info"] as const;
const MOST_SHOWN = 3;
const MESSAGE_WIDTH = 150;

/** Errors first, then as found. */
export function bySeverity(findings: readonly Finding[]): readonly Finding[] {
  return SEVERITIES.flatMap((severity) => findings.filter((finding) => finding.severity === severity));
}

/** The first errors and warnings, and how many there are more; remarks are only counted. */
export function briefFindings(findings: readonly Finding[]): readonly string[] {
  const grave = bySeverity(findings).filter(({ severity }) => severity !== "info"), remarks = findings.length - grave.length;
  const rows = grave.slice(0, MOST_SHOWN).map(({ severity, at, object, rule, message }) =>
    [left(severity), left(printable(at === null ? object : formatSourceRef(at))), left(rule), left(clip(printable(message), MESSAGE_WIDTH))]);
  const more = findings.length - rows.length;
  if (rows.length === 0) return remarks === 0 ? [] : [`${remarks} remarks about the manifests: egwsim status tells them`];
  return [...alignRows(rows, ""), ...(more === 0 ? [] : [`+${more} more: egwsim status tells them all`])];
}

/** Every finding with what Cilium does about it and the cure. */
export function wholeFindings(findings: readonly Finding[]): readonly string[] {
  return bySeverity(findings).flatMap(({ severity, at, object, rule, message, effect, fix }) => [
    `${severity}   ${printable(at === null ? object : formatSourceRef(at))}   ${rule}`,
    `  ${printable(message)}`, `  Cilium: ${printable(effect)}`, `  cure: ${printable(fix)}`,
  ]);
}
