import { formatAddress, formatIpv4, formatIpv4Prefix, formatPrefix } from "../../src/cluster/cidr.ts";
import { type CompiledControl, compileTables, type Semantics } from "../../src/control/compile.ts";
import type { PolicyEntry, PolicyEntry6 } from "../../src/control/tables.ts";
import { loadText } from "../cluster/temporary-manifests.ts";

export async function compileText(text: string, semantics: Semantics = "cilium-1.19"): Promise<CompiledControl> {
  return compileTables(await loadText(text), { semantics });
}

export function node(name: string, ip: string, labels = "", podCidr = ""): string {
  const ipam = podCidr === "" ? "" : `, ipam: {podCIDRs: [${podCidr}]}`;
  return `---
apiVersion: cilium.io/v2
kind: CiliumNode
metadata: {name: ${name}, labels: {${labels}}}
spec: {addresses: [{type: InternalIP, ip: ${ip}}]${ipam}}
`;
}

/** A CiliumEndpoint with both families; "" leaves one out. */
export function endpoint(title: string, nodeIp: string, ipv4: string, ipv6: string, identity: number, labels: readonly string[] = [], uid = title): string {
  const [namespace, name] = title.split("/");
  const addressing = [ipv4 === "" ? "" : `ipv4: ${ipv4}`, ipv6 === "" ? "" : `ipv6: "${ipv6}"`].filter((each) => each !== "").join(", ");
  return `---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: ${name}, namespace: ${namespace}, uid: ${uid}}
status: {id: 1001, identity: {id: ${identity}, labels: ${JSON.stringify(labels)}}, networking: {node: "${nodeIp}", addressing: [{${addressing}}]}}
`;
}

export function pod(title: string, nodeName: string, ip: string, labels = "", more = ""): string {
  const [namespace, name] = title.split("/");
  return `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: {${labels}}}
spec: {nodeName: ${nodeName}${more}}
status: {podIP: ${ip}, phase: Running}
`;
}

export interface PolicyText {
  readonly selectors?: string;
  readonly destinations?: string;
  readonly excluded?: string;
  readonly gateway?: string;
  readonly gateways?: string;
}

export function policy(name: string, { selectors, destinations, excluded, gateway, gateways }: PolicyText = {}): string {
  return `---
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: ${name}}
spec:
  selectors: ${selectors ?? "[{podSelector: {}}]"}
  destinationCIDRs: ${destinations ?? "[0.0.0.0/0]"}
  excludedCIDRs: ${excluded ?? "[]"}
  egressGateway: ${gateway ?? '{nodeSelector: {matchLabels: {gw: "1"}}}'}
  egressGateways: ${gateways ?? "[]"}
`;
}

/** Entries as `source destination gateway egress policy`, as cilium-dbg bpf egress list has them and the policy's name. */
export function entries({ tables }: CompiledControl): readonly string[] {
  return tables.policyEntries.map((entry: PolicyEntry) =>
    [
      formatIpv4(entry.source),
      formatIpv4Prefix(entry.destination),
      formatIpv4(entry.gatewayIp),
      formatIpv4(entry.egressIp),
      tables.policies[entry.policy]?.name ?? "?",
    ].join(" "),
  );
}

/** IPv6 entries as `source destination gateway egress ifindex policy`. */
export function entries6({ tables }: CompiledControl): readonly string[] {
  return tables.policyEntries6.map((entry: PolicyEntry6) =>
    [
      formatAddress(entry.source),
      formatPrefix(entry.destination),
      formatIpv4(entry.gatewayIp),
      formatAddress(entry.egressIp),
      entry.egressIfindex,
      tables.policies[entry.policy]?.name ?? "?",
    ].join(" "),
  );
}

export function rules({ findings }: CompiledControl): readonly string[] {
  return findings.map(({ rule }) => rule);
}

export function messages({ findings }: CompiledControl, rule: string): readonly string[] {
  return findings.filter((each) => each.rule === rule).map(({ message }) => message);
}

export function assumed({ assumptions }: CompiledControl): Readonly<Record<string, number>> {
  return Object.fromEntries(assumptions.map(({ rule, count }) => [rule, count]));
}
