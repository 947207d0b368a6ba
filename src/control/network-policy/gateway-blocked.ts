// Pods that an egress gateway policy selects and that a network policy keeps from all of its destinations: policy comes first.
import type { Finding } from "../../cluster/finding.ts";
import { type AcceptedPolicy, policyFinding } from "../accepted-policies.ts";
import type { ClusterEndpoint } from "../cluster-endpoints.ts";
import { SelectorIndex } from "../selector-index.ts";
import type { CompiledNetworkPolicy } from "./network-policies.ts";
import type { EndpointPolicyMap } from "./policy-map.ts";

export function gatewaysBlocked(
  gateways: readonly AcceptedPolicy[], endpoints: readonly ClusterEndpoint[], { tables, cidrs }: CompiledNetworkPolicy,
): readonly Finding[] {
  if (tables.byIdentity.size === 0 || tables.audit) return [];
  const index = new SelectorIndex(gateways), answers = new Map<EndpointPolicyMap, Map<number, boolean>>();
  const destinations = gateways.map(({ policy }) => new Set(policy.destinationCidrs.flatMap((prefix) => cidrs.over(prefix))));
  const blocked = new Map<number, { readonly first: string; readonly by: string; pods: number }>();
  for (const { identity, labels, title } of endpoints) {
    const policy = tables.byIdentity.get(identity);
    if (policy === undefined) continue;
    const ofMap = answers.get(policy.map) ?? new Map<number, boolean>();
    answers.set(policy.map, ofMap);
    for (const gateway of index.policiesFor(labels)) {
      const isAllowed = ofMap.get(gateway) ?? allowsSome(policy.map, destinations[gateway] ?? new Set());
      ofMap.set(gateway, isAllowed);
      if (isAllowed) continue;
      const known = blocked.get(gateway);
      if (known !== undefined) known.pods++;
      else blocked.set(gateway, { first: title, by: tables.policies[policy.policies[0] ?? -1]?.title ?? "the enforcement mode", pods: 1 });
    }
  }
  return [...blocked].flatMap(([gateway, { first, by, pods }]) => {
    const policy = gateways[gateway]?.policy;
    if (policy === undefined) return [];
    const more = pods === 1 ? "" : ` and ${pods - 1} more pods`;
    return [policyFinding(policy, ["spec", "destinationCIDRs"], {
      rule: "network-policy-blocks-gateway",
      severity: "warning",
      message: `${policy.name} has a gateway for ${first}${more}, but ${by} allows none of its destinations`,
      effect: "network policy is applied in the pod's program, before the egress gateway: the packets are dropped there",
      fix: "allow the destinations in the network policy (toCIDRSet, or toEntities: world), or leave the pods out of the gateway policy",
    })];
  });
}

/** Does an entry allow anything to one of the identities? A policy without destinations asks for nothing. */
function allowsSome({ groups }: EndpointPolicyMap, wanted: ReadonlySet<number>): boolean {
  return wanted.size === 0 || groups.some(({ direction, identities, ports }) =>
    direction === "egress" && ports.some(({ deny }) => !deny) && identities.some((identity) => identity === 0 || wanted.has(identity)));
}
