// Why a policy does not select a pod: the selector that comes nearest, and each of its requirements that fails.
import { formatSelector, requirementHolds, selectorMatches, type Requirement } from "../cluster/selector.ts";
import type { CompiledControl } from "../control/compile.ts";

/** Policies named one by one; a cluster may have a thousand. */
const NAMED = 5;

/** One line per policy in force that does not select the pod (namespace/name), those that miss least first. */
export function whyNotSelected(control: Pick<CompiledControl, "endpoints" | "policiesInForce">, pod: string): string[] {
  const endpoint = control.endpoints.find(({ title }) => title === pod);
  if (endpoint === undefined) return [];
  const misses = control.policiesInForce.flatMap(({ policy, podSelectors, nodeSelectors }) => {
    const onNode = nodeSelectors.length === 0 || nodeSelectors.some((selector) => selectorMatches(selector, endpoint.node.labels));
    const missing = podSelectors
      .map((selector) => selector.filter((requirement) => !requirementHolds(requirement, endpoint.labels)))
      .reduce<readonly Requirement[] | null>((least, failing) => (least === null || failing.length < least.length ? failing : least), null);
    if (missing !== null && missing.length === 0 && onNode) return [];
    const facts = [
      ...(missing === null ? ["it has no selector"] : missing.map((requirement) => wanted(requirement, endpoint.labels.get(requirement.key)))),
      ...(onNode ? [] : [`its node selector wants ${nodeSelectors.map(formatSelector).join(" or ")}, which ${endpoint.node.name} does not match`]),
    ];
    return [{ count: facts.length, text: `${policy.name} ${facts.join("; ")}` }];
  });
  misses.sort((a, b) => a.count - b.count);
  const lines = misses.slice(0, NAMED).map(({ text }) => text);
  return misses.length > NAMED ? [...lines, `and ${misses.length - NAMED} more`] : lines;
}

function wanted(requirement: Requirement, value: string | undefined): string {
  return `wants ${formatSelector([requirement])}, the pod has ${value === undefined ? `no label ${requirement.key}` : `${requirement.key}=${value}`}`;
}
