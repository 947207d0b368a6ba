// The cluster as its manifests describe it: checked, typed and immutable, with nothing filled in yet.
import type { IpAddress, IpPrefix } from "./cidr.ts";
import type { Finding, IgnoredKind } from "./finding.ts";
import type { CidrGroup, NetworkPolicy } from "./network-policy.ts";
import type { Origin } from "./origin.ts";
import type { Labels, Selector } from "./selector.ts";

export interface ClusterObject {
  readonly name: string;
  readonly origin: Origin;
}

/** One `egressGateway` or one item of `egressGateways`; texts are "" where the field is absent. */
export interface GatewayItem {
  readonly nodeSelector: Selector;
  readonly interfaceName: string;
  /** Unsigned 32-bit, null for none. */
  readonly egressIp: number | null;
  /** Path below the policy, e.g. ["spec", "egressGateways", 1]. */
  readonly path: readonly (string | number)[];
}

/** One item of `selectors`; null stands for an absent part. Keys are as written. */
export interface EndpointSelector {
  readonly podSelector: Selector | null;
  readonly namespaceSelector: Selector | null;
  readonly nodeSelector: Selector | null;
}

export interface EgressGatewayPolicy extends ClusterObject {
  readonly selectors: readonly EndpointSelector[];
  readonly destinationCidrs: readonly IpPrefix[];
  readonly excludedCidrs: readonly IpPrefix[];
  readonly egressGateway: GatewayItem;
  readonly egressGateways: readonly GatewayItem[];
}

export interface NodeAddress {
  /** InternalIP, ExternalIP, CiliumInternalIP, … */
  readonly type: string;
  readonly address: IpAddress;
}

/** A CiliumNode or a Node: both say the same things here. */
export interface NodeObject extends ClusterObject {
  readonly labels: Labels;
  readonly addresses: readonly NodeAddress[];
  readonly podCidrs: readonly IpPrefix[];
  /** What the condition Ready says; null where nothing does. */
  readonly ready: boolean | null;
}

export interface NetworkDevice {
  readonly name: string;
  /** Six bytes, null where not given. */
  readonly mac: readonly number[] | null;
  readonly mtu: number | null;
  readonly ifindex: number | null;
  /** In the kernel's order; host bits are the device's own address. */
  readonly addresses: readonly IpPrefix[];
}

export interface NetworkRoute {
  readonly to: IpPrefix;
  readonly via: IpAddress | null;
  readonly dev: string;
  /** 0 is the main table. */
  readonly table: number;
}

export interface NetworkRule {
  readonly from: IpPrefix;
  readonly table: number;
}

/** Our own kind: what no Kubernetes object says about a node. */
export interface NodeNetwork extends ClusterObject {
  readonly devices: readonly NetworkDevice[];
  readonly routes: readonly NetworkRoute[];
  readonly rules: readonly NetworkRule[];
  readonly podCidrs: readonly IpPrefix[];
}

export interface NamespacedObject extends ClusterObject {
  readonly namespace: string;
}

export interface Pod extends NamespacedObject {
  /** "" where the manifest has none. */
  readonly uid: string;
  readonly labels: Labels;
  readonly serviceAccount: string;
  readonly nodeName: string;
  readonly hostNetwork: boolean;
  readonly phase: string;
  readonly addresses: readonly IpAddress[];
}

export interface Namespace extends ClusterObject {
  readonly labels: Labels;
}

export interface CiliumEndpoint extends NamespacedObject {
  readonly uid: string;
  /** Local endpoint number on its node, 0 for none. */
  readonly endpointId: number;
  /** 0 where the agent has not written one yet. */
  readonly identity: number;
  /** `source:key=value` strings of status.identity.labels. */
  readonly identityLabels: readonly string[];
  readonly addresses: readonly IpAddress[];
  /** status.networking.node, null for none. */
  readonly nodeAddress: IpAddress | null;
}

export interface CiliumIdentity extends ClusterObject {
  readonly number: number;
  /** Keys with their source, e.g. `k8s:app`. */
  readonly securityLabels: Labels;
}

export interface ServicePort {
  /** "" where the manifest has none. */
  readonly name: string;
  readonly port: number;
  /** IANA's number: 6, 17 or 132. */
  readonly protocol: number;
  /** A number, or the name of a container's port. */
  readonly targetPort: number | string;
  /** 0 for none. */
  readonly nodePort: number;
}

export interface Service extends NamespacedObject {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  readonly headless: boolean;
  readonly clusterIps: readonly IpAddress[];
  /** spec.externalIPs and the addresses of status.loadBalancer. */
  readonly externalAddresses: readonly IpAddress[];
  /** Empty: whoever writes the EndpointSlices says where the service leads. */
  readonly selector: Labels;
  readonly ports: readonly ServicePort[];
  /** Session affinity by client address; 0 for none. */
  readonly affinitySeconds: number;
  /** internalTrafficPolicy: Local. */
  readonly localOnly: boolean;
}

export interface SlicePort {
  readonly name: string;
  /** 0: all ports, for consumers that know what to do with that. */
  readonly port: number;
  readonly protocol: number;
}

export interface SliceEndpoint {
  readonly addresses: readonly IpAddress[];
  /** Path below the slice's object. */
  readonly path: readonly (string | number)[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

/** An EndpointSlice, or a part of an Endpoints object in that shape. */
export interface EndpointSlice extends NamespacedObject {
  /** "" where no service is named. */
  readonly serviceName: string;
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
}

/** One option of the agent, by the agent's own name. */
export interface Setting {
  readonly value: string;
  /** As the file calls it: the option itself, or the path in Helm's values. */
  readonly writtenAs: string;
  readonly origin: Origin;
}

export interface SettingsSource {
  readonly kind: "cilium-config" | "helm-values";
  readonly origin: Origin;
}

export interface MasqueradeAgentConfig {
  readonly nonMasqueradeCidrs: readonly IpPrefix[] | null;
  readonly masqLinkLocal: boolean;
  readonly masqLinkLocalIpv6: boolean;
  readonly origin: Origin;
}

export interface Cluster {
  readonly fileCount: number;
  /** Each list is in order of (namespace and) name. */
  readonly policies: readonly EgressGatewayPolicy[];
  readonly ciliumNodes: readonly NodeObject[];
  readonly nodes: readonly NodeObject[];
  readonly networks: readonly NodeNetwork[];
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  readonly endpoints: readonly CiliumEndpoint[];
  readonly identities: readonly CiliumIdentity[];
  readonly networkPolicies: readonly NetworkPolicy[];
  readonly cidrGroups: readonly CidrGroup[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  /** By the agent's option name; a ConfigMap cilium-config wins over Helm values. */
  readonly settings: ReadonlyMap<string, Setting>;
  readonly settingsSources: readonly SettingsSource[];
  readonly masqueradeAgent: MasqueradeAgentConfig | null;
  readonly ignored: readonly IgnoredKind[];
  /** What was noticed while reading, in no particular order. */
  readonly findings: readonly Finding[];
}
