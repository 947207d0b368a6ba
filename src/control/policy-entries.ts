// The egress policy map (pkg/egressgateway/manager.go, updateEgressRules4): an entry per endpoint address and prefix.
// The agent writes in random order; here the policy whose name comes first keeps a contested key, and addresses are
// filled in ascending until the map is full.
import { formatIpv4Prefix, type Ipv4Prefix } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import { selectorMatches } from "../cluster/selector.ts";
import { type AcceptedPolicy, policyFinding } from "./accepted-policies.ts";
import type { AssumptionLog } from "./assumptions.ts";
import type { ClusterEndpoint } from "./cluster-endpoints.ts";
import type { ClusterNode } from "./cluster-nodes.ts";
import { fnv1a32 } from "./derived-addresses.ts";
import { SelectorIndex } from "./selector-index.ts";
import { GATEWAY_EXCLUDED, GATEWAY_NONE, type PolicyEntry, type Prefix } from "./tables.ts";

/** A gateway with the egress IP that was found on it. */
export interface ResolvedGateway {
  readonly address: number;
  readonly egressIp: number;
  readonly node: number;
}

export interface ResolvedPolicy {
  readonly accepted: AcceptedPolicy;
  /** In order of address; empty: drop 194. */
  readonly gateways: readonly ResolvedGateway[];
}

const NO_GATEWAY: ResolvedGateway = { address: GATEWAY_NONE, egressIp: 0, node: -1 };

/** The entries sorted by source, then in the order of the policies' names and prefixes. */
export function buildPolicyEntries(
  policies: readonly ResolvedPolicy[],
  endpoints: readonly ClusterEndpoint[],
  limit: number,
  assumptions: AssumptionLog,
  findings: Finding[],
): readonly PolicyEntry[] {
  const writer = new PolicyMapWriter(policies, limit);
  const index = new SelectorIndex(policies.map(({ accepted }) => accepted));
  const nodes = new NodeFilter(policies);
  const selected = new Uint32Array(policies.length);
  const uidDerived = new Set<ClusterEndpoint>();
  for (const { address, endpoint } of byAddress(endpoints)) {
    if (!endpoint.selectable) continue;
    const choices: Choice[] = [];
    for (const position of index.policiesFor(endpoint.labels)) {
      const policy = policies[position];
      if (policy === undefined || !nodes.allows(position, endpoint.node)) continue;
      selected[position] = (selected[position] ?? 0) + 1;
      const { gateways } = policy;
      const gateway = gateways.length < 2 ? gateways[0] : gateways[fnv1a32(endpoint.uid) % gateways.length];
      if (gateways.length > 1 && !endpoint.uidKnown) uidDerived.add(endpoint);
      choices.push({ position, gateway: gateway ?? NO_GATEWAY });
    }
    writer.write(address, choices);
  }
  assumptions.note("endpoint-uid-derived", uidDerived.size);
  for (const [position, { accepted }] of policies.entries()) if (selected[position] === 0) findings.push(selectsNothing(accepted));
  findings.push(...writer.conflictFindings(), ...writer.overflowFindings());
  return writer.entries;
}

interface Choice {
  readonly position: number;
  readonly gateway: ResolvedGateway;
}

interface Conflict {
  readonly winner: number;
  readonly loser: number;
  readonly prefixes: Map<number, Prefix>;
  endpoints: number;
  lastSource: number;
}

class PolicyMapWriter {
  readonly entries: PolicyEntry[] = [];
  readonly #policies: readonly ResolvedPolicy[];
  readonly #limit: number;
  readonly #prefixes = new PrefixNumbers();
  readonly #wanted: readonly (readonly { readonly prefix: Prefix; readonly number: number; readonly excluded: boolean }[])[];
  readonly #conflicts = new Map<number, Conflict>();
  readonly #lostByPolicy: Uint32Array;
  #lost = 0;

  constructor(policies: readonly ResolvedPolicy[], limit: number) {
    this.#policies = policies;
    this.#limit = limit;
    this.#lostByPolicy = new Uint32Array(policies.length);
    this.#wanted = policies.map(({ accepted }) => {
      // The agent writes exclusions after destinations, so that an exclusion equal to a destination stands.
      const excluded = new Set(accepted.excluded.map((prefix) => this.#prefixes.of(prefix)));
      const destinations = accepted.destinations.filter((prefix) => !excluded.has(this.#prefixes.of(prefix)));
      const numbered = (prefix: Ipv4Prefix, isExcluded: boolean) => ({
        prefix: { address: prefix.address, bits: prefix.bits },
        number: this.#prefixes.of(prefix),
        excluded: isExcluded,
      });
      return [...destinations.map((prefix) => numbered(prefix, false)), ...accepted.excluded.map((prefix) => numbered(prefix, true))];
    });
  }

  write(source: number, choices: readonly Choice[]): void {
    const kept = new Map<number, { readonly entry: PolicyEntry; readonly position: number }>();
    for (const { position, gateway } of choices) {
      for (const { prefix, number, excluded } of this.#wanted[position] ?? []) {
        const entry: PolicyEntry = {
          source,
          destination: prefix,
          gatewayIp: excluded ? GATEWAY_EXCLUDED : gateway.address,
          egressIp: gateway.egressIp,
          gatewayNode: gateway.node,
          policy: this.#policies[position]?.accepted.index ?? -1,
        };
        const rival = kept.get(number);
        if (rival === undefined) {
          kept.set(number, { entry, position });
          if (this.entries.length < this.#limit) this.entries.push(entry);
          else this.#lose(position);
        } else if (!sameOutcome(rival.entry, entry)) {
          this.#contest(rival.position, position, number, prefix, source);
        }
      }
    }
  }

  #lose(position: number): void {
    this.#lost++;
    this.#lostByPolicy[position] = (this.#lostByPolicy[position] ?? 0) + 1;
  }

  #contest(winner: number, loser: number, number: number, prefix: Prefix, source: number): void {
    const key = winner * this.#policies.length + loser;
    const conflict = this.#conflicts.get(key) ?? { winner, loser, prefixes: new Map<number, Prefix>(), endpoints: 0, lastSource: -1 };
    this.#conflicts.set(key, conflict);
    conflict.prefixes.set(number, prefix);
    if (conflict.lastSource !== source) conflict.endpoints++;
    conflict.lastSource = source;
  }

  *conflictFindings(): Generator<Finding> {
    for (const { winner, loser, prefixes, endpoints } of this.#conflicts.values()) {
      const first = this.#policies[winner]?.accepted.policy;
      const second = this.#policies[loser]?.accepted.policy;
      const [prefix] = prefixes.values();
      if (first === undefined || second === undefined || prefix === undefined) continue;
      const more = prefixes.size === 1 ? "" : ` and ${prefixes.size - 1} more`;
      yield policyFinding(second, ["spec", "destinationCIDRs"], {
        rule: "policy-conflict",
        severity: "warning",
        message:
          `${second.name} and ${first.name} want ${formatIpv4Prefix(prefix)}${more} ` +
          `for ${counted(endpoints, "pod")}: the winner changes`,
        effect:
          "the agents write policies in random order, so either may win and change at every reconciliation; " +
          `this run lets ${first.name} win`,
        fix: "make the selectors or the prefixes disjoint",
      });
    }
  }

  *overflowFindings(): Generator<Finding> {
    if (this.#lost === 0) return;
    const [position] = [...this.#lostByPolicy.entries()].reduce((most, each) => (each[1] > most[1] ? each : most));
    const policy = this.#policies[position]?.accepted.policy;
    if (policy === undefined) return;
    const [total, limit, lost] = [this.entries.length + this.#lost, this.#limit, this.#lost].map(grouped);
    yield policyFinding(policy, [], {
      rule: "policy-map-full",
      severity: "error",
      message: `the policies make ${total} entries, the map holds ${limit}: ${lost} are left out, most of them ${policy.name}'s`,
      effect:
        "the agent logs an error for each; traffic of the pods concerned leaves by its own node. " +
        "Which pods is a matter of chance; this run leaves out the highest addresses",
      fix: "raise egress-gateway-policy-map-max (Helm: egressGateway.maxPolicyEntries), or name fewer prefixes",
    });
  }
}

/** Excluded entries act alike whatever egress IP they carry. */
function sameOutcome(a: PolicyEntry, b: PolicyEntry): boolean {
  return a.gatewayIp === b.gatewayIp && (a.gatewayIp === GATEWAY_EXCLUDED || a.egressIp === b.egressIp);
}

class PrefixNumbers {
  readonly #numbers = new Map<number, number>();

  of(prefix: Prefix): number {
    const key = prefix.address * 64 + prefix.bits;
    const number = this.#numbers.get(key) ?? this.#numbers.size;
    this.#numbers.set(key, number);
    return number;
  }
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

function byAddress(endpoints: readonly ClusterEndpoint[]): readonly { readonly address: number; readonly endpoint: ClusterEndpoint }[] {
  return endpoints
    .flatMap((endpoint) => endpoint.addresses.map((address) => ({ address, endpoint })))
    .sort((a, b) => a.address - b.address);
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

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}
