// What is filled in where the manifests are silent. docs/cluster-model.md explains each rule under its name.
import type { Assumption } from "../cluster/finding.ts";

export const ASSUMPTION_RULES = {
  "cilium-defaults":
    "no cilium-config and no Helm values given: egress gateway and BPF masquerade on, tunnel mode with VXLAN, BPF host routing",
  "ipv6-from-addresses": "no setting says whether IPv6 is on: it is, since pods have IPv6 addresses",
  "map-sizes-static": "conntrack and NAT map sizes depend on the nodes' memory: Cilium's static defaults are used",
  "ip-masq-default-list": "ip-masq-agent is on and its configuration is not given: its built-in list of prefixes is used",
  "node-from-kubernetes": "nodes without a CiliumNode are taken from their Node object",
  "node-from-network": "nodes without a CiliumNode or Node are taken from their NodeNetwork, without labels",
  "node-address-from-network": "nodes that report no IPv4 address use the first one of their NodeNetwork",
  "node-ipv6-from-network": "nodes without a CiliumNode and without an IPv6 address use the first one of their NodeNetwork",
  "device-derived": "nodes without a NodeNetwork have one device with their InternalIP as a /24 (IPv6: /64)",
  "device-name-from-policy": "nodes without a NodeNetwork call their device as the first policy that names an interface there does",
  "egress-ip-assumed": "egress IPs that policies want on a gateway without a NodeNetwork are taken to be on its device",
  "mac-derived": "MAC addresses that no NodeNetwork gives are made from the IPv4 address (02:00:…)",
  "default-route-derived": "nodes without routes of their own use the first host address of their first device's subnet as default gateway",
  "ipv6-route-derived": "nodes without IPv6 routes of their own use the first address of their first device's IPv6 subnet as default gateway",
  "pod-cidr-derived": "nodes without a pod CIDR have the /24 networks of their pods' addresses (IPv6: /64)",
  "router-address-derived": "nodes without a CiliumInternalIP have the first host address of their pod CIDR as router address (IPv6: its first address)",
  "endpoint-from-pod": "pods without a CiliumEndpoint are endpoints all the same",
  "endpoint-uid-derived": "pods without a CiliumEndpoint are spread over several gateways by the pod's own or a made-up UID",
  "identity-derived": "identities of label sets without a CiliumIdentity are numbered from 20001 in order of their labels",
  "cidr-identity-derived": "prefixes of network policies have identities from 16777217 in order of the policies, on every node alike",
  "identity-labels-from-endpoint": "labels of identities without a CiliumIdentity are taken from the CiliumEndpoint",
  "namespace-labels-assumed": "namespaces without a Namespace object have only the label kubernetes.io/metadata.name",
  "service-backends-from-pods": "services without EndpointSlice and Endpoints lead to the running pods that their selectors match",
  "service-numbers-derived": "backends and reverse NAT entries of services are numbered in order of namespace, name and port",
} as const satisfies Readonly<Record<string, string>>;

export type AssumptionRule = keyof typeof ASSUMPTION_RULES;

export class AssumptionLog {
  readonly #counts = new Map<AssumptionRule, number>();

  note(rule: AssumptionRule, count = 1): void {
    if (count > 0) this.#counts.set(rule, (this.#counts.get(rule) ?? 0) + count);
  }

  /** Every rule that was used, in the order of the table above. */
  list(): readonly Assumption[] {
    const used: Assumption[] = [];
    for (const [rule, message] of Object.entries(ASSUMPTION_RULES)) {
      const count = this.#counts.get(rule as AssumptionRule);
      if (count !== undefined) used.push({ rule, message, count });
    }
    return used;
  }
}
