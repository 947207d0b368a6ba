// What the control plane hands to the engine: everything that can be computed before the first packet, as plain
// immutable data. Addresses are unsigned 32-bit numbers in host order (10.0.0.1 = 0x0a000001) throughout.
import type { SourceRef } from "../cluster/source.ts";

/** gatewayIp of a policy entry, as Cilium stores it (pkg/egressgateway/manager.go). */
export const GATEWAY_NONE = 0;
export const GATEWAY_EXCLUDED = 1;

export interface Prefix {
  readonly address: number;
  /** 0 to 32. */
  readonly bits: number;
}

/** The options of a Cilium installation that the datapath reads; defaults are those of 1.19's agent and Helm chart. */
export interface DatapathConfig {
  readonly tunnelProtocol: "vxlan" | "geneve";
  readonly tunnelPort: number;
  readonly routingMode: "tunnel" | "native";
  readonly hostRouting: "bpf" | "legacy";
  readonly egressGateway: boolean;
  readonly ipv4Masquerade: boolean;
  readonly nativeRoutingCidr: Prefix | null;
  readonly ipMasqAgent: boolean;
  readonly nonMasqueradeCidrs: readonly Prefix[];
  readonly remoteNodeMasquerade: boolean;
  readonly fragmentTracking: boolean;
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
  readonly worldIdentity: number;
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
}

export interface RouteEntry {
  readonly to: Prefix;
  /** Next hop, 0 for a route on the link. */
  readonly via: number;
  readonly device: string;
  /** 0 is the main table. */
  readonly table: number;
}

/** `ip rule add from PREFIX lookup TABLE`; tried in order before the main table. */
export interface RouteRule {
  readonly from: Prefix;
  readonly table: number;
}

/** The cilium_lxc map of a node: pods that run on it and the node's own addresses (host = true). */
export interface LocalEndpoint {
  readonly address: number;
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
}

export interface IpcacheEntry {
  readonly prefix: Prefix;
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

/** One entry of cilium_egress_gw_policy_v4, the same on every node but for egressIp, which only gatewayNode's map holds. */
export interface PolicyEntry {
  readonly source: number;
  readonly destination: Prefix;
  /** GATEWAY_NONE, GATEWAY_EXCLUDED or the gateway's address. */
  readonly gatewayIp: number;
  /** 0: none configured there, which is drop 204 on the gateway. */
  readonly egressIp: number;
  /** Index into nodes of the gateway (of the policy's gateway also for excluded entries), -1 for none. */
  readonly gatewayNode: number;
  /** Index into policies. */
  readonly policy: number;
}

export interface PolicyRef {
  readonly name: string;
  readonly at: SourceRef | null;
  /** Whether the agent took it: an ignored policy is listed with accepted = false and has no entries. */
  readonly accepted: boolean;
}

export interface DatapathTables {
  readonly config: DatapathConfig;
  readonly nodes: readonly NodeTable[];
  readonly ipcache: readonly IpcacheEntry[];
  readonly policies: readonly PolicyRef[];
  readonly policyEntries: readonly PolicyEntry[];
}
