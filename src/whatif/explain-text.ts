import type { ExplainedPath, Explanation } from "./explain.ts";

/** The explanation as a person reads it; at most a screen. */
export function explainText(explanation: Explanation): string {
  const { pod, request, answer, outside } = explanation;
  const lines = [`${pod.name} (${pod.address}, identity ${pod.identity}, ${pod.node})  ->  ${explanation.destination}/${explanation.protocol.toLowerCase()}`, ""];
  const width = Math.max(...[...request.steps, ...(answer?.steps ?? [])].map((step) => step.node.length), "outside".length) + 2;
  lines.push(...pathLines(request, width));
  if (outside !== null) lines.push(`  ${"outside".padEnd(width)}${" ".repeat(17)}${outsideText(outside)} -> ${outside.destination}   TTL ${outside.ttl}`);
  if (answer !== null) lines.push("", "  the answer", ...pathLines(answer, width));
  lines.push("", `  ${verdictLine(explanation)}`);
  const failed = explanation.conditions.filter(({ holds }) => !holds);
  for (const condition of failed) lines.push(`    ${condition.condition}: ${condition.detail}`, ...condition.change.split("\n").map((line) => `      ${line}`));
  if (explanation.alsoMatched.length > 0) lines.push("", ...explanation.alsoMatched.map((entry) => `  also matched, shorter: ${entry}`));
  for (const { rule, policies, outcomes } of explanation.conflicts)
    lines.push("", `  not settled (${rule}): ${policies.join(" and ")} want this entry, each reconciliation moves it; traffic`, ...outcomes.map((outcome) => `    ${outcome}`));
  for (const line of explanation.undetermined) lines.push("", `  undetermined: ${line}`);
  return `${lines.join("\n")}\n`;
}

/** An IPv6 address with a port is written in brackets. */
function outsideText({ source, sourcePort }: NonNullable<Explanation["outside"]>): string {
  if (sourcePort === 0) return source;
  return source.includes(":") ? `[${source}]:${sourcePort}` : `${source}:${sourcePort}`;
}

function pathLines(path: ExplainedPath, width: number): string[] {
  return path.steps.flatMap((step) => step.facts.map((fact, index) =>
    index === 0 ? `  ${step.node.padEnd(width)}${step.hook.padEnd(17)}${fact}` : `  ${" ".repeat(width + 17)}${fact}`));
}

function verdictLine(explanation: Explanation): string {
  const { request, outside } = explanation;
  if (request.drop !== null) return `dropped: ${request.drop.code} ${request.drop.text}`;
  if (explanation.throughGateway) return `through the gateway ${explanation.gateway ?? "?"}, policy ${explanation.policy ?? "?"}: the outside sees ${outside?.source ?? "?"}`;
  if (request.outcome === "refused") return "not through the gateway: the service has no backend, and the pod is told so";
  if (request.outcome === "delivered") return "not through the gateway: delivered inside the cluster";
  if (request.outcome === "passed") return "not through the gateway: handed to a node's stack";
  return `not through the gateway: the outside sees ${outside?.source ?? "?"}`;
}
