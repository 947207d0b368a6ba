// `get cegp|nodes|pods`: the objects of the manifests in kubectl's columns, and with -o wide what the model makes of them. Ages
// are unknown: a dump does not say when it is looked at.
import { formatAddress, formatIpv4 } from "../cluster/cidr.ts";
import type { Cluster, Pod } from "../cluster/model.ts";
import { type Origin, placeOf } from "../cluster/origin.ts";
import { formatSourceRef } from "../cluster/source.ts";
import type { CompiledControl } from "../control/compile.ts";
import { GATEWAY_EXCLUDED, type PolicyEntryOf } from "../control/tables.ts";
import { fieldOf, rawObject } from "./raw-object.ts";

export const GET_KINDS = ["cegp", "nodes", "pods"] as const;
export type GetKind = (typeof GET_KINDS)[number];

/** What people type for a kind. */
export const KIND_NAMES: ReadonlyMap<string, GetKind> = new Map<string, GetKind>([
  ["cegp", "cegp"], ["ciliumegressgatewaypolicy", "cegp"], ["ciliumegressgatewaypolicies", "cegp"],
  ["no", "nodes"], ["node", "nodes"], ["nodes", "nodes"], ["po", "pods"], ["pod", "pods"], ["pods", "pods"],
]);

/** One object: its row, and what -o json and yaml print. */
export interface ListedObject {
  readonly name: string;
  readonly cells: readonly string[];
  /** Further cells of -o wide. */
  readonly wide: readonly string[];
  readonly raw: Readonly<Record<string, unknown>>;
}

export interface ObjectTable {
  readonly header: readonly string[];
  readonly wideHeader: readonly string[];
  readonly objects: readonly ListedObject[];
}

export interface ObjectFilter {
  /** Index of a node: pods that run on it, policies whose gateway it is, the node itself; null: all. */
  readonly node: number | null;
  /** Pods of one namespace; null: of all. */
  readonly namespace: string | null;
}

const UNKNOWN = "<unknown>", NONE = "<none>";

export function objectTable(kind: GetKind, cluster: Cluster, control: CompiledControl, filter: ObjectFilter): ObjectTable {
  switch (kind) {
    case "cegp": return policies(cluster, control, filter);
    case "nodes": return nodes(cluster, control, filter);
    case "pods": return pods(cluster, control, filter);
  }
}

interface PolicyReach {
  readonly sources: Set<number | bigint>;
  readonly gateways: Set<number>;
  readonly egressIps: Set<string>;
  entries: number;
}

/** kubectl prints NAME and AGE of a policy and nothing else; wide is ours. */
function policies(cluster: Cluster, { tables }: CompiledControl, { node }: ObjectFilter): ObjectTable {
  const reaches = tables.policies.map((): PolicyReach => ({ sources: new Set(), gateways: new Set(), egressIps: new Set(), entries: 0 }));
  const all: readonly PolicyEntryOf<number | bigint>[] = [...tables.policyEntries, ...tables.policyEntries6];
  for (const { source, gatewayNode, gatewayIp, egressIp, policy } of all) {
    const reach = reaches[policy];
    if (reach === undefined) continue;
    reach.sources.add(source);
    reach.entries++;
    if (gatewayNode >= 0) reach.gateways.add(gatewayNode);
    if (gatewayIp > GATEWAY_EXCLUDED) reach.egressIps.add(formatAddress(egressIp));
  }
  const objects = cluster.policies.flatMap((policy, index): ListedObject[] => {
    const reach = reaches[index];
    if (reach === undefined || (node !== null && !reach.gateways.has(node))) return [];
    const gateways = [...reach.gateways].sort((a, b) => a - b).map((gateway) => tables.nodes[gateway]?.name ?? "");
    return [{
      name: policy.name, cells: [policy.name, UNKNOWN],
      wide: [
        tables.policies[index]?.accepted === true ? "in force" : "ignored", String(reach.sources.size), String(reach.entries), listed(gateways),
        listed([...reach.egressIps]), formatSourceRef(placeOf(policy.origin)),
      ],
      raw: rawObject(policy.origin, "CiliumEgressGatewayPolicy", "cilium.io/v2"),
    }];
  });
  return { header: ["NAME", "AGE"], wideHeader: ["STATE", "POD IPS", "ENTRIES", "GATEWAYS", "EGRESS IPS", "PLACE"], objects };
}

const MOST_LISTED = 3;

function listed(texts: readonly string[]): string {
  if (texts.length === 0) return NONE;
  return `${texts.slice(0, MOST_LISTED).join(",")}${texts.length > MOST_LISTED ? ` + ${texts.length - MOST_LISTED} more` : ""}`;
}

/** A node of which there is no Node object has its name and addresses alone. */
function nodes(cluster: Cluster, { tables }: CompiledControl, { node }: ObjectFilter): ObjectTable {
  const objects = new Map(cluster.nodes.map((each) => [each.name, each.origin]));
  const ciliumNodes = new Map(cluster.ciliumNodes.map((each) => [each.name, each.origin]));
  const networks = new Map(cluster.networks.map((each) => [each.name, each.origin]));
  const found = tables.nodes.flatMap((table, index): ListedObject[] => {
    if (node !== null && node !== index) return [];
    const raw = rawOf(
      [objects.get(table.name), "Node", "v1"], [ciliumNodes.get(table.name), "CiliumNode", "cilium.io/v2"],
      [networks.get(table.name), "NodeNetwork", "egwsim.dev/v1"],
    );
    const info = (field: string): string => textOf(fieldOf(raw, "status", "nodeInfo", field), UNKNOWN);
    return [{
      name: table.name, raw, cells: [table.name, nodeStatus(raw), nodeRoles(raw), UNKNOWN, info("kubeletVersion")],
      wide: [formatIpv4(table.address), externalIp(raw), info("osImage"), info("kernelVersion"), info("containerRuntimeVersion")],
    }];
  });
  return {
    header: ["NAME", "STATUS", "ROLES", "AGE", "VERSION"],
    wideHeader: ["INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"],
    objects: found,
  };
}

function rawOf(...choices: readonly (readonly [Origin | undefined, kind: string, apiVersion: string])[]): Readonly<Record<string, unknown>> {
  for (const [origin, kind, apiVersion] of choices) if (origin !== undefined) return rawObject(origin, kind, apiVersion);
  return {};
}

function nodeStatus(raw: unknown): string {
  const conditions = fieldOf(raw, "status", "conditions");
  const ready: unknown = Array.isArray(conditions) ? conditions.find((each: unknown) => fieldOf(each, "type") === "Ready") : undefined;
  const status = fieldOf(ready, "status");
  const text = status === "True" ? "Ready" : status === undefined ? "Unknown" : "NotReady";
  return fieldOf(raw, "spec", "unschedulable") === true ? `${text},SchedulingDisabled` : text;
}

const ROLE = "node-role.kubernetes.io/";

function nodeRoles(raw: unknown): string {
  const roles = Object.keys(Object(fieldOf(raw, "metadata", "labels"))).filter((key) => key.startsWith(ROLE)).map((key) => key.slice(ROLE.length));
  return roles.length === 0 ? NONE : roles.sort().join(",");
}

function externalIp(raw: unknown): string {
  const addresses = fieldOf(raw, "status", "addresses");
  const external: unknown = Array.isArray(addresses) ? addresses.find((each: unknown) => fieldOf(each, "type") === "ExternalIP") : undefined;
  return textOf(fieldOf(external, "address"), NONE);
}

function pods(cluster: Cluster, { tables }: CompiledControl, { node, namespace }: ObjectFilter): ObjectTable {
  const nodeName = node === null ? null : (tables.nodes[node]?.name ?? "");
  const isOnNode = (pod: Pod): boolean => nodeName === null || pod.nodeName === nodeName;
  const objects = cluster.pods.filter((pod) => isOnNode(pod) && (namespace === null || pod.namespace === namespace));
  return {
    header: ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE"], wideHeader: ["IP", "NODE", "NOMINATED NODE", "READINESS GATES"],
    objects: objects.map((pod): ListedObject => {
      const raw = rawObject(pod.origin, "Pod", "v1"), [address] = pod.addresses;
      return {
        name: pod.name, raw, cells: [pod.namespace, pod.name, readyContainers(raw), pod.phase === "" ? "Unknown" : pod.phase, restarts(raw), UNKNOWN],
        wide: [address === undefined ? NONE : formatAddress(address.value), pod.nodeName === "" ? NONE : pod.nodeName, NONE, NONE],
      };
    }),
  };
}

function containersOf(raw: unknown): readonly unknown[] {
  const statuses = fieldOf(raw, "status", "containerStatuses");
  return Array.isArray(statuses) ? statuses : [];
}

function readyContainers(raw: unknown): string {
  const specified = fieldOf(raw, "spec", "containers");
  const ready = containersOf(raw).filter((each) => fieldOf(each, "ready") === true).length;
  return `${ready}/${Array.isArray(specified) ? specified.length : containersOf(raw).length}`;
}

function restarts(raw: unknown): string {
  const counts = containersOf(raw).map((each) => fieldOf(each, "restartCount"));
  return String(counts.reduce<number>((sum, count) => sum + (typeof count === "number" ? count : 0), 0));
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === "string" && value !== "" ? value : otherwise;
}
