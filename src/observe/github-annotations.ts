import type { Report } from "./report-shape.ts";

// Workflow commands of GitHub Actions: properties escape % \r \n : and , and messages % \r \n.
const message = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
const property = (text: string): string => message(text).replaceAll(":", "%3A").replaceAll(",", "%2C");

const COMMANDS = { error: "error", warning: "warning", info: "notice" } as const;

/** One workflow command per finding and per drop reason; "" where there is nothing to point at. */
export function githubAnnotations(report: Report): string {
  const findings = report.findings.map((finding) => {
    const place = finding.at === null ? "" : `file=${property(finding.at.file)},line=${finding.at.line},col=${finding.at.column},`;
    return `::${COMMANDS[finding.severity]} ${place}title=${property(`egwsim ${finding.rule}`)}::${message(`${finding.object}: ${finding.message}`)}\n`;
  });
  const drops = report.drops.map((drop) => {
    const at = [drop.node, drop.policy].filter((name) => name !== null).join(", ");
    const text = `${drop.packets} packets dropped: ${drop.text}${at === "" ? "" : ` (${at})`}, first is packet ${drop.firstPacket}`;
    return `::warning title=${property(`egwsim drop ${drop.code}`)}::${message(text)}\n`;
  });
  return [...findings, ...drops].join("");
}
