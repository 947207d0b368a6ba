// Why traffic does, or does not, go through an egress gateway: every condition of Cilium 1.19, each looked at for itself, so
// that all that fail are named and not only the first. The verdict itself is the kernel's; this explains it.
import { GATEWAY_EXCLUDED, GATEWAY_NONE, type DatapathTables, type IpcacheEntry, type PolicyEntry } from "../control/tables.ts";
import { formatIpv4Prefix, prefixContains } from "../cluster/cidr.ts";
import { formatSourceRef } from "../cluster/source.ts";
import type { CompiledControl } from "../control/compile.ts";
import { isCidrIdentity } from "../control/network-policy/cidr-identities.ts";
import { formatIpv4 } from "../observe/ip-text.ts";
import { ICMP, type PacketRequest, TCP, UDP } from "./packet-request.ts";
import { whyNotSelected } from "./selection.ts";

/** What the control plane made of the manifests, as far as an explanation needs it. */
export type ExplainedControl = Pick<CompiledControl, "tables" | "endpoints" | "policiesInForce">;

export interface Condition {
  /** Stable name. */
  readonly condition: string;
  readonly holds: boolean;
  readonly detail: string;
  /** What would change it, a line each; "" where it holds. */
  readonly change: string;
}

export function policyText(tables: DatapathTables, index: number): string {
  const policy = tables.policies[index];
  if (policy === undefined) return "no policy";
  return policy.at === null ? policy.name : `${policy.name}, ${formatSourceRef(policy.at)}`;
}

/** Egress entries of the pod that hold the destination, the longest prefix (the one that decides) first. */
export function matchingEntries(tables: DatapathTables, pod: number, destination: number): PolicyEntry[] {
  return tables.policyEntries
    .filter((entry) => entry.source === pod && prefixContains(entry.destination, destination))
    .sort((a, b) => b.destination.bits - a.destination.bits);
}

/** The ipcache entry a node sees for an address: the longest prefix, without those that only another node has. */
export function ipcacheEntry(tables: DatapathTables, node: number, address: number): IpcacheEntry | null {
  let best: IpcacheEntry | null = null;
  for (const entry of tables.ipcache) {
    if (!prefixContains(entry.prefix, address) || (entry.ownerOnly && entry.ownerNode !== node)) continue;
    if (best === null || entry.prefix.bits > best.prefix.bits) best = entry;
  }
  return best;
}

export function gatewayConditions(control: ExplainedControl, request: PacketRequest): Condition[] {
  const { tables } = control, { config } = tables, entries = tables.policyEntries.filter((entry) => entry.source === request.pod.address);
  const [decider] = matchingEntries(tables, request.pod.address, request.destination);
  const condition = (name: string, holds: boolean, detail: string, change: string): Condition => ({ condition: name, holds, detail, change: holds ? "" : change });
  const remote = ipcacheEntry(tables, request.node, request.destination), inCluster = remote !== null && remote.identity !== config.worldIdentity && !isCidrIdentity(remote.identity);
  const list = [
    condition("feature-on", config.egressGateway, config.egressGateway ? "egress gateway is enabled" : "egress gateway is off in the configuration",
      "set enable-egress-gateway (Helm egressGateway.enabled) to true"),
    condition("protocol", [TCP, UDP, ICMP].includes(request.protocol), "TCP, UDP and ICMP echo can be translated", "other protocols leave untranslated"),
    condition("destination-outside", !inCluster,
      inCluster ? `${formatIpv4(request.destination)} is in the cluster (ipcache ${formatIpv4Prefix(remote.prefix)}, identity ${remote.identity})`
        : `${formatIpv4(request.destination)} is outside the cluster (${remote === null ? "no ipcache entry" : `ipcache ${formatIpv4Prefix(remote.prefix)}`})`,
      "traffic to pods and nodes never uses the gateway, whatever the policy's CIDRs"),
    condition("policy-selects-pod", entries.length > 0,
      entries.length > 0 ? `selected by ${[...new Set(entries.map((entry) => tables.policies[entry.policy]?.name ?? "?"))].join(", ")}`
        : `none of ${tables.policies.length} policies selects ${request.pod.label}`,
      ["a podSelector, namespaceSelector and nodeSelector must match the identity's labels and the pod's node", ...whyNotSelected(control, request.pod.label)].join("\n")),
  ];
  if (entries.length === 0) return list;
  list.push(condition("destination-in-policy", decider !== undefined,
    decider === undefined ? `${formatIpv4(request.destination)} is in none of ${entries.length} entries of this pod` : `longest prefix ${formatIpv4Prefix(decider.destination)} of ${policyText(tables, decider.policy)}`,
    "add a prefix that holds it to destinationCIDRs"));
  if (decider === undefined) return list;
  const gateway = tables.nodes[decider.gatewayNode]?.name ?? "?";
  list.push(
    condition("not-excluded", decider.gatewayIp !== GATEWAY_EXCLUDED,
      decider.gatewayIp === GATEWAY_EXCLUDED ? `${formatIpv4Prefix(decider.destination)} is in excludedCIDRs of ${policyText(tables, decider.policy)}; it hides shorter prefixes of every policy` : "no excludedCIDRs entry is longer",
      "remove it from excludedCIDRs; excluded traffic is masqueraded by the pod's own node"),
    condition("gateway-exists", decider.gatewayIp !== GATEWAY_NONE,
      decider.gatewayIp === GATEWAY_NONE ? `no node matches the gateway selector of ${policyText(tables, decider.policy)}: drop 194` : `gateway ${gateway}`,
      "label a node so that egressGateway.nodeSelector matches it"),
    condition("egress-ip-configured", decider.gatewayIp <= GATEWAY_EXCLUDED || decider.egressIp !== 0,
      decider.egressIp === 0 && decider.gatewayIp > GATEWAY_EXCLUDED ? `${gateway} has no egress IP for ${policyText(tables, decider.policy)}: drop 204` : `egress IP ${formatIpv4(decider.egressIp)}`,
      "put the policy's egressIP on a device of the gateway, or give the interface an address"),
  );
  return list;
}
