// Network policies of a cluster to the policy map of each identity (pkg/policy/repository.go).
import { addressKey } from "../address-family.ts";
import type { Finding } from "../../cluster/finding.ts";
import type { Cluster, Setting } from "../../cluster/model.ts";
import { formatPath, placeOf } from "../../cluster/origin.ts";
import type { Labels } from "../../cluster/selector.ts";
import type { AgentOptions } from "../agent-options.ts";
import type { AssumptionLog } from "../assumptions.ts";
import type { ClusterEndpoint } from "../cluster-endpoints.ts";
import type { ClusterNode } from "../cluster-nodes.ts";
import { SelectorIndex } from "../selector-index.ts";
import type { DatapathConfig } from "../tables.ts";
import { type AcceptedSpec, acceptNetworkPolicy, networkPolicyFinding, networkPolicyTitle } from "./accepted-network-policies.ts";
import { CidrIdentities } from "./cidr-identities.ts";
import { EVERYONE, KnownIdentities } from "./known-identities.ts";
import { ALLOW_ALL, type Contribution, makePolicyMap } from "./map-state.ts";
import type { IdentityPolicy, NetworkPolicyRuleRef, NetworkPolicyTables } from "./network-policy-tables.ts";
import type { EndpointPolicyMap } from "./policy-map.ts";
import { cidrsOf, ruleEntries } from "./rule-entries.ts";
import { type OwnerOfAddress, ruleFindings } from "./rule-findings.ts";

/** pkg/option/config.go: bpf-policy-map-max. */
const POLICY_MAP_ENTRIES = 16_384;
const FEWEST_ENTRIES = 256;
const MOST_ENTRIES = 65_536;

export interface PolicyOptions {
  readonly enforcement: NetworkPolicyTables["enforcement"];
  readonly mapMax: number;
  readonly audit: boolean;
  readonly icmpRules: boolean;
  readonly enforcementSetting: Setting | undefined;
}

export function readPolicyOptions(options: AgentOptions): PolicyOptions {
  return {
    enforcement: options.oneOf("enable-policy", ["default", "always", "never"], "default"),
    mapMax: options.count("bpf-policy-map-max", POLICY_MAP_ENTRIES, FEWEST_ENTRIES, MOST_ENTRIES),
    audit: options.flag("policy-audit-mode", false),
    icmpRules: options.flag("enable-icmp-rules", true),
    enforcementSetting: options.setting("enable-policy"),
  };
}

export interface CompiledNetworkPolicy {
  readonly tables: NetworkPolicyTables;
  readonly cidrs: CidrIdentities;
}

export function compileNetworkPolicy(
  cluster: Cluster, config: DatapathConfig, clusterName: string, options: PolicyOptions, endpoints: readonly ClusterEndpoint[], nodes: readonly ClusterNode[],
  assumptions: AssumptionLog, findings: Finding[],
): CompiledNetworkPolicy {
  const { networkPolicies, cidrGroups: groups } = cluster;
  const cidrs = new CidrIdentities(config.worldIdentity, config.worldIdentity6);
  const accepted = networkPolicies.flatMap((policy) => acceptNetworkPolicy(policy, findings));
  for (const { spec } of accepted) {
    for (const peer of spec.egress.flatMap((rule) => rule.cidrs)) for (const prefix of [...cidrsOf(peer, groups), ...peer.except]) cidrs.add(prefix);
  }
  assumptions.note("cidr-identity-derived", cidrs.list().length);
  const identities = new KnownIdentities(endpoints, cluster.identities, cidrs, clusterName), context = { identities, cidrs, groups };
  const ownerOf = ownersOfAddresses(endpoints, nodes);
  const rules: NetworkPolicyRuleRef[] = [];
  const specs = accepted.map((each, policy): CompiledSpec => ({
    ...each,
    contributions: each.spec.egress.map((rule) => {
      findings.push(...ruleFindings(each.policy, rule, context, ownerOf));
      rules.push({ policy, path: formatPath(rule.path), at: placeOf(each.policy.origin, ...rule.path), deny: rule.deny });
      return ruleEntries(each.policy, rule, rules.length - 1, context);
    }),
  }));
  const byIdentity = options.enforcement === "never" ? new Map<number, IdentityPolicy>() : new IdentityMaps(specs, options, findings).of(endpoints);
  if (options.enforcement === "never" && accepted.length > 0) findings.push(notEnforced(specs, options));
  else findings.push(...selectNothing(specs, byIdentity));
  if (options.enforcement === "always") findings.push(...alwaysEnforced(byIdentity, options));
  return {
    tables: {
      enforcement: options.enforcement,
      policies: accepted.map(({ policy, spec }) => ({ title: networkPolicyTitle(policy), at: placeOf(policy.origin, ...spec.path) })),
      rules, byIdentity, audit: options.audit, icmpRules: options.icmpRules,
    },
    cidrs,
  };
}

interface CompiledSpec extends AcceptedSpec {
  readonly contributions: readonly Contribution[];
}

/** Maps are made once for each combination of policies, however many identities it is for. */
class IdentityMaps {
  readonly #specs: readonly CompiledSpec[];
  readonly #index: SelectorIndex;
  readonly #options: PolicyOptions;
  readonly #findings: Finding[];
  readonly #made = new Map<string, IdentityPolicy>();

  constructor(specs: readonly CompiledSpec[], options: PolicyOptions, findings: Finding[]) {
    this.#specs = specs;
    this.#index = new SelectorIndex(specs);
    this.#options = options;
    this.#findings = findings;
  }

  of(endpoints: readonly ClusterEndpoint[]): ReadonlyMap<number, IdentityPolicy> {
    const found = new Map<number, IdentityPolicy>();
    for (const { identity, labels, title, selectable } of endpoints) {
      if (!selectable || found.has(identity)) continue;
      const policy = this.#policyFor(labels, title);
      if (policy !== null) found.set(identity, policy);
    }
    return found;
  }

  #policyFor(labels: Labels, title: string): IdentityPolicy | null {
    const policies = this.#index.policiesFor(labels), always = this.#options.enforcement === "always";
    if (policies.length === 0 && !always) return null;
    const key = policies.join(" ");
    let made = this.#made.get(key);
    if (made === undefined) {
      made = { map: this.#map(policies, always, title), policies };
      this.#made.set(key, made);
    }
    return made;
  }

  #map(policies: readonly number[], always: boolean, title: string): EndpointPolicyMap {
    const specs = policies.flatMap((policy) => this.#specs[policy] ?? []), open = !always && !specs.some(({ defaultDeny }) => defaultDeny);
    const contributions = [...specs.flatMap((spec) => spec.contributions), ...(open ? [{ identities: EVERYONE, ports: [ALLOW_ALL] }] : [])];
    const { map, wanted } = makePolicyMap(contributions, this.#options.mapMax), [first] = specs;
    if (map.lockedDown && first !== undefined) this.#findings.push(mapFull(first, title, wanted, this.#options.mapMax));
    return map;
  }
}

function ownersOfAddresses(endpoints: readonly ClusterEndpoint[], nodes: readonly ClusterNode[]): OwnerOfAddress {
  const owners = new Map<number | bigint, string>();
  for (const { title, addresses, addresses6 } of endpoints) for (const address of [...addresses, ...addresses6]) owners.set(addressKey(address), title);
  for (const { name, address, address6 } of nodes) for (const each of [address, address6]) owners.set(addressKey(each), name);
  return (address) => owners.get(addressKey(address));
}

function selectNothing(specs: readonly CompiledSpec[], byIdentity: ReadonlyMap<number, IdentityPolicy>): readonly Finding[] {
  const used = new Set([...byIdentity.values()].flatMap(({ policies }) => policies));
  return specs.flatMap(({ policy, spec }, index) => (used.has(index) ? [] : [networkPolicyFinding(policy, spec.path, {
    rule: "network-policy-selects-nothing",
    severity: "warning",
    message: `${policy.name} selects no pod`,
    effect: "its rules are in no pod's map",
    fix: "compare its selector with the pods' labels; a namespaced policy selects in its own namespace only",
  })]));
}

function notEnforced(specs: readonly CompiledSpec[], { enforcementSetting }: PolicyOptions): Finding {
  return {
    rule: "policy-enforcement-never",
    severity: "warning",
    object: "Option enable-policy",
    at: enforcementSetting === undefined ? null : placeOf(enforcementSetting.origin),
    message: `policy enforcement is never: none of ${specs.length} network policies is in force`,
    effect: "every pod may send anywhere",
    fix: "set policyEnforcementMode to default",
  };
}

function alwaysEnforced(byIdentity: ReadonlyMap<number, IdentityPolicy>, { enforcementSetting }: PolicyOptions): readonly Finding[] {
  const unselected = [...byIdentity.values()].filter(({ policies }) => policies.length === 0).length;
  if (unselected === 0) return [];
  return [{
    rule: "policy-enforcement-always",
    severity: "warning",
    object: "Option enable-policy",
    at: enforcementSetting === undefined ? null : placeOf(enforcementSetting.origin),
    message: `policy enforcement is always: no network policy selects the pods of ${unselected} ${unselected === 1 ? "identity" : "identities"}`,
    effect: "all that they send is denied (133), before any egress gateway",
    fix: "give them a policy that allows what they need, or set policyEnforcementMode to default",
  }];
}

function mapFull({ policy, spec }: CompiledSpec, title: string, wanted: number, limit: number): Finding {
  return networkPolicyFinding(policy, spec.path, {
    rule: "network-policy-map-full",
    severity: "error",
    message: `the policies of ${title} make ${wanted.toLocaleString("en-US")} entries, a policy map holds ${limit.toLocaleString("en-US")}`,
    effect: "the agent locks the pod down: all its entries are replaced by a denial of everything, in both directions",
    fix: "raise bpf-policy-map-max (Helm: bpf.policyMapMax), or select fewer identities and prefixes",
  });
}
