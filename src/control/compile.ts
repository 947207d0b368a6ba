// The cluster's objects to the tables that the datapath runs on, with everything noticed on the way.
import type { Assumption, Finding, IgnoredKind } from "../cluster/finding.ts";
import type { CiliumEndpoint, Cluster, Pod } from "../cluster/model.ts";
import { compareRefs, placeOf } from "../cluster/origin.ts";
import { type AcceptedPolicy, acceptPolicy, type Semantics } from "./accepted-policies.ts";
import { AssumptionLog } from "./assumptions.ts";
import { type ClusterEndpoint, clusterEndpoints } from "./cluster-endpoints.ts";
import { clusterNodes } from "./cluster-nodes.ts";
import { readInstallation } from "./datapath-config.ts";
import { egressAddress } from "./egress-address.ts";
import { chooseGateways } from "./gateway-choice.ts";
import { buildIpcache } from "./ipcache.ts";
import { gatewayHints } from "./node-devices.ts";
import { addressClashes, buildNode, type BuiltNode } from "./node-tables.ts";
import { buildPolicyEntries, type ResolvedGateway, type ResolvedPolicy } from "./policy-entries.ts";
import type { DatapathTables, PolicyRef } from "./tables.ts";

export type { Semantics } from "./accepted-policies.ts";

export interface CompileOptions {
  readonly semantics: Semantics;
}

export interface CompiledControl {
  readonly tables: DatapathTables;
  /** In order of file, line and rule. */
  readonly findings: readonly Finding[];
  readonly assumptions: readonly Assumption[];
  readonly ignored: readonly IgnoredKind[];
  readonly fileCount: number;
}

/** The same cluster and options always give the same tables. Throws InputError where identities run out. */
export function compileTables(cluster: Cluster, options: CompileOptions): CompiledControl {
  const findings: Finding[] = [...cluster.findings];
  const assumptions = new AssumptionLog();
  const { config, clusterName } = readInstallation(cluster, assumptions, findings);
  const nodes = clusterNodes(cluster, assumptions, findings);
  const endpoints = clusterEndpoints(cluster, nodes, clusterName, assumptions, findings);

  const accepted: AcceptedPolicy[] = [];
  const policies = cluster.policies.map((policy, index): PolicyRef => {
    const taken = acceptPolicy(policy, index, options.semantics, findings);
    const inForce = taken !== null && config.egressGateway;
    if (inForce) accepted.push(taken);
    return { name: policy.name, at: placeOf(policy.origin), accepted: inForce };
  });
  const chosen = accepted.map((policy) => ({ policy, gateways: chooseGateways(policy, nodes, findings) }));

  const hints = gatewayHints(chosen.map(({ gateways }) => gateways), assumptions);
  const onNode = endpointsByNode(endpoints, nodes.length);
  const built = nodes.map((node): BuiltNode => buildNode(node, onNode[node.index] ?? [], hints.get(node), config, assumptions));
  findings.push(...addressClashes(nodes, built));

  const resolved = chosen.map(({ policy, gateways }): ResolvedPolicy => {
    const withAddress: ResolvedGateway[] = [];
    for (const gateway of gateways) {
      const table = built[gateway.node.index]?.table;
      if (table === undefined) continue;
      const egressIp = egressAddress(policy, gateway, table, findings);
      withAddress.push({ address: gateway.node.address, node: gateway.node.index, egressIp });
    }
    return { accepted: policy, gateways: withAddress };
  });
  const policyEntries = buildPolicyEntries(resolved, endpoints, config.policyMapMax, assumptions, findings);
  findings.push(...ipv6Findings(cluster));

  const ipcache = buildIpcache(config, nodes, built, endpoints);
  return {
    tables: { config, nodes: built.map(({ table }) => table), ipcache, policies, policyEntries },
    findings: findings.sort(byPlaceAndRule),
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

function ipv6Findings(cluster: Cluster): readonly Finding[] {
  const hasIpv6 = ({ addresses }: Pod | CiliumEndpoint): boolean => addresses.some((address) => address.family === 6);
  const titled = (kind: string) => (object: Pod | CiliumEndpoint) => ({ object, title: `${kind} ${object.namespace}/${object.name}` });
  const concerned = [
    ...cluster.pods.filter(hasIpv6).map(titled("Pod")),
    ...cluster.endpoints.filter(hasIpv6).map(titled("CiliumEndpoint")),
  ];
  const [first] = concerned;
  if (first === undefined) return [];
  return [
    {
      rule: "ipv6-not-routed",
      severity: "info",
      object: first.title,
      at: placeOf(first.object.origin),
      message:
        concerned.length === 1
          ? `${first.title} has an IPv6 address`
          : `${first.title} and ${concerned.length - 1} more have IPv6 addresses`,
      effect: "Cilium routes them; this build routes IPv4 only and ignores IPv6 packets",
      fix: "nothing to do for IPv4 traffic",
    },
  ];
}

function byPlaceAndRule(a: Finding, b: Finding): number {
  return compareRefs(a.at, b.at) || compareText(a.rule, b.rule) || compareText(a.object, b.object) || compareText(a.message, b.message);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
