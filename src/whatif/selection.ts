// Why a policy does not select a pod: the selector that comes nearest, and each of its requirements that fails.
import { placeOf } from "../cluster/origin.ts";
import { formatSelector, requirementHolds, selectorMatches, type Requirement } from "../cluster/selector.ts";
import { formatSourceRef } from "../cluster/source.ts";
import type { AcceptedPolicy } from "../control/accepted-policies.ts";
import type { ClusterEndpoint } from "../control/cluster-endpoints.ts";
import type { CompiledControl } from "../control/compile.ts";

/** Policies named one by one; a cluster may have a thousand. */
const NAMED = 5;

/** Does the policy select the endpoint, by its labels and the node that it runs on? */
export function selects({ podSelectors, nodeSelectors }: AcceptedPolicy, { labels, node }: ClusterEndpoint): boolean {
  return podSelectors.some((selector) => selectorMatches(selector, labels))
    && (nodeSelectors.length === 0 || nodeSelectors.some((selector) => selectorMatches(selector, node.labels)));
}

/** One line per policy that would select the pod and that the agent ignores. */
export function ignoredThatSelect(control: Pick<CompiledControl, "endpoints" | "policiesIgnored">, pod: string): string[] {
  const endpoint = control.endpoints.find(({ title }) => title === pod);
  if (endpoint === undefined) return [];
  return control.policiesIgnored.filter((policy) => selects(policy, endpoint)).slice(0, NAMED).map(({ policy }) =>
    `${policy.name} (${formatSourceRef(placeOf(policy.origin))}) would select it, but the agent ignores it: ` +
      "interface and egressIP exclude each other, remove one");
}

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
