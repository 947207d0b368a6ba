// Network policies as manifests write them, in one form for NetworkPolicy, CiliumNetworkPolicy and
// CiliumClusterwideNetworkPolicy. What the agent makes of them is decided in src/control/network-policy.
import type { IpPrefix } from "./cidr.ts";
import type { ClusterObject, NamespacedObject } from "./model.ts";
import type { Labels, Selector } from "./selector.ts";

export type NetworkPolicyKind = "NetworkPolicy" | "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy";

/** One port or range of ports. */
export interface PolicyPort {
  /** IP protocol, null for TCP, UDP and SCTP alike. */
  readonly protocol: number | null;
  /** 0 for every port. */
  readonly port: number;
  /** Last port of a range, 0 for none. */
  readonly endPort: number;
  /** A port's name in the destination's pod; "" for a number. */
  readonly name: string;
}

/** What takes a connection from the datapath: the parser of its L7 rules, or a listener. */
export type ProxyParser = "http" | "kafka" | "proxylib" | "tls" | "dns" | "listener";

/** One item of `toPorts`. */
export interface PolicyPorts {
  /** Empty: every port of every protocol. */
  readonly ports: readonly PolicyPort[];
  readonly proxy: { readonly parser: ProxyParser; readonly listenerPriority: number } | null;
}

/** One `fields` item of `icmps`. */
export interface IcmpType {
  readonly family: 4 | 6;
  readonly type: number;
}

/** One item of `toCIDR`, `toCIDRSet` or `ipBlock`. */
export interface CidrPeer {
  readonly cidrs: readonly IpPrefix[];
  /** CiliumCIDRGroup by name or by labels; null for none. */
  readonly groupName: string | null;
  readonly groupSelector: Selector | null;
  readonly except: readonly IpPrefix[];
}

/** Keys are as written; in NetworkPolicy a null part is absent. */
export interface EndpointPeer {
  readonly podSelector: Selector | null;
  readonly namespaceSelector: Selector | null;
}

/** Fields of a rule that name destinations which this model does not know. */
export type UnknownPeers = "toFQDNs" | "toServices" | "toGroups" | "toNodes" | "toRequires";

/** One item of `egress` or `egressDeny`. */
export interface EgressRule {
  /** Path below the object, e.g. ["spec", "egress", 1]. */
  readonly path: readonly (string | number)[];
  readonly deny: boolean;
  readonly endpoints: readonly EndpointPeer[];
  readonly cidrs: readonly CidrPeer[];
  readonly entities: readonly string[];
  /** Fields that name destinations and are not empty, in the order of the API. */
  readonly peerFields: readonly string[];
  /** A field that names destinations is there and empty: the rule names none. */
  readonly peersEmpty: boolean;
  readonly unknownPeers: readonly UnknownPeers[];
  readonly toPorts: readonly PolicyPorts[];
  readonly icmps: readonly IcmpType[];
  readonly authentication: "required" | "disabled" | "test-always-fail" | null;
  /** NetworkPolicy: no destination named is every destination, also without ports. */
  readonly everywhere: boolean;
}

export interface NetworkPolicySpec {
  readonly path: readonly (string | number)[];
  /** null: a host policy (nodeSelector). */
  readonly subject: Selector | null;
  readonly egress: readonly EgressRule[];
  /** What enableDefaultDeny.egress says, null for nothing. */
  readonly defaultDeny: boolean | null;
  readonly hasIngress: boolean;
}

/** Namespace "" for a clusterwide one. */
export interface NetworkPolicy extends NamespacedObject {
  readonly kind: NetworkPolicyKind;
  readonly specs: readonly NetworkPolicySpec[];
}

/** CiliumCIDRGroup. */
export interface CidrGroup extends ClusterObject {
  readonly labels: Labels;
  readonly cidrs: readonly IpPrefix[];
}
