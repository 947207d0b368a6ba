// Why traffic does, or does not, go through an egress gateway: every condition of Cilium 1.19, each looked at for itself, so
// that all that fail are named and not only the first. The verdict itself is the kernel's; this explains it.
import { GATEWAY_EXCLUDED, GATEWAY_NONE, type DatapathTables, type IpcacheEntryOf, type PolicyEntryOf, type PrefixOf } from "../control/tables.ts";
import { formatPrefix, prefixContains, prefixContains6 } from "../cluster/cidr.ts";
import { formatSourceRef } from "../cluster/source.ts";
import type { CompiledControl } from "../control/compile.ts";
import { isCidrIdentity } from "../control/network-policy/cidr-identities.ts";
import { formatAddress } from "../observe/ip-text.ts";
import type { Address } from "../observe/run-result.ts";
import { isIcmp, type PacketRequest, TCP, UDP } from "./packet-request.ts";
import { ignoredThatSelect, whyNotSelected } from "./selection.ts";

/** What the control plane made of the manifests, as far as an explanation needs it. */
export type ExplainedControl = Pick<CompiledControl, "tables" | "endpoints" | "policiesInForce" | "policiesIgnored" | "conflicts" | "overflows" | "assumptions">;

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

export function holds({ address, bits }: PrefixOf<Address>, each: Address): boolean {
  if (typeof address === "bigint") return typeof each === "bigint" && prefixContains6({ address, bits }, each);
  return typeof each === "number" && prefixContains({ address, bits }, each);
}

/** The egress entries of the family that an address is of. */
function entriesOf(tables: DatapathTables, address: Address): readonly PolicyEntryOf<Address>[] {
  return typeof address === "bigint" ? tables.policyEntries6 : tables.policyEntries;
}

/** Egress entries of the pod that hold the destination, the longest prefix (the one that decides) first. */
export function matchingEntries(tables: DatapathTables, pod: Address, destination: Address): PolicyEntryOf<Address>[] {
  return entriesOf(tables, pod)
    .filter((entry) => entry.source === pod && holds(entry.destination, destination))
    .sort((a, b) => b.destination.bits - a.destination.bits);
}

/** The ipcache entry a node sees for an address: the longest prefix, without those that only another node has. */
export function ipcacheEntry(tables: DatapathTables, node: number, address: Address): IpcacheEntryOf<Address> | null {
  let best: IpcacheEntryOf<Address> | null = null;
  for (const entry of typeof address === "bigint" ? tables.ipcache6 : tables.ipcache) {
    if (!holds(entry.prefix, address) || (entry.ownerOnly && entry.ownerNode !== node)) continue;
    if (best === null || entry.prefix.bits > best.prefix.bits) best = entry;
  }
  return best;
}

export function gatewayConditions(control: ExplainedControl, request: PacketRequest): Condition[] {
  const { tables } = control, { config } = tables, entries = entriesOf(tables, request.pod.address).filter((entry) => entry.source === request.pod.address);
  const [decider] = matchingEntries(tables, request.pod.address, request.destination);
  const condition = (name: string, holds: boolean, detail: string, change: string): Condition => ({ condition: name, holds, detail, change: holds ? "" : change });
  const six = typeof request.destination === "bigint", policyMap = six ? "cilium_egress_gw_policy_v6" : "cilium_egress_gw_policy_v4";
  const full = control.overflows.find(({ map, pods }) => map === policyMap && pods.includes(request.pod.label));
  const remote = ipcacheEntry(tables, request.node, request.destination), world = six ? config.worldIdentity6 : config.worldIdentity;
  const inCluster = remote !== null && remote.identity !== world && !isCidrIdentity(remote.identity);
  const list = [
    condition("feature-on", config.egressGateway, config.egressGateway ? "egress gateway is enabled" : "egress gateway is off in the configuration",
      "set enable-egress-gateway (Helm egressGateway.enabled) to true"),
    condition("protocol", request.protocol === TCP || request.protocol === UDP || isIcmp(request.protocol), "TCP, UDP and ICMP echo can be translated", "other protocols leave untranslated"),
    condition("destination-outside", !inCluster,
      inCluster ? `${formatAddress(request.destination)} is in the cluster (ipcache ${formatPrefix(remote.prefix)}, identity ${remote.identity})`
        : `${formatAddress(request.destination)} is outside the cluster (${remote === null ? "no ipcache entry" : `ipcache ${formatPrefix(remote.prefix)}`})`,
      "traffic to pods and nodes never uses the gateway, whatever the policy's CIDRs"),
    condition("policy-selects-pod", entries.length > 0 || full !== undefined,
      entries.length > 0 ? `selected by ${[...new Set(entries.map((entry) => tables.policies[entry.policy]?.name ?? "?"))].join(", ")}`
        : full !== undefined ? "selected, see below" : `none of ${tables.policies.length} policies selects ${request.pod.label}`,
      ["a podSelector, namespaceSelector and nodeSelector must match the identity's labels and the pod's node", ...ignoredThatSelect(control, request.pod.label), ...whyNotSelected(control, request.pod.label)].join("\n")),
  ];
  if (full !== undefined) {
    list.push(condition("map-has-room", false, `entries of ${request.pod.label} found the policy map full: it holds ${full.limit}, the policies make ${full.wanted}`,
      "raise egress-gateway-policy-map-max (Helm egressGateway.maxPolicyEntries); which entries are left out is a matter of chance in Cilium"));
  }
  if (entries.length === 0) return list;
  list.push(condition("destination-in-policy", decider !== undefined,
    decider === undefined ? `${formatAddress(request.destination)} is in none of ${entries.length} entries of this pod` : `longest prefix ${formatPrefix(decider.destination)} of ${policyText(tables, decider.policy)}`,
    ["add a prefix that holds it to destinationCIDRs", ...ignoredThatSelect(control, request.pod.label)].join("\n")));
  if (decider === undefined) return list;
  const gateway = tables.nodes[decider.gatewayNode]?.name ?? "?", hasEgressIp = decider.egressIp !== 0 && decider.egressIp !== 0n;
  list.push(
    condition("not-excluded", decider.gatewayIp !== GATEWAY_EXCLUDED,
      decider.gatewayIp === GATEWAY_EXCLUDED ? `${formatPrefix(decider.destination)} is in excludedCIDRs of ${policyText(tables, decider.policy)}; it hides shorter prefixes of every policy` : "no excludedCIDRs entry is longer",
      "remove it from excludedCIDRs; excluded traffic is masqueraded by the pod's own node"),
    condition("gateway-exists", decider.gatewayIp !== GATEWAY_NONE,
      decider.gatewayIp === GATEWAY_NONE ? `no node matches the gateway selector of ${policyText(tables, decider.policy)}: drop 194` : `gateway ${gateway}`,
      "label a node so that egressGateway.nodeSelector matches it"),
    condition("egress-ip-configured", decider.gatewayIp <= GATEWAY_EXCLUDED || hasEgressIp,
      !hasEgressIp && decider.gatewayIp > GATEWAY_EXCLUDED ? `${gateway} has no egress IP for ${policyText(tables, decider.policy)}: drop 204` : `egress IP ${formatAddress(decider.egressIp)}`,
      typeof decider.egressIp === "bigint" ? "an IPv6 egress IP comes from an interface: name one that has an address, or neither interface nor egressIP"
        : "put the policy's egressIP on a device of the gateway, or give the interface an address"),
  );
  return list;
}
