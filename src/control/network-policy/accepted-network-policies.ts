// Which admitted network policies the agent takes (pkg/policy/api: Rule.Sanitize): it refuses an object as a whole.
import { formatPrefix } from "../../cluster/cidr.ts";
import type { Finding } from "../../cluster/finding.ts";
import type { EgressRule, NetworkPolicy, NetworkPolicySpec } from "../../cluster/network-policy.ts";
import { formatPath, type PathSegment, placeOf } from "../../cluster/origin.ts";
import type { Selector } from "../../cluster/selector.ts";
import { subjectSelector } from "./identity-selectors.ts";

/** A spec that restricts pods. */
export interface AcceptedSpec {
  readonly policy: NetworkPolicy;
  readonly spec: NetworkPolicySpec;
  readonly podSelectors: readonly Selector[];
  /** Everything that no rule allows is denied. */
  readonly defaultDeny: boolean;
}

export function networkPolicyTitle({ kind, namespace, name }: NetworkPolicy): string {
  return `${kind} ${namespace === "" ? name : `${namespace}/${name}`}`;
}

/** The specs of a policy that concern what pods send; none of an object that the agent refuses. */
export function acceptNetworkPolicy(policy: NetworkPolicy, findings: Finding[]): readonly AcceptedSpec[] {
  for (const { egress } of policy.specs) {
    for (const rule of egress) {
      const fault = refusal(rule);
      if (fault === null) continue;
      findings.push(refused(policy, rule, fault.message, fault.fix));
      return [];
    }
  }
  const accepted: AcceptedSpec[] = [];
  for (const spec of policy.specs) {
    if (spec.hasIngress) findings.push(ingressNotEnforced(policy, spec));
    if (spec.subject === null) findings.push(hostPolicy(policy, spec));
    const asked = spec.egress.length > 0 || spec.defaultDeny === true;
    if (spec.subject === null || !asked) continue;
    accepted.push({ policy, spec, podSelectors: [subjectSelector(policy, spec.subject)], defaultDeny: spec.defaultDeny ?? true });
  }
  return accepted;
}

function refusal(rule: EgressRule): { readonly message: string; readonly fix: string } | null {
  const [first, second] = rule.peerFields;
  if (first !== undefined && second !== undefined) return { message: `combines ${first} and ${second} in one rule`, fix: `make a rule of ${first} and one of ${second}` };
  if (rule.icmps.length > 0 && rule.toPorts.length > 0) return { message: "has icmps and toPorts in one rule", fix: "make a rule of each" };
  for (const { cidrs, except } of rule.cidrs) {
    const [within] = cidrs, outside = within === undefined ? undefined : except.find((each) => each.family !== within.family || each.bits < within.bits);
    if (within !== undefined && outside !== undefined)
      return { message: `excepts ${formatPrefix(outside)}, which is not inside of ${formatPrefix(within)}`, fix: "except prefixes inside of the cidr only" };
  }
  return null;
}

/** A finding about a network policy, at a path below it. */
export function networkPolicyFinding(policy: NetworkPolicy, path: readonly PathSegment[], said: Omit<Finding, "object" | "at">): Finding {
  return { object: networkPolicyTitle(policy), at: placeOf(policy.origin, ...path), ...said };
}

function refused(policy: NetworkPolicy, rule: EgressRule, message: string, fix: string): Finding {
  return networkPolicyFinding(policy, rule.path, {
    rule: "network-policy-ignored",
    severity: "error",
    message: `${policy.name} ${message} (${formatPath(rule.path)}): the agent refuses it`,
    effect: "the API server takes the object; no rule of it is in force, so pods that nothing else selects may send anywhere",
    fix,
  });
}

function ingressNotEnforced(policy: NetworkPolicy, spec: NetworkPolicySpec): Finding {
  return networkPolicyFinding(policy, spec.path, {
    rule: "ingress-not-enforced",
    severity: "info",
    message: `${policy.name} has ingress rules, which this run does not enforce`,
    effect: "Cilium drops at the destination pod what they do not allow; here every pod takes what reaches it",
    fix: "nothing to do for traffic to the outside and its replies",
  });
}

function hostPolicy(policy: NetworkPolicy, spec: NetworkPolicySpec): Finding {
  return networkPolicyFinding(policy, [...spec.path, "nodeSelector"], {
    rule: "host-policy-not-modelled",
    severity: "warning",
    message: `${policy.name} selects nodes: the host firewall is not modelled`,
    effect: "with the host firewall on, Cilium applies it to traffic of the nodes themselves, not to what pods send through a gateway",
    fix: "nothing to do for traffic of pods",
  });
}
