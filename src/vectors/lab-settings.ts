// The builds of the real programs that recordings name, as settings of a simulated node.
import {
  NF_ACCOUNTING, NF_DUAL_STACK, NF_EGRESS_GATEWAY, NF_FRAGMENTS, NF_FRAGMENTS6, NF_GENEVE, NF_HOST_ROUTING, NF_IPV6, NF_MASQUERADE, NF_MASQUERADE6,
  NF_NO_BACKEND_REJECT, NF_NO_BACKEND_ROUTABLE, NF_REMOTE_NODE_MASQ, NF_SCTP, NF_SIP_CHECK, NF_TUNNEL_MODE,
} from "../kernel/layout.ts";
import { NPF_AUDIT, NPF_DENY_RESPONSE, NPF_EXTENDED_PROTOCOLS, NPF_FRAG_NEEDED, NPF_ICMP_RULES } from "../kernel/layout-policy.ts";
import { DEFAULT_NODE_POLICY } from "../engine/image/node-image.ts";
import { ID_WORLD, ID_WORLD_IPV4 } from "../kernel/verdict.ts";
import type { Prefix, Prefix6 } from "../control/tables.ts";
import type { RecordedCase, RecordedConfig } from "./recording.ts";
import { ipv4, prefix4, prefix6 } from "./lab-addresses.ts";

export interface LabSettings {
  /** NF_… bits. */
  readonly flags: number;
  readonly exclusion: Prefix | null;
  /** null also where the build has no IPv6. */
  readonly exclusion6: Prefix6 | null;
  readonly ipMasqAgent: boolean;
  readonly snatMin: number;
  readonly snatMax: number;
  readonly worldIdentity: number;
  readonly tunnelPort: number;
  readonly vlanAllowed: number;
  /** NPF_… bits. */
  readonly policyFlags: number;
  /** Node ids by tunnel address. */
  readonly nodeIds: ReadonlyMap<number, number>;
  /** The pods' programs translate services, packet by packet. */
  readonly perPacketServices: boolean;
  /** IPv4 service loopback. */
  readonly serviceLoopback: string;
}

/** The cases that had a node map, which the recordings do not show: the third node has id 7 there. */
const CASES_WITH_NODE_MAP: readonly string[] = ["auth_remote_node_id", "auth_remote_ok"];
const NODE_MAP: ReadonlyMap<number, number> = new Map([[ipv4("192.168.1.13"), 7]]);
const NO_NODES: ReadonlyMap<number, number> = new Map();

const DEFAULT_FLAGS = NF_HOST_ROUTING | NF_TUNNEL_MODE | NF_FRAGMENTS | NF_ACCOUNTING | NF_EGRESS_GATEWAY | NF_MASQUERADE | NF_SIP_CHECK;
const VXLAN_PORT = 8472, GENEVE_PORT = 6081;
const DEFAULTS: LabSettings = {
  flags: DEFAULT_FLAGS, exclusion: prefix4("10.0.0.0/8"), exclusion6: null, ipMasqAgent: false, snatMin: 32768, snatMax: 65535, worldIdentity: ID_WORLD, tunnelPort: VXLAN_PORT,
  vlanAllowed: 0, policyFlags: DEFAULT_NODE_POLICY.flags, nodeIds: NO_NODES, perPacketServices: false, serviceLoopback: "169.254.42.1",
};
const FLAGS6 = NF_DUAL_STACK | NF_IPV6 | NF_FRAGMENTS6;
const DUAL_STACK: LabSettings = {
  ...DEFAULTS, flags: DEFAULT_FLAGS | FLAGS6 | NF_MASQUERADE6, exclusion6: prefix6("fd00:10::/32"), worldIdentity: ID_WORLD_IPV4,
};

const BUILDS: ReadonlyMap<string, LabSettings> = new Map([
  ["default", DEFAULTS],
  ["legacy_host_routing", { ...DEFAULTS, flags: DEFAULT_FLAGS & ~NF_HOST_ROUTING }],
  ["no ENABLE_IPV4_FRAGMENTS", { ...DEFAULTS, flags: DEFAULT_FLAGS & ~NF_FRAGMENTS }],
  ["ENABLE_SCTP", { ...DEFAULTS, flags: DEFAULT_FLAGS | NF_SCTP }],
  ["POLICY_AUDIT_MODE", { ...DEFAULTS, policyFlags: DEFAULTS.policyFlags | NPF_AUDIT }],
  ...["enable_icmp_rule=false", "allow_icmp_frag_needed=false", "both icmp flags false", "enable_extended_ip_protocols=true", "policy_deny_response_enabled=true"]
    .map((build): [string, LabSettings] => [build, DEFAULTS]),
  ["default_dualstack", DUAL_STACK],
  ["dual-stack, no ENABLE_IPV6_FRAGMENTS", { ...DUAL_STACK, flags: DUAL_STACK.flags & ~NF_FRAGMENTS6 }],
  ["dual-stack, ENABLE_SCTP", { ...DUAL_STACK, flags: DUAL_STACK.flags | NF_SCTP }],
  ["dual-stack, TUNNEL_PROTOCOL geneve", { ...DUAL_STACK, flags: DUAL_STACK.flags | NF_GENEVE, tunnelPort: GENEVE_PORT }],
  ["dual-stack, VLAN_FILTER lets id 100 pass on ifindex 10", { ...DUAL_STACK, vlanAllowed: 100 }],
]);

/** What the configuration says of network policy; the builds named after it are the default one otherwise. */
function policyFlags(settings: LabSettings, config: RecordedConfig | undefined): number {
  const bit = (value: number | undefined, flag: number): number => (value === undefined ? settings.policyFlags & flag : value === 0 ? 0 : flag);
  return (settings.policyFlags & NPF_AUDIT) | bit(config?.enable_icmp_rule, NPF_ICMP_RULES) | bit(config?.allow_icmp_frag_needed, NPF_FRAG_NEEDED) |
    bit(config?.enable_extended_ip_protocols, NPF_EXTENDED_PROTOCOLS) | bit(config?.policy_deny_response_enabled, NPF_DENY_RESPONSE);
}

/** The settings of a case's nodes, or the sentence why they cannot be set up. */
export function labSettings(recorded: RecordedCase): LabSettings | string {
  // Map sizes stand behind the name of the build and are told apart by max_entries.
  const build = recorded.build.split(", max_entries ")[0] ?? recorded.build;
  const { config } = recorded;
  if (config === undefined || config.masquerade === undefined) {
    const settings = BUILDS.get(build);
    if (settings === undefined) return `no settings are known for the build "${build}"`;
    return { ...settings, policyFlags: policyFlags(settings, config), nodeIds: CASES_WITH_NODE_MAP.includes(recorded.name) ? NODE_MAP : NO_NODES };
  }
  let flags = NF_HOST_ROUTING | NF_FRAGMENTS | NF_ACCOUNTING | NF_SIP_CHECK;
  if (config.masquerade) flags |= NF_MASQUERADE;
  if (config.tunnel_mode === true) flags |= NF_TUNNEL_MODE;
  if (config.egress_gateway === true) flags |= NF_EGRESS_GATEWAY;
  if (config.enable_remote_node_masquerade === true) flags |= NF_REMOTE_NODE_MASQ;
  if (config.service_no_backend_response === "reject") flags |= NF_NO_BACKEND_REJECT;
  if (config.enable_no_service_endpoints_routable === true) flags |= NF_NO_BACKEND_ROUTABLE;
  const dual = build.startsWith("6");
  if (dual) flags |= FLAGS6 | (config.masquerade ? NF_MASQUERADE6 : 0);
  return {
    ...(dual ? DUAL_STACK : DEFAULTS),
    flags,
    exclusion: config.ipv4_native_routing_cidr == null ? null : prefix4(config.ipv4_native_routing_cidr),
    exclusion6: config.ipv6_snat_exclusion_cidr == null ? null : prefix6(config.ipv6_snat_exclusion_cidr),
    ipMasqAgent: config.ip_masq_agent === true,
    snatMin: config.snat_port_range?.[0] ?? DEFAULTS.snatMin,
    snatMax: config.snat_port_range?.[1] ?? DEFAULTS.snatMax,
    perPacketServices: config.per_packet_lb === true,
    serviceLoopback: config.service_loopback_ipv4 ?? DEFAULTS.serviceLoopback,
  };
}
