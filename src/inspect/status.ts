// `status`: what an agent's status says that a model knows (pkg/client/client.go), and what the model holds.
import { formatAddress, formatIpv4, formatPrefix } from "../cluster/cidr.ts";
import type { CompiledControl } from "../control/compile.ts";
import type { MapOverflow } from "../control/map-overflow.ts";
import type { DatapathConfig, NodeTable } from "../control/tables.ts";
import { withThousands } from "../observe/number-text.ts";
import { alignRows, left } from "../observe/text-table.ts";

type StatusRow = readonly [key: string, ...values: readonly string[]];

export interface MapUse {
  readonly map: string;
  readonly entries: number;
  readonly size: number;
  /** Entries that found the map full. */
  readonly lost: number;
}

export interface StatusOverflow extends Pick<MapOverflow, "map" | "limit" | "wanted" | "pods"> {
  /** Most first. */
  readonly lost: readonly { readonly policy: string; readonly entries: number }[];
}

/** Data first: -o json prints it. */
export interface ClusterStatus {
  readonly egressGateway: boolean;
  readonly routing: { readonly network: string; readonly host: "BPF" | "Legacy" };
  readonly masquerading: { readonly ipv4: boolean; readonly ipv6: boolean; readonly ipMasqAgent: boolean };
  readonly snatPorts: { readonly first: number; readonly last: number };
  readonly nodes: number;
  readonly endpoints: number;
  readonly identities: number;
  readonly policies: { readonly inForce: number; readonly ignored: number };
  readonly maps: readonly MapUse[];
  readonly conflicts: number;
  /** Maps that are too small, with the policies whose entries and the pods whose traffic is concerned. */
  readonly overflows: readonly StatusOverflow[];
  readonly files: number;
  readonly node: NodeStatus | null;
}

export interface NodeStatus {
  readonly name: string;
  readonly address: string;
  /** null where the node has none, or IPv6 is off. */
  readonly address6: string | null;
  readonly podCidrs: readonly string[];
  readonly devices: readonly { readonly name: string; readonly addresses: readonly string[]; readonly masqueradeIp: string | null; readonly masqueradeIp6: string | null }[];
  readonly snatExclusion: string | null;
  readonly snatExclusion6: string | null;
  readonly endpoints: number;
  /** Policies that this node is the gateway of. */
  readonly gatewayOf: readonly string[];
}

/** `node`: index of the node that is asked for, null for the cluster alone. */
export function clusterStatus(control: CompiledControl, node: number | null): ClusterStatus {
  const { tables, endpoints, policiesInForce, overflows, conflicts, fileCount } = control, { config } = tables;
  const use = (map: MapUse["map"], entries: number): MapUse => {
    const overflow = overflows.find((each) => each.map === map);
    return { map, entries, size: config.policyMapMax, lost: overflow === undefined ? 0 : overflow.wanted - overflow.limit };
  };
  return {
    egressGateway: config.egressGateway,
    routing: {
      network: config.routingMode === "tunnel" ? `Tunnel [${config.tunnelProtocol}]` : "Native", host: config.hostRouting === "bpf" ? "BPF" : "Legacy",
    },
    masquerading: { ipv4: config.ipv4Masquerade, ipv6: config.ipv6 && config.ipv6Masquerade, ipMasqAgent: config.ipMasqAgent },
    snatPorts: { first: config.snatMinPort, last: config.snatMaxPort },
    nodes: tables.nodes.length, endpoints: endpoints.length, identities: new Set(endpoints.map(({ identity }) => identity)).size,
    policies: { inForce: policiesInForce.length, ignored: tables.policies.length - policiesInForce.length },
    maps: [
      use("cilium_egress_gw_policy_v4", tables.policyEntries.length),
      ...(config.ipv6 ? [use("cilium_egress_gw_policy_v6", tables.policyEntries6.length)] : []),
    ],
    conflicts: conflicts.length, files: fileCount,
    overflows: overflows.map(({ map, limit, wanted, pods, lost }) => (
      { map, limit, wanted, pods, lost: lost.map(({ policy, entries }) => ({ policy: tables.policies[policy]?.name ?? "", entries })) }
    )),
    node: node === null ? null : nodeStatus(control, node),
  };
}

function nodeStatus({ tables }: CompiledControl, index: number): NodeStatus | null {
  const table = tables.nodes[index], { ipv6 } = tables.config;
  if (table === undefined) return null;
  const policies = new Set<number>();
  for (const entries of [tables.policyEntries, tables.policyEntries6]) {
    for (const { gatewayNode, policy } of entries) if (gatewayNode === index) policies.add(policy);
  }
  return {
    name: table.name, address: formatIpv4(table.address), address6: ipv6 ? addressOrNull(table.address6) : null,
    podCidrs: [...table.podCidrs, ...table.podCidrs6].map(formatPrefix),
    devices: table.devices.map(({ name, addresses, addresses6, masqueradeIp, masqueradeIp6 }) => ({
      name, addresses: [...addresses, ...addresses6].map(formatPrefix), masqueradeIp: addressOrNull(masqueradeIp),
      masqueradeIp6: ipv6 ? addressOrNull(masqueradeIp6) : null,
    })),
    snatExclusion: table.snatExclusion === null ? null : formatPrefix(table.snatExclusion),
    snatExclusion6: table.snatExclusion6 === null || !ipv6 ? null : formatPrefix(table.snatExclusion6), endpoints: podsOn(table),
    gatewayOf: [...policies].map((policy) => tables.policies[policy]?.name ?? "").sort(),
  };
}

function addressOrNull(address: number | bigint): string | null {
  return address === 0 || address === 0n ? null : formatAddress(address);
}

function podsOn({ endpoints, endpoints6 }: NodeTable): number {
  return new Set([...endpoints, ...endpoints6].filter(({ host }) => !host).map(({ label }) => label)).size;
}

const MOST_NAMED = 5;

function some(texts: readonly string[]): string {
  return `${texts.slice(0, MOST_NAMED).join(", ")}${texts.length > MOST_NAMED ? ", …" : ""}`;
}

function counts(count: number, what: string): string {
  return `${withThousands(count)} ${what}`;
}

export function statusLines(status: ClusterStatus, config: DatapathConfig): readonly string[] {
  const { node } = status;
  const rows: StatusRow[] = [
    ["Cilium:", "1.19, as the manifests make it"],
    ["Routing:", `Network: ${status.routing.network}   Host: ${status.routing.host}`],
    ["Masquerading:", masqueradingText(status)],
    ["SNAT ports:", `${status.snatPorts.first}-${status.snatPorts.last}`],
    ["Egress gateway:", enabled(status.egressGateway), `${counts(status.policies.inForce, "policies in force")}, ${counts(status.policies.ignored, "ignored by the agent")}`],
    ...status.maps.map(({ map, entries, size, lost }): StatusRow => [
      "", map, `${withThousands(entries)}/${counts(size, "entries")} (${((100 * entries) / size).toFixed(1)}%)${lost === 0 ? "" : `, ${counts(lost, "found it full")}`}`,
    ]),
    ...status.overflows.map(({ lost, pods }): StatusRow => [
      "", `without entries: ${some(lost.map(({ policy, entries }) => `${policy} ${withThousands(entries)}`))}`,
      `${counts(pods.length, "pods")}: ${some(pods)}${pods.length > MOST_NAMED ? " (-o json names all)" : ""}`,
    ]),
    ...(status.conflicts === 0 ? [] : [["", counts(status.conflicts, "conflicts"), "entries that policies take from one another"] as const]),
    ["Conntrack:", `${withThousands(config.ctMapTcpMax)} TCP, ${withThousands(config.ctMapAnyMax)} other`, `NAT: ${withThousands(config.natMapMax)}`],
    [
      "Cluster:", [counts(status.nodes, "nodes"), counts(status.endpoints, "endpoints"), counts(status.identities, "identities")].join(", "),
      `from ${counts(status.files, "files")}`,
    ],
    ...(node === null ? [] : nodeRows(node)),
  ];
  // As cilium-dbg does it, values begin in one column.
  return alignRows(rows.map(([key, ...values]) => [left(key), left(values.join("   "))]), "");
}

function masqueradingText({ masquerading: { ipv4, ipv6, ipMasqAgent }, node }: ClusterStatus): string {
  if (!ipv4 && !ipv6) return "Disabled";
  const where = node === null ? [] : [`[${node.devices.map(({ name }) => name).join(", ")}]`, present(node.snatExclusion, node.snatExclusion6).join(" ")];
  const parts = [ipMasqAgent ? "BPF (ip-masq-agent)" : "BPF", ...where, `[IPv4: ${enabled(ipv4)}, IPv6: ${enabled(ipv6)}]`];
  return parts.filter((part) => part !== "").join("   ");
}

function present(...texts: readonly (string | null)[]): readonly string[] {
  return texts.filter((text) => text !== null);
}

function enabled(on: boolean): string {
  return on ? "Enabled" : "Disabled";
}

function nodeRows(node: NodeStatus): readonly StatusRow[] {
  return [
    ["Node:", node.name, present(node.address, node.address6).join(", ")],
    ["IPAM:", `${withThousands(node.endpoints)} endpoints`, node.podCidrs.join(", ")],
    ...node.devices.map(({ name, addresses, masqueradeIp, masqueradeIp6 }): StatusRow => {
      const sources = present(masqueradeIp, masqueradeIp6);
      return ["Device:", name, addresses.join(", "), ...(sources.length === 0 ? [] : [`masquerades with ${sources.join(" and ")}`])];
    }),
    ["Gateway of:", node.gatewayOf.length === 0 ? "no policy" : node.gatewayOf.join(", ")],
  ];
}
