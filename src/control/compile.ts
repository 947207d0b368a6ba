// The cluster's objects to the tables that the datapath runs on, with everything noticed on the way.
import type { Assumption, Finding, IgnoredKind } from "../cluster/finding.ts";
import type { Cluster } from "../cluster/model.ts";
import { compareRefs, placeOf } from "../cluster/origin.ts";
import { type AcceptedPolicy, acceptPolicy, type Semantics } from "./accepted-policies.ts";
import { AgentOptions } from "./agent-options.ts";
import { AssumptionLog } from "./assumptions.ts";
import { type ClusterEndpoint, clusterEndpoints } from "./cluster-endpoints.ts";
import { clusterNodes } from "./cluster-nodes.ts";
import type { Conflict } from "./conflicts.ts";
import { readInstallation } from "./datapath-config.ts";
import { egressAddresses } from "./egress-address.ts";
import { chooseGateways } from "./gateway-choice.ts";
import { intendedGateways } from "./intended-gateways.ts";
import { buildIpcaches } from "./ipcache.ts";
import type { MapOverflow } from "./map-overflow.ts";
import type { CidrIdentity } from "./network-policy/cidr-identities.ts";
import { gatewaysBlocked } from "./network-policy/gateway-blocked.ts";
import { compileNetworkPolicy, readPolicyOptions } from "./network-policy/network-policies.ts";
import { gatewayHints } from "./node-devices.ts";
import { addressClashes, buildNode, type BuiltNode } from "./node-tables.ts";
import { buildPolicyMaps } from "./policy-entries.ts";
import { type CompiledServices, compileServices } from "./services.ts";
import type { ResolvedGateway, ResolvedPolicy } from "./policy-slots.ts";
import type { DatapathTables, PolicyRef } from "./tables.ts";

export type { Semantics } from "./accepted-policies.ts";

export interface CompileOptions {
  readonly semantics: Semantics;
}

export interface CompiledControl {
  readonly tables: DatapathTables;
  /** In order of file, line and rule. */
  readonly findings: readonly Finding[];
  /** In no order that means anything. */
  readonly conflicts: readonly Conflict[];
  /** What selectors were compared with: endpoints with their labels, and the policies in force. */
  readonly endpoints: readonly ClusterEndpoint[];
  readonly policiesInForce: readonly AcceptedPolicy[];
  /** Policies that 1.19 ignores, as they would be taken with semantics "intent"; those that could not be taken either way are left
   * out. */
  readonly policiesIgnored: readonly AcceptedPolicy[];
  readonly overflows: readonly MapOverflow[];
  /** Where in the manifests a service's backends are. */
  readonly backendPlaces: CompiledServices["backendPlaces"];
  /** What network policies name outside of the cluster, by number. */
  readonly cidrIdentities: readonly CidrIdentity[];
  readonly assumptions: readonly Assumption[];
  readonly ignored: readonly IgnoredKind[];
  readonly fileCount: number;
}

/** The same cluster and options always give the same tables. Throws InputError where identities run out. */
export function compileTables(cluster: Cluster, options: CompileOptions): CompiledControl {
  const findings: Finding[] = [...cluster.findings];
  const assumptions = new AssumptionLog();
  const installation = readInstallation(cluster, assumptions, findings);
  const { config } = installation;
  const nodes = clusterNodes(cluster, config.ipv6, assumptions, findings);
  const endpoints = clusterEndpoints(cluster, nodes, installation, assumptions, findings);

  const accepted: AcceptedPolicy[] = [];
  const ignored: AcceptedPolicy[] = [];
  const policies = cluster.policies.map((policy, index): PolicyRef => {
    const taken = acceptPolicy(policy, index, options.semantics, findings);
    const inForce = taken !== null && config.egressGateway;
    if (inForce) accepted.push(taken);
    const wished = taken === null ? acceptPolicy(policy, index, "intent", []) : null;
    if (wished !== null) ignored.push(wished);
    return { name: policy.name, at: placeOf(policy.origin), accepted: inForce };
  });
  const choose = options.semantics === "intent" ? intendedGateways : chooseGateways;
  const chosen = accepted.map((policy) => ({ policy, gateways: choose(policy, nodes, findings) }));

  const hints = gatewayHints(chosen.map(({ gateways }) => gateways), assumptions);
  const onNode = endpointsByNode(endpoints, nodes.length);
  const built = nodes.map((node): BuiltNode => buildNode(node, onNode[node.index] ?? [], hints.get(node), installation, assumptions));
  findings.push(...addressClashes(nodes, built));

  const resolved = chosen.map(({ policy, gateways }): ResolvedPolicy => {
    const withAddress: ResolvedGateway[] = [];
    for (const gateway of gateways) {
      const table = built[gateway.node.index]?.table;
      if (table === undefined) continue;
      withAddress.push({ address: gateway.node.address, node: gateway.node.index, ...egressAddresses(policy, gateway, table, findings) });
    }
    return { accepted: policy, gateways: withAddress };
  });
  const maps = buildPolicyMaps(resolved, cluster.policies, endpoints, nodes, config, assumptions, findings);

  const policyOptions = readPolicyOptions(new AgentOptions(cluster.settings, findings));
  const networkPolicy = compileNetworkPolicy(cluster, config, installation.clusterName, policyOptions, endpoints, nodes, assumptions, findings);
  findings.push(...gatewaysBlocked(accepted, endpoints, networkPolicy));

  const services = compileServices(cluster, installation, assumptions, findings);
  const ipcaches = buildIpcaches(config, nodes, built, endpoints, networkPolicy.cidrs);
  const { policyEntries, policyEntries6, conflicts, overflows } = maps;
  return {
    tables: {
      config, nodes: built.map(({ table }) => table), policies, policyEntries, policyEntries6, networkPolicy: networkPolicy.tables, ...ipcaches, services: services.tables,
    },
    findings: findings.sort(byPlaceAndRule),
    conflicts,
    endpoints,
    policiesInForce: accepted,
    policiesIgnored: ignored,
    overflows,
    backendPlaces: services.backendPlaces,
    cidrIdentities: networkPolicy.cidrs.list(),
    assumptions: assumptions.list(),
    ignored: cluster.ignored,
    fileCount: cluster.fileCount,
  };
}

function endpointsByNode(endpoints: readonly ClusterEndpoint[], nodeCount: number): readonly (readonly ClusterEndpoint[])[] {
  const lists: ClusterEndpoint[][] = Array.from({ length: nodeCount }, () => []);
  for (const endpoint of endpoints) lists[endpoint.node.index]?.push(endpoint);
  return lists;
}

function byPlaceAndRule(a: Finding, b: Finding): number {
  return compareRefs(a.at, b.at) || compareText(a.rule, b.rule) || compareText(a.object, b.object) || compareText(a.message, b.message);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
