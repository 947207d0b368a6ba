// What the agent makes of an admitted policy (pkg/egressgateway/policy.go, ParseCEGP).
import { formatIpv4, formatPrefix, type IpPrefix } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import type { EgressGatewayPolicy, EndpointSelector, GatewayItem } from "../cluster/model.ts";
import { type PathSegment, placeOf } from "../cluster/origin.ts";
import type { Requirement, Selector } from "../cluster/selector.ts";
import { type AddressFamily, FAMILY_4, FAMILY_6 } from "./address-family.ts";
import { NAMESPACE_LABELS_PREFIX, POD_NAMESPACE_LABEL } from "./identity-labels.ts";
import type { PrefixOf } from "./tables.ts";

/** cilium-1.19: as the agent does. intent: a gateway item may name both an interface and an egress IP, and means every node that
 * can serve (intended-gateways.ts). */
export type Semantics = "cilium-1.19" | "intent";

/** A prefix as the kernel compares it, and every way in which the policy writes it. */
export interface PolicyPrefix<Address> {
  readonly prefix: PrefixOf<Address>;
  readonly spellings: readonly string[];
}

/** Without repetition, in the order written. */
export interface PolicyPrefixes<Address> {
  readonly destinations: readonly PolicyPrefix<Address>[];
  readonly excluded: readonly PolicyPrefix<Address>[];
}

export interface AcceptedPolicy {
  readonly policy: EgressGatewayPolicy;
  /** Index into the tables' policies. */
  readonly index: number;
  /** One requirement list per item of `selectors`, over identity labels; a pod is selected by any of them. */
  readonly podSelectors: readonly Selector[];
  /** All items' node selectors in one list: the agent does not pair them with their own item. Empty: every node. */
  readonly nodeSelectors: readonly Selector[];
  readonly fourth: PolicyPrefixes<number>;
  readonly sixth: PolicyPrefixes<bigint>;
  /** Some destination is of IPv6; excluded prefixes do not count. The agent then wants an IPv6 egress address too. */
  readonly v6Needed: boolean;
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
    fourth: prefixesOf(FAMILY_4, policy),
    sixth: prefixesOf(FAMILY_6, policy),
    v6Needed: policy.destinationCidrs.some(({ family }) => family === 6),
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

function prefixesOf<Address extends number | bigint>(family: AddressFamily<Address>, policy: EgressGatewayPolicy): PolicyPrefixes<Address> {
  return { destinations: distinctPrefixes(family, policy.destinationCidrs), excluded: distinctPrefixes(family, policy.excludedCidrs) };
}

function distinctPrefixes<Address extends number | bigint>(
  family: AddressFamily<Address>,
  prefixes: readonly IpPrefix[],
): readonly PolicyPrefix<Address>[] {
  const distinct = new Map<string, { readonly prefix: PrefixOf<Address>; readonly spellings: string[] }>();
  for (const each of prefixes) {
    const written = family.prefixOf(each);
    if (written === null) continue;
    const prefix = family.mask(written);
    const key = `${prefix.address}/${prefix.bits}`;
    const spelling = formatPrefix(written);
    const known = distinct.get(key);
    if (known === undefined) distinct.set(key, { prefix, spellings: [spelling] });
    else if (!known.spellings.includes(spelling)) known.spellings.push(spelling);
  }
  return [...distinct.values()];
}

function noteOddities(policy: EgressGatewayPolicy, findings: Finding[]): void {
  for (const field of ["destinationCIDRs", "excludedCIDRs"] as const) {
    const prefixes = field === "destinationCIDRs" ? policy.destinationCidrs : policy.excludedCidrs;
    for (const [index, prefix] of prefixes.entries()) {
      const masked = prefix.family === 4 ? FAMILY_4.mask(prefix) : FAMILY_6.mask(prefix);
      if (masked.address !== prefix.address) findings.push(hostBits(policy, prefix, masked, ["spec", field, index]));
    }
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

function hostBits(policy: EgressGatewayPolicy, prefix: IpPrefix, means: PrefixOf<number | bigint>, path: readonly PathSegment[]): Finding {
  const masked = formatPrefix(means);
  return policyFinding(policy, path, {
    rule: "host-bits",
    severity: "info",
    message: `${policy.name} writes ${formatPrefix(prefix)}, which is ${masked}`,
    effect: "the datapath ignores the bits behind the prefix; cilium-dbg shows the prefix as written",
    fix: `write ${masked}`,
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
