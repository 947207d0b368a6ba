// What the agent makes of an admitted policy (pkg/egressgateway/policy.go, ParseCEGP).
import { formatIpv4, formatIpv4Prefix, ipv4Mask, type Ipv4Prefix, type IpPrefix, maskIpv4 } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import type { EgressGatewayPolicy, EndpointSelector, GatewayItem } from "../cluster/model.ts";
import { type PathSegment, placeOf } from "../cluster/origin.ts";
import type { Requirement, Selector } from "../cluster/selector.ts";
import { NAMESPACE_LABELS_PREFIX, POD_NAMESPACE_LABEL } from "./identity-labels.ts";

/** cilium-1.19: as the agent does. intent: a gateway item may name both an interface and an egress IP. */
export type Semantics = "cilium-1.19" | "intent";

export interface AcceptedPolicy {
  readonly policy: EgressGatewayPolicy;
  /** Index into the tables' policies. */
  readonly index: number;
  /** One requirement list per item of `selectors`, over identity labels; a pod is selected by any of them. */
  readonly podSelectors: readonly Selector[];
  /** All items' node selectors in one list: the agent does not pair them with their own item. Empty: every node. */
  readonly nodeSelectors: readonly Selector[];
  /** Masked and without repetition, in the order written. */
  readonly destinations: readonly Ipv4Prefix[];
  readonly excluded: readonly Ipv4Prefix[];
  readonly gateways: readonly GatewayItem[];
}

export function policyTitle(policy: EgressGatewayPolicy): string {
  return `CiliumEgressGatewayPolicy ${policy.name}`;
}

/** The policy as the agent works with it, or null where it ignores the object; findings say why and what is odd. */
export function acceptPolicy(policy: EgressGatewayPolicy, index: number, semantics: Semantics, findings: Finding[]): AcceptedPolicy | null {
  const gateways = policy.egressGateways.length > 0 ? policy.egressGateways : [policy.egressGateway];
  const both = gateways.find((gateway) => gateway.interfaceName !== "" && gateway.egressIp !== null);
  if (both !== undefined && semantics === "cilium-1.19") {
    const message = `${policy.name} sets both interface and egressIP: the agent ignores it`;
    const fix = `remove interface or egressIP; egressIP ${formatIpv4(both.egressIp ?? 0)} alone finds its device itself`;
    findings.push(ignored(policy, both.path, message, fix));
    return null;
  }
  const bare = policy.selectors.findIndex((each) => each.podSelector === null && each.namespaceSelector === null);
  if (bare >= 0) {
    const message = `${policy.name} has a selector with neither podSelector nor namespaceSelector: the agent ignores it`;
    findings.push(ignored(policy, ["spec", "selectors", bare], message, "add podSelector: {} to the selector to mean every pod"));
    return null;
  }
  noteOddities(policy, findings);
  return {
    policy,
    index,
    podSelectors: policy.selectors.map(identitySelector),
    nodeSelectors: policy.selectors.flatMap((each) => (each.nodeSelector === null ? [] : [each.nodeSelector])),
    destinations: distinctPrefixes(policy.destinationCidrs),
    excluded: distinctPrefixes(policy.excludedCidrs),
    gateways,
  };
}

/** podSelector AND namespaceSelector of one item; the latter's keys get the prefix under which an identity holds the
 * namespace's labels, and an empty one asks for the namespace label alone. */
function identitySelector(selector: EndpointSelector): Selector {
  const { namespaceSelector } = selector;
  if (namespaceSelector === null) return selector.podSelector ?? [];
  const ofNamespace: Selector =
    namespaceSelector.length === 0
      ? [{ key: POD_NAMESPACE_LABEL, operator: "Exists" }]
      : namespaceSelector.map((requirement): Requirement => ({ ...requirement, key: NAMESPACE_LABELS_PREFIX + requirement.key }));
  return [...(selector.podSelector ?? []), ...ofNamespace];
}

function distinctPrefixes(prefixes: readonly IpPrefix[]): readonly Ipv4Prefix[] {
  const distinct = new Map<string, Ipv4Prefix>();
  for (const prefix of prefixes) {
    if (prefix.family !== 4) continue;
    const masked = maskIpv4(prefix);
    distinct.set(formatIpv4Prefix(masked), masked);
  }
  return [...distinct.values()];
}

function noteOddities(policy: EgressGatewayPolicy, findings: Finding[]): void {
  for (const field of ["destinationCIDRs", "excludedCIDRs"] as const) {
    const prefixes = field === "destinationCIDRs" ? policy.destinationCidrs : policy.excludedCidrs;
    for (const [index, prefix] of prefixes.entries()) {
      const hasHostBits = prefix.family === 4 && (prefix.address & ~ipv4Mask(prefix.bits)) !== 0;
      if (hasHostBits) findings.push(hostBits(policy, prefix, ["spec", field, index]));
    }
    const sixth = prefixes.findIndex((prefix) => prefix.family === 6);
    if (sixth >= 0) findings.push(notRouted(policy, ["spec", field, sixth]));
  }
  for (const [index, selector] of policy.selectors.entries()) {
    for (const part of ["podSelector", "namespaceSelector"] as const) {
      const key = (selector[part] ?? []).map((requirement) => requirement.key).find((each) => /^(k8s|any):/.test(each));
      if (key !== undefined) findings.push(sourceInKey(policy, key, ["spec", "selectors", index, part]));
    }
  }
  const withNodes = policy.selectors.filter((selector) => selector.nodeSelector !== null).length;
  if (withNodes > 0 && policy.selectors.length > 1) findings.push(sharedNodeSelectors(policy));
  if (policy.destinationCidrs.length === 0) findings.push(noDestination(policy));
}

function ignored(policy: EgressGatewayPolicy, path: readonly PathSegment[], message: string, fix: string): Finding {
  return policyFinding(policy, path, {
    rule: "policy-ignored",
    severity: "error",
    message,
    effect:
      "the API server takes the object, the agent logs a warning and keeps an older valid version if it had one: " +
      "the policy's traffic leaves with its own node's address",
    fix,
  });
}

function hostBits(policy: EgressGatewayPolicy, prefix: Ipv4Prefix, path: readonly PathSegment[]): Finding {
  const masked = formatIpv4Prefix(maskIpv4(prefix));
  return policyFinding(policy, path, {
    rule: "host-bits",
    severity: "info",
    message: `${policy.name} writes ${formatIpv4Prefix(prefix)}, which is ${masked}`,
    effect: "the datapath ignores the bits behind the prefix; cilium-dbg shows the prefix as written",
    fix: `write ${masked}`,
  });
}

function notRouted(policy: EgressGatewayPolicy, path: readonly PathSegment[]): Finding {
  return policyFinding(policy, path, {
    rule: "ipv6-not-routed",
    severity: "info",
    message: `${policy.name} names IPv6 prefixes`,
    effect: "Cilium applies them; this build routes IPv4 only and leaves them out",
    fix: "nothing to do for IPv4 traffic",
  });
}

function sourceInKey(policy: EgressGatewayPolicy, key: string, path: readonly PathSegment[]): Finding {
  return policyFinding(policy, path, {
    rule: "label-source-in-key",
    severity: "warning",
    message: `${policy.name} selects by the key ${key}`,
    effect: "egress policies compare keys without their source, so this one is on no endpoint",
    fix: `write ${key.slice(key.indexOf(":") + 1)}`,
  });
}

function sharedNodeSelectors(policy: EgressGatewayPolicy): Finding {
  return policyFinding(policy, ["spec", "selectors"], {
    rule: "node-selectors-shared",
    severity: "warning",
    message: `${policy.name} has a nodeSelector in one of several selectors: it restricts the pods of all of them`,
    effect: "the agent keeps all node selectors of a policy in one list and asks for any of them, whichever selector chose the pod",
    fix: "make a policy of each selector",
  });
}

function noDestination(policy: EgressGatewayPolicy): Finding {
  return policyFinding(policy, ["spec", "destinationCIDRs"], {
    rule: "no-destination",
    severity: "info",
    message: `${policy.name} names no destination`,
    effect: "the agent takes it and it matches no traffic",
    fix: "add destinationCIDRs",
  });
}

/** A finding about a policy, at a path below it. */
export function policyFinding(
  policy: EgressGatewayPolicy,
  path: readonly PathSegment[],
  said: Omit<Finding, "object" | "at">,
): Finding {
  return { object: policyTitle(policy), at: placeOf(policy.origin, ...path), ...said };
}
