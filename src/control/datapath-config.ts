// Options of the Cilium installation to the datapath's configuration. Defaults are those of 1.19's agent; with no
// configuration at all, those of an installation made for egress gateways.
import { parseAddress, parseCidr } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import type { Cluster } from "../cluster/model.ts";
import { type AddressFamily, FAMILY_4, FAMILY_6, literalPrefix, prefixesIn } from "./address-family.ts";
import { AgentOptions, kubeProxyReplaced } from "./agent-options.ts";
import type { AssumptionLog } from "./assumptions.ts";
import { IDENTITY_WORLD, IDENTITY_WORLD_IPV4, IDENTITY_WORLD_IPV6 } from "./identities.ts";
import { ipv6Disabled } from "./ipv6-findings.ts";
import { requirementFindings } from "./requirements.ts";
import { readServiceOptions, type ServiceOptions } from "./service-options.ts";
import type { DatapathConfig, PrefixOf } from "./tables.ts";

/** pkg/option/config.go and pkg/defaults. */
const CT_TCP_ENTRIES = 524_288;
const CT_ANY_ENTRIES = 262_144;
const NAT_ENTRIES = 524_288;
const FRAGMENT_ENTRIES = 8_192;
const LARGEST_MAP = 1 << 24;
const POLICY_ENTRIES = 16_384;
const VXLAN_PORT = 8472;
const GENEVE_PORT = 6081;
const NODE_PORT_RANGE = { low: 30_000, high: 32_767 };
const LAST_PORT = 65_535;

/** pkg/ipmasq/ipmasq.go: what is not masqueraded when the agent's file is absent or empty. */
const BUILT_IN_NON_MASQUERADE = [
  "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
  "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
];
const LINK_LOCAL = "169.254.0.0/16";
const LINK_LOCAL_6 = "fe80::/10";
/** daemon/infraendpoints/cell.go. */
const SERVICE_LOOPBACK = 0xa9fe2a01;
const SERVICE_LOOPBACK_6 = (0xfe80n << 112n) | 1n;

export interface Installation {
  readonly config: DatapathConfig;
  readonly clusterName: string;
  readonly serviceLoopback4: number;
  readonly serviceLoopback6: bigint;
  readonly services: ServiceOptions;
}

export function readInstallation(cluster: Cluster, assumptions: AssumptionLog, findings: Finding[]): Installation {
  const options = new AgentOptions(cluster.settings, findings);
  const given = cluster.settingsSources.length > 0;
  if (!given) assumptions.note("cilium-defaults");
  const egressGateway = options.flag("enable-egress-gateway", options.flag("enable-ipv4-egress-gateway", !given));
  if (given) findings.push(...requirementFindings(cluster, options, egressGateway));
  const ipMasqAgent = options.flag("enable-ip-masq-agent", false);
  const nodePorts = options.parsed("node-port-range", NODE_PORT_RANGE, readPortRange, "two port numbers, the lower first, such as 30000,32767");
  noteMapSizes(options, assumptions);
  const ipv4 = options.flag("enable-ipv4", true);
  const ipv6 = ipv6Enabled(cluster, options, assumptions, findings);
  const config: DatapathConfig = {
    ...tunnel(options),
    hostRouting: hostRouting(options, given),
    egressGateway,
    ipv4,
    ipv6,
    ipv4Masquerade: options.flag("enable-ipv4-masquerade", true),
    ipv6Masquerade: options.flag("enable-ipv6-masquerade", true),
    nativeRoutingCidr: options.parsed("ipv4-native-routing-cidr", null, (text) => readPrefix(FAMILY_4, text), "an IPv4 CIDR"),
    nativeRoutingCidr6: options.parsed("ipv6-native-routing-cidr", null, (text) => readPrefix(FAMILY_6, text), "an IPv6 CIDR"),
    ipMasqAgent,
    ...nonMasqueradeCidrs(ipMasqAgent, ipv6, cluster, assumptions),
    remoteNodeMasquerade: options.flag("enable-remote-node-masquerade", false),
    fragmentTracking: options.flag("enable-ipv4-fragment-tracking", true),
    fragmentTracking6: options.flag("enable-ipv6-fragment-tracking", true),
    sctp: options.flag("enable-sctp", false),
    conntrackAccounting: options.flag("bpf-conntrack-accounting", false),
    sourceIpVerification: options.flag("enable-source-ip-verification", true),
    snatMinPort: nodePorts.high + 1,
    snatMaxPort: LAST_PORT,
    ctLifetimeTcp: options.seconds("bpf-ct-timeout-regular-tcp", 8000),
    ctLifetimeTcpSyn: options.seconds("bpf-ct-timeout-regular-tcp-syn", 60),
    ctLifetimeTcpFin: options.seconds("bpf-ct-timeout-regular-tcp-fin", 10),
    ctLifetimeNonTcp: options.seconds("bpf-ct-timeout-regular-any", 60),
    policyMapMax: options.count("egress-gateway-policy-map-max", POLICY_ENTRIES, 1, LARGEST_MAP),
    ctMapTcpMax: options.count("bpf-ct-global-tcp-max", CT_TCP_ENTRIES, 1024, LARGEST_MAP),
    ctMapAnyMax: options.count("bpf-ct-global-any-max", CT_ANY_ENTRIES, 1024, LARGEST_MAP),
    natMapMax: options.count("bpf-nat-global-max", NAT_ENTRIES, 1024, LARGEST_MAP),
    fragmentsMapMax: options.count("bpf-fragments-map-max", FRAGMENT_ENTRIES, 1, LARGEST_MAP),
    ...worldIdentities(ipv4 && ipv6),
  };
  const expected = "an IP address";
  return {
    config,
    clusterName: options.text("cluster-name", "default"),
    serviceLoopback4: options.parsed("ipv4-service-loopback-address", SERVICE_LOOPBACK, (text) => readAddress(FAMILY_4, text), expected),
    serviceLoopback6: options.parsed("ipv6-service-loopback-address", SERVICE_LOOPBACK_6, (text) => readAddress(FAMILY_6, text), expected),
    services: readServiceOptions(options, !given, config.sctp, findings),
  };
}

/** Helm writes the option always, with false unless told otherwise. A cilium-config without it is somebody's extract. */
function ipv6Enabled(cluster: Cluster, options: AgentOptions, assumptions: AssumptionLog, findings: Finding[]): boolean {
  const carrier = [...cluster.endpoints, ...cluster.pods].find(({ addresses }) => addresses.some(({ family }) => family === 6));
  const said = options.setting("enable-ipv6") !== undefined || cluster.settingsSources.some(({ kind }) => kind === "helm-values");
  const enabled = said ? options.flag("enable-ipv6", false) : carrier !== undefined;
  if (carrier !== undefined && !enabled) findings.push(ipv6Disabled(carrier, options.setting("enable-ipv6")));
  if (enabled && !said) assumptions.note("ipv6-from-addresses");
  return enabled;
}

/** pkg/identity: a single-stack cluster has one world, whichever family it is of. */
function worldIdentities(dualStack: boolean): Pick<DatapathConfig, "worldIdentity" | "worldIdentity6"> {
  return dualStack
    ? { worldIdentity: IDENTITY_WORLD_IPV4, worldIdentity6: IDENTITY_WORLD_IPV6 }
    : { worldIdentity: IDENTITY_WORLD, worldIdentity6: IDENTITY_WORLD };
}

function tunnel(options: AgentOptions): Pick<DatapathConfig, "tunnelProtocol" | "tunnelPort" | "routingMode"> {
  const tunnelProtocol = options.oneOf("tunnel-protocol", ["vxlan", "geneve"], "vxlan");
  const usual = tunnelProtocol === "vxlan" ? VXLAN_PORT : GENEVE_PORT;
  // Helm's tunnelPort 0 stands for the protocol's own port.
  const tunnelPort = options.count("tunnel-port", usual, 0, LAST_PORT);
  return {
    tunnelProtocol,
    tunnelPort: tunnelPort === 0 ? usual : tunnelPort,
    routingMode: options.oneOf("routing-mode", ["tunnel", "native"], "tunnel"),
  };
}

/** pkg/datapath/linux/config: BPF host routing needs kube-proxy replacement and BPF masquerade. */
function hostRouting(options: AgentOptions, given: boolean): "bpf" | "legacy" {
  const replacement = kubeProxyReplaced(options, !given);
  const legacy = options.flag("enable-host-legacy-routing", false);
  return !legacy && replacement && options.flag("enable-bpf-masquerade", !given) ? "bpf" : "legacy";
}

/** pkg/ipmasq/ipmasq.go: link-local prefixes join either list unless the file asks to masquerade them. */
function nonMasqueradeCidrs(
  enabled: boolean,
  ipv6: boolean,
  cluster: Cluster,
  assumptions: AssumptionLog,
): Pick<DatapathConfig, "nonMasqueradeCidrs" | "nonMasqueradeCidrs6"> {
  if (!enabled) return { nonMasqueradeCidrs: [], nonMasqueradeCidrs6: [] };
  const agent = cluster.masqueradeAgent;
  if (agent === null) assumptions.note("ip-masq-default-list");
  const listed = [...(agent?.nonMasqueradeCidrs ?? BUILT_IN_NON_MASQUERADE.map(literalPrefix))];
  if (agent?.masqLinkLocal !== true) listed.push(literalPrefix(LINK_LOCAL));
  if (agent?.masqLinkLocalIpv6 !== true) listed.push(literalPrefix(LINK_LOCAL_6));
  return {
    nonMasqueradeCidrs: prefixesIn(FAMILY_4, listed).map(FAMILY_4.mask),
    nonMasqueradeCidrs6: ipv6 ? prefixesIn(FAMILY_6, listed).map(FAMILY_6.mask) : [],
  };
}

function readPrefix<Address extends number | bigint>(family: AddressFamily<Address>, text: string): PrefixOf<Address> | undefined {
  const parsed = parseCidr(text);
  const prefix = parsed.ok ? family.prefixOf(parsed.value) : null;
  return prefix === null ? undefined : family.mask(prefix);
}

function readAddress<Address extends number | bigint>(family: AddressFamily<Address>, text: string): Address | undefined {
  const parsed = parseAddress(text);
  return parsed.ok ? (family.addressOf(parsed.value) ?? undefined) : undefined;
}

function readPortRange(text: string): { readonly low: number; readonly high: number } | undefined {
  const [, low, high] = /^([0-9]{1,5})[,-]([0-9]{1,5})$/.exec(text) ?? [];
  const range = { low: Number(low), high: Number(high) };
  return range.low >= 1 && range.low < range.high && range.high < LAST_PORT ? range : undefined;
}

/** Helm sets the ratio by default, and then the agent computes the sizes from the node's memory. */
function noteMapSizes(options: AgentOptions, assumptions: AssumptionLog): void {
  const ratio = Number(options.text("bpf-map-dynamic-size-ratio", "0"));
  if (ratio > 0 && options.setting("bpf-ct-global-tcp-max") === undefined) assumptions.note("map-sizes-static");
}
