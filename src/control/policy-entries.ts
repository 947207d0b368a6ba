// The egress policy maps (pkg/egressgateway/manager.go, updateEgressRules4 and 6): an entry per endpoint address and prefix.
// The agent writes in random order; here the policy whose name comes first keeps a contested slot, and addresses are filled in
// ascending until the map is full.
import type { Finding } from "../cluster/finding.ts";
import type { EgressGatewayPolicy } from "../cluster/model.ts";
import { selectorMatches } from "../cluster/selector.ts";
import { type AcceptedPolicy, policyFinding } from "./accepted-policies.ts";
import { FAMILY_4, FAMILY_6 } from "./address-family.ts";
import type { AssumptionLog } from "./assumptions.ts";
import type { ClusterEndpoint } from "./cluster-endpoints.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import { conflictFinding, type ConflictGroup } from "./conflict-findings.ts";
import { type Conflict, conflictsOf, type OpenConflict } from "./conflicts.ts";
import { fnv1a32 } from "./derived-addresses.ts";
import { type MapOverflow, overflowFinding, OverflowTally, pressureFinding } from "./map-overflow.ts";
import { type Choice, PolicySlots, type ResolvedGateway, type ResolvedPolicy, type SlotWant } from "./policy-slots.ts";
import { SelectorIndex } from "./selector-index.ts";
import { type DatapathConfig, GATEWAY_NONE, type PolicyEntry, type PolicyEntry6 } from "./tables.ts";

const NO_GATEWAY: ResolvedGateway = { address: GATEWAY_NONE, egressIp: 0, egressIp6: 0n, egressIfindex: 0, node: -1 };

export interface PolicyMaps {
  /** Sorted by source, then in the order of the policies' names and prefixes. */
  readonly policyEntries: readonly PolicyEntry[];
  readonly policyEntries6: readonly PolicyEntry6[];
  readonly conflicts: readonly Conflict[];
  readonly overflows: readonly MapOverflow[];
}

export function buildPolicyMaps(
  resolved: readonly ResolvedPolicy[],
  policies: readonly EgressGatewayPolicy[],
  endpoints: readonly ClusterEndpoint[],
  nodes: readonly ClusterNode[],
  config: DatapathConfig,
  assumptions: AssumptionLog,
  findings: Finding[],
): PolicyMaps {
  const planned = planEndpoints(resolved, endpoints, config.ipv6, assumptions, findings);
  const tally4 = new OverflowTally("cilium_egress_gw_policy_v4", config.policyMapMax);
  const policyEntries: PolicyEntry[] = [];
  for (const { address, endpoint, plan } of inOrder(planned, ({ addresses }) => addresses)) {
    for (const { destination, gatewayIp, egressIp, gatewayNode, policy } of plan.fourth) {
      if (tally4.takes(policy, endpoint)) policyEntries.push({ source: address, destination, gatewayIp, egressIp, gatewayNode, policy });
    }
  }
  const tally6 = new OverflowTally("cilium_egress_gw_policy_v6", config.policyMapMax);
  const policyEntries6: PolicyEntry6[] = [];
  for (const { address, endpoint, plan } of inOrder(planned, ({ addresses6 }) => addresses6)) {
    for (const { destination, gatewayIp, egressIp, egressIfindex, gatewayNode, policy } of plan.sixth) {
      if (tally6.takes(policy, endpoint)) policyEntries6.push({ source: address, destination, gatewayIp, egressIp, egressIfindex, gatewayNode, policy });
    }
  }
  const overflows = [tally4.overflow(), tally6.overflow()].filter((overflow) => overflow !== null);
  for (const overflow of overflows) findings.push(...overflowFinding(overflow, policies));
  for (const [map, { length }] of [["cilium_egress_gw_policy_v4", policyEntries], ["cilium_egress_gw_policy_v6", policyEntries6]] as const)
    if (!overflows.some((overflow) => overflow.map === map)) findings.push(...pressureFinding(map, length, config.policyMapMax, policies));
  const { conflicts, groups } = countConflicts(planned);
  const nodeNames = nodes.map(({ name }) => name);
  findings.push(...groups.map((group) => conflictFinding(group, policies, nodeNames)).filter((finding) => finding !== null));
  return { policyEntries, policyEntries6, conflicts, overflows };
}

/** The entries of every pod that the same policies select with the same gateways, made once. */
interface Plan {
  readonly fourth: readonly SlotWant<number>[];
  readonly sixth: readonly SlotWant<bigint>[];
  readonly conflicts4: readonly OpenConflict[];
  readonly conflicts6: readonly OpenConflict[];
}

interface PlannedEndpoint {
  readonly endpoint: ClusterEndpoint;
  readonly plan: Plan;
}

function planEndpoints(
  policies: readonly ResolvedPolicy[],
  endpoints: readonly ClusterEndpoint[],
  ipv6: boolean,
  assumptions: AssumptionLog,
  findings: Finding[],
): readonly PlannedEndpoint[] {
  const index = new SelectorIndex(policies.map(({ accepted }) => accepted));
  const nodes = new NodeFilter(policies);
  const slots4 = new PolicySlots(FAMILY_4, policies, ({ fourth }) => fourth, ({ egressIp }) => egressIp);
  const slots6 = new PolicySlots(FAMILY_6, policies, ({ sixth }) => sixth, ({ egressIp6 }) => egressIp6);
  const selected = new Uint32Array(policies.length);
  const uidDerived = new Set<ClusterEndpoint>();
  const plans = new Map<string, Plan>();
  const planned: PlannedEndpoint[] = [];
  for (const endpoint of endpoints) {
    if (!endpoint.selectable) continue;
    const choices: Choice[] = [];
    let key = "";
    for (const position of index.policiesFor(endpoint.labels)) {
      const policy = policies[position];
      if (policy === undefined || !nodes.allows(position, endpoint.node)) continue;
      selected[position] = (selected[position] ?? 0) + 1;
      const { gateways } = policy;
      const turn = gateways.length < 2 ? 0 : fnv1a32(endpoint.uid) % gateways.length;
      if (gateways.length > 1 && !endpoint.uidKnown) uidDerived.add(endpoint);
      choices.push({ position, gateway: gateways[turn] ?? NO_GATEWAY });
      key += `${position}:${turn} `;
    }
    if (choices.length === 0) continue;
    const plan = plans.get(key) ?? makePlan(slots4, slots6, choices, ipv6);
    plans.set(key, plan);
    planned.push({ endpoint, plan });
  }
  assumptions.note("endpoint-uid-derived", uidDerived.size);
  for (const [position, { accepted }] of policies.entries()) if (selected[position] === 0) findings.push(selectsNothing(accepted));
  return planned;
}

function makePlan(slots4: PolicySlots<number>, slots6: PolicySlots<bigint>, choices: readonly Choice[], ipv6: boolean): Plan {
  return {
    fourth: slots4.slotsOf(choices).flatMap(([winner]) => winner ?? []),
    sixth: ipv6 ? slots6.slotsOf(choices).flatMap(([winner]) => winner ?? []) : [],
    conflicts4: conflictsOf(slots4, choices),
    conflicts6: ipv6 ? conflictsOf(slots6, choices) : [],
  };
}

/** Every address of every planned endpoint, ascending. */
function inOrder<Address extends number | bigint>(
  planned: readonly PlannedEndpoint[],
  addressesOf: (endpoint: ClusterEndpoint) => readonly Address[],
): readonly (PlannedEndpoint & { readonly address: Address })[] {
  return planned
    .flatMap(({ endpoint, plan }) => addressesOf(endpoint).map((address) => ({ address, endpoint, plan })))
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

interface PlanUse {
  /** Pods with an address of either family, of IPv4, of IPv6. */
  pods: number;
  pods4: number;
  pods6: number;
  /** The first by name of each family. */
  example4: string;
  example6: string;
}

function plansInUse(planned: readonly PlannedEndpoint[]): ReadonlyMap<Plan, PlanUse> {
  const uses = new Map<Plan, PlanUse>();
  for (const { endpoint, plan } of planned) {
    const { title, addresses, addresses6 } = endpoint;
    const use = uses.get(plan) ?? { pods: 0, pods4: 0, pods6: 0, example4: "", example6: "" };
    uses.set(plan, use);
    use.pods++;
    if (addresses.length > 0 && use.pods4++ === 0) use.example4 = title;
    if (addresses6.length > 0 && use.pods6++ === 0) use.example6 = title;
  }
  return uses;
}

/** Conflicts of one class come from several plans where pods differ in other policies. */
function countConflicts(planned: readonly PlannedEndpoint[]): { readonly conflicts: readonly Conflict[]; readonly groups: readonly ConflictGroup[] } {
  const classes = new Map<string, OpenConflict>();
  const groups = new Map<string, ConflictGroup>();
  const known = new Map<OpenConflict, { readonly open: OpenConflict; readonly group: ConflictGroup }>();
  const classOf = (made: OpenConflict): { readonly open: OpenConflict; readonly group: ConflictGroup } => {
    const found = known.get(made);
    if (found !== undefined) return found;
    const policies = made.wants.map(({ policy }) => policy);
    const values = made.wants.map((want) => `${want.policy}>${want.gatewayNode}${want.excluded ? "x" : ""}`);
    const classKey = `${made.rule} ${typeof made.prefix.address} ${made.prefix.address}/${made.prefix.bits} ${values.join(" ")}`;
    const open = classes.get(classKey) ?? made;
    classes.set(classKey, open);
    // An exclusion may cut into many policies: they share a finding.
    const groupKey = `${made.rule} ${(made.rule === "exclusion-crosses-policies" ? policies.slice(0, 1) : policies).join(" ")}`;
    const group = groups.get(groupKey) ?? { conflicts: [], pods: 0 };
    groups.set(groupKey, group);
    if (open === made) group.conflicts.push(open);
    const entry = { open, group };
    known.set(made, entry);
    return entry;
  };
  for (const [plan, use] of plansInUse(planned)) {
    const families = new Map<ConflictGroup, number>();
    for (const [bit, conflicts, pods, example] of [[1, plan.conflicts4, use.pods4, use.example4], [2, plan.conflicts6, use.pods6, use.example6]] as const) {
      for (const made of pods === 0 ? [] : conflicts) {
        const { open, group } = classOf(made);
        if (open.pods === 0 || example < open.example) open.example = example;
        open.pods += pods;
        families.set(group, (families.get(group) ?? 0) | bit);
      }
    }
    for (const [group, bits] of families) group.pods += bits === 1 ? use.pods4 : bits === 2 ? use.pods6 : use.pods;
  }
  return { conflicts: [...classes.values()], groups: [...groups.values()] };
}

/** A policy's flat list of node selectors, asked once per node. */
class NodeFilter {
  readonly #policies: readonly ResolvedPolicy[];
  readonly #answers = new Map<number, Map<ClusterNode, boolean>>();

  constructor(policies: readonly ResolvedPolicy[]) {
    this.#policies = policies;
  }

  allows(position: number, node: ClusterNode): boolean {
    const selectors = this.#policies[position]?.accepted.nodeSelectors ?? [];
    if (selectors.length === 0) return true;
    const answers = this.#answers.get(position) ?? new Map<ClusterNode, boolean>();
    this.#answers.set(position, answers);
    const known = answers.get(node);
    if (known !== undefined) return known;
    const answer = selectors.some((selector) => selectorMatches(selector, node.labels));
    answers.set(node, answer);
    return answer;
  }
}

function selectsNothing({ policy }: AcceptedPolicy): Finding {
  return policyFinding(policy, ["spec", "selectors"], {
    rule: "selects-nothing",
    severity: "info",
    message: `${policy.name} selects no pod of the model`,
    effect: "the policy has no effect",
    fix: "compare its selectors with the pods' labels, or add the pods to the model",
  });
}
