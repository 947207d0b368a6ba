// What the control plane hands to the engine: everything that can be computed before the first packet, as plain
// immutable data. Throughout, IPv4 addresses are unsigned 32-bit numbers and IPv6 addresses 128-bit bigints, both in host
// order (10.0.0.1 = 0x0a000001); 0 and 0n stand for none. Names that end in 6 are the IPv6 side of the same thing.
import type { SourceRef } from "../cluster/source.ts";
import type { NetworkPolicyTables } from "./network-policy/network-policy-tables.ts";

/** gatewayIp of a policy entry, as Cilium stores it (pkg/egressgateway/manager.go). */
export const GATEWAY_NONE = 0;
export const GATEWAY_EXCLUDED = 1;

export interface PrefixOf<Address> {
  readonly address: Address;
  /** 0 to 32, or 0 to 128. */
  readonly bits: number;
}

export type Prefix = PrefixOf<number>;
export type Prefix6 = PrefixOf<bigint>;

/** The options of a Cilium installation that the datapath reads; defaults are those of 1.19's agent and Helm chart. */
export interface DatapathConfig {
  readonly tunnelProtocol: "vxlan" | "geneve";
  readonly tunnelPort: number;
  readonly routingMode: "tunnel" | "native";
  readonly hostRouting: "bpf" | "legacy";
  readonly egressGateway: boolean;
  readonly ipv4: boolean;
  /** False: the maps have no IPv6 side (ipcache6, policyEntries6, endpoints6 and what goes with them are empty); devices and
   * routes stay as the node has them. */
  readonly ipv6: boolean;
  readonly ipv4Masquerade: boolean;
  readonly ipv6Masquerade: boolean;
  readonly nativeRoutingCidr: Prefix | null;
  readonly nativeRoutingCidr6: Prefix6 | null;
  readonly ipMasqAgent: boolean;
  readonly nonMasqueradeCidrs: readonly Prefix[];
  readonly nonMasqueradeCidrs6: readonly Prefix6[];
  readonly remoteNodeMasquerade: boolean;
  readonly fragmentTracking: boolean;
  readonly fragmentTracking6: boolean;
  readonly sctp: boolean;
  readonly conntrackAccounting: boolean;
  readonly sourceIpVerification: boolean;
  /** First and last port of SNAT, inclusive: 32768 (node-port-range's end + 1) to 65535. */
  readonly snatMinPort: number;
  readonly snatMaxPort: number;
  readonly ctLifetimeTcp: number;
  readonly ctLifetimeTcpSyn: number;
  readonly ctLifetimeTcpFin: number;
  readonly ctLifetimeNonTcp: number;
  readonly policyMapMax: number;
  readonly ctMapTcpMax: number;
  readonly ctMapAnyMax: number;
  readonly natMapMax: number;
  readonly fragmentsMapMax: number;
  /** What 0.0.0.0/0 is: 2, in dual stack 9 (pkg/identity/numericidentity.go). */
  readonly worldIdentity: number;
  /** What ::/0 is: 2, in dual stack 10. */
  readonly worldIdentity6: number;
}

export interface DeviceTable {
  readonly name: string;
  readonly ifindex: number;
  /** Six bytes. */
  readonly mac: readonly number[];
  readonly mtu: number;
  /** In the order the kernel lists them; the first is what `interface:` takes as egress IP. */
  readonly addresses: readonly Prefix[];
  /** The address that plain masquerading uses on this device; 0 where the device has none. */
  readonly masqueradeIp: number;
  /** Link-local ones included. */
  readonly addresses6: readonly Prefix6[];
  /** Never link-local. */
  readonly masqueradeIp6: bigint;
}

export interface RouteEntryOf<Address> {
  readonly to: PrefixOf<Address>;
  /** Next hop (in IPv6 it may be link-local), 0 for a route on the link. */
  readonly via: Address;
  readonly device: string;
  /** 0 is the main table. */
  readonly table: number;
}

export type RouteEntry = RouteEntryOf<number>;
export type RouteEntry6 = RouteEntryOf<bigint>;

/** `ip rule add from PREFIX lookup TABLE`; tried in order before the main table. */
export interface RouteRuleOf<Address> {
  readonly from: PrefixOf<Address>;
  readonly table: number;
}

export type RouteRule = RouteRuleOf<number>;
export type RouteRule6 = RouteRuleOf<bigint>;

/** The cilium_lxc map of a node: pods that run on it and the node's own addresses (host = true). */
export interface LocalEndpointOf<Address> {
  readonly address: Address;
  readonly identity: number;
  readonly endpointId: number;
  readonly ifindex: number;
  readonly host: boolean;
  /** Pod's own MAC and the node's side of the pair, six bytes each; zeros for host addresses. */
  readonly mac: readonly number[];
  readonly nodeMac: readonly number[];
  /** namespace/name of a pod, the node's name for host addresses. */
  readonly label: string;
}

export type LocalEndpoint = LocalEndpointOf<number>;
/** A pod's IPv4 and IPv6 entries agree in everything but the address. Link-local addresses of a node are left out. */
export type LocalEndpoint6 = LocalEndpointOf<bigint>;

export interface NodeTable {
  readonly name: string;
  /** The address tunnels to this node use. */
  readonly address: number;
  readonly podCidrs: readonly Prefix[];
  readonly devices: readonly DeviceTable[];
  readonly routes: readonly RouteEntry[];
  readonly rules: readonly RouteRule[];
  readonly endpoints: readonly LocalEndpoint[];
  /** Destinations that plain masquerading leaves alone on this node (fact sheet, section 3, step 4). */
  readonly snatExclusion: Prefix | null;
  /** The node's IPv6 address. Tunnels never end here: the underlay is IPv4. */
  readonly address6: bigint;
  readonly podCidrs6: readonly Prefix6[];
  readonly routes6: readonly RouteEntry6[];
  readonly rules6: readonly RouteRule6[];
  readonly endpoints6: readonly LocalEndpoint6[];
  readonly snatExclusion6: Prefix6 | null;
  /** The address of cilium_host, from which the program answers pods (Time Exceeded, neighbour advertisements). */
  readonly routerAddress6: bigint;
  /** The source that a pod sees which reaches itself through a service (pkg/option/config.go). */
  readonly serviceLoopback4: number;
  readonly serviceLoopback6: bigint;
}

export interface IpcacheEntryOf<Address> {
  readonly prefix: PrefixOf<Address>;
  /** Identity as every node but the owner sees it. */
  readonly identity: number;
  /** Index into nodes of the node that the address lives on, -1 for none. Other nodes see that node's address as the
   * tunnel endpoint (pods only); the owner sees none, and identity 1 where `isNode`. */
  readonly ownerNode: number;
  readonly isNode: boolean;
  /** True for a node's further addresses (egress IPs): only the owner's map holds them, with identity 1; for the others
   * they are part of the world. Two nodes may own the same one. */
  readonly ownerOnly: boolean;
  readonly skipTunnel: boolean;
}

export type IpcacheEntry = IpcacheEntryOf<number>;
/** The tunnel endpoint is the owner's IPv4 address here too. */
export type IpcacheEntry6 = IpcacheEntryOf<bigint>;

/** One entry of cilium_egress_gw_policy_v4 or _v6, the same on every node but for egressIp (and egressIfindex), which only
 * gatewayNode's map holds. */
export interface PolicyEntryOf<Address> {
  readonly source: Address;
  readonly destination: PrefixOf<Address>;
  /** GATEWAY_NONE, GATEWAY_EXCLUDED or the gateway's IPv4 address, for either family. */
  readonly gatewayIp: number;
  /** 0: none configured there, which is drop 204 on the gateway. */
  readonly egressIp: Address;
  /** Index into nodes of the gateway (of the policy's gateway also for excluded entries), -1 for none. */
  readonly gatewayNode: number;
  /** Index into policies. */
  readonly policy: number;
}

export type PolicyEntry = PolicyEntryOf<number>;

export interface PolicyEntry6 extends PolicyEntryOf<bigint> {
  /** The egress device that the agent recorded, 0 for none (always with `egressIP`). */
  readonly egressIfindex: number;
}

export interface PolicyRef {
  readonly name: string;
  readonly at: SourceRef | null;
  /** Whether the agent took it: an ignored policy is listed with accepted = false and has no entries. */
  readonly accepted: boolean;
}

/** A backend, by its number in cilium_lb4_backends_v3 or cilium_lb6_backends_v3. */
export interface ServiceBackendOf<Address> {
  /** From 1 on. */
  readonly id: number;
  readonly address: Address;
  readonly port: number;
  /** Keeps its connections, gets no new ones. */
  readonly terminating: boolean;
}

/** A frontend in cilium_lb4_services_v2 or cilium_lb6_services_v2 with its slots. */
export interface ServiceEntryOf<Address> {
  /** Index into objects. */
  readonly service: number;
  readonly address: Address;
  readonly port: number;
  /** IANA's number. */
  readonly protocol: number;
  /** From 1 on. */
  readonly revNat: number;
  /** 0 for no session affinity. */
  readonly affinitySeconds: number;
  /** Backends of new connections; none: the service has no backend. */
  readonly slots: readonly number[];
}

export interface ServiceMapsOf<Address> {
  readonly entries: readonly ServiceEntryOf<Address>[];
  readonly backends: readonly ServiceBackendOf<Address>[];
}

export interface ServiceRef {
  /** namespace/name. */
  readonly name: string;
  readonly at: SourceRef;
}

export interface ServiceTables {
  /** Who translates what a pod sends to a service: its own program, packet by packet, or the socket when it connects; then
   * the pod's packets have the backend's address already, and no program looks at services. */
  readonly translation: "per-packet" | "socket";
  /** A service without a backend: an ICMP error to the pod, drop 158, or off to the node's stack. */
  readonly withoutBackend: "reject" | "drop" | "stack";
  readonly objects: readonly ServiceRef[];
  readonly ipv4: ServiceMapsOf<number>;
  readonly ipv6: ServiceMapsOf<bigint>;
}

export const NO_SERVICES: ServiceTables = {
  translation: "socket", withoutBackend: "reject", objects: [], ipv4: { entries: [], backends: [] }, ipv6: { entries: [], backends: [] },
};

export interface DatapathTables {
  readonly config: DatapathConfig;
  readonly nodes: readonly NodeTable[];
  readonly ipcache: readonly IpcacheEntry[];
  readonly policies: readonly PolicyRef[];
  readonly policyEntries: readonly PolicyEntry[];
  readonly ipcache6: readonly IpcacheEntry6[];
  readonly policyEntries6: readonly PolicyEntry6[];
  readonly networkPolicy: NetworkPolicyTables;
  readonly services: ServiceTables;
}
