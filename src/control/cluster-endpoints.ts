// What the agents hold for an endpoint: CiliumEndpoint objects where there are any, pods where there are none.
import { formatIpv4, type IpAddress } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import type { CiliumEndpoint, Cluster, Pod } from "../cluster/model.ts";
import { type Origin, placeOf } from "../cluster/origin.ts";
import type { Labels } from "../cluster/selector.ts";
import type { AssumptionLog } from "./assumptions.ts";
import { type ClusterNode, nodesByAddress } from "./cluster-nodes.ts";
import { endpointTitle, uidOfName } from "./derived-addresses.ts";
import { IdentityBook, IDENTITY_INIT } from "./identities.ts";
import { flattenSources, labelSetKey, podIdentityLabels } from "./identity-labels.ts";

export interface ClusterEndpoint {
  /** namespace/name. */
  readonly title: string;
  /** IPv4 addresses, unsigned, at least one. */
  readonly addresses: readonly number[];
  readonly identity: number;
  /** Keys as selectors compare them. Endpoints of one identity share the object. */
  readonly labels: Labels;
  readonly uid: string;
  /** False for a UID that is not a CiliumEndpoint's own. */
  readonly uidKnown: boolean;
  readonly node: ClusterNode;
  /** As given by the agent, 0 where it is not known. */
  readonly endpointId: number;
  /** False where the agents would not consider it for egress policies. */
  readonly selectable: boolean;
  readonly origin: Origin;
}

type Draft = Omit<ClusterEndpoint, "identity" | "labels"> & { readonly identity: number | null; readonly labels: Labels };

const NO_LABELS: Labels = new Map();
const FINISHED = new Set(["Succeeded", "Failed"]);

/** Endpoints in order of namespace/name; two that want one address: the first keeps it. */
export function clusterEndpoints(
  cluster: Cluster,
  nodes: readonly ClusterNode[],
  clusterName: string,
  assumptions: AssumptionLog,
  findings: Finding[],
): readonly ClusterEndpoint[] {
  const book = new IdentityBook(cluster.identities, cluster.endpoints.map((endpoint) => endpoint.identity));
  const drafts = [
    ...draftsOfEndpoints(cluster, nodes, book, assumptions, findings),
    ...draftsOfPods(cluster, nodes, clusterName, assumptions, findings),
  ];
  const labelSets = new LabelSets();
  const keyed = drafts.map((draft) => ({ draft, ...labelSets.share(draft.labels) }));
  assumptions.note("identity-derived", book.allocate(keyed.filter(({ draft }) => draft.identity === null).map(({ key }) => key)));
  const endpoints = keyed.map(({ draft, key, labels }): ClusterEndpoint => ({
    ...draft,
    labels,
    identity: draft.identity ?? book.numberOf(key) ?? IDENTITY_INIT,
  }));
  return withoutSharedAddresses(endpoints.sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0)), findings);
}

function* draftsOfEndpoints(
  cluster: Cluster,
  nodes: readonly ClusterNode[],
  book: IdentityBook,
  assumptions: AssumptionLog,
  findings: Finding[],
): Generator<Draft> {
  const pods = new Map(cluster.pods.map((pod) => [endpointTitle(pod.namespace, pod.name), pod]));
  const byAddress = nodesByAddress(nodes);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const withoutObject = new Set<number>();
  for (const endpoint of cluster.endpoints) {
    const title = endpointTitle(endpoint.namespace, endpoint.name);
    const addresses = ipv4Of(endpoint.addresses);
    if (addresses.length === 0) continue;
    const nodeName = pods.get(title)?.nodeName ?? "";
    const nodeIp = endpoint.nodeAddress?.family === 4 ? endpoint.nodeAddress.value : null;
    const node = nodeIp === null ? byName.get(nodeName) : byAddress.get(nodeIp);
    if (node === undefined) {
      const wanted = nodeIp === null ? nodeName : formatIpv4(nodeIp);
      findings.push(nodeUnknown(`CiliumEndpoint ${title}`, endpoint.origin, wanted));
      continue;
    }
    if (endpoint.identity === 0) findings.push(withoutIdentity(title, endpoint));
    const known = book.labelsOf(endpoint.identity);
    if (known === undefined && endpoint.identity !== 0) withoutObject.add(endpoint.identity);
    yield {
      title,
      addresses,
      identity: endpoint.identity === 0 ? IDENTITY_INIT : endpoint.identity,
      labels: known ?? flattenSources(endpoint.identityLabels.map(splitLabel)),
      uid: endpoint.uid,
      uidKnown: true,
      node,
      endpointId: endpoint.endpointId,
      // manager.go: an endpoint without UID (from a CiliumEndpointSlice) or without identity is skipped.
      selectable: endpoint.uid !== "" && endpoint.identity !== 0,
      origin: endpoint.origin,
    };
  }
  assumptions.note("identity-labels-from-endpoint", withoutObject.size);
}

function* draftsOfPods(
  cluster: Cluster,
  nodes: readonly ClusterNode[],
  clusterName: string,
  assumptions: AssumptionLog,
  findings: Finding[],
): Generator<Draft> {
  const real = new Set(cluster.endpoints.map((endpoint) => endpointTitle(endpoint.namespace, endpoint.name)));
  const namespaces = new Map(cluster.namespaces.map((namespace) => [namespace.name, namespace.labels]));
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const assumedNamespaces = new Set<string>();
  const strays: Pod[] = [];
  for (const pod of cluster.pods) {
    const title = endpointTitle(pod.namespace, pod.name);
    const addresses = ipv4Of(pod.addresses);
    if (real.has(title) || pod.hostNetwork || addresses.length === 0 || FINISHED.has(pod.phase)) continue;
    const node = byName.get(pod.nodeName);
    if (node === undefined) {
      findings.push(nodeUnknown(`Pod ${title}`, pod.origin, pod.nodeName));
      continue;
    }
    const namespaceLabels = namespaces.get(pod.namespace) ?? null;
    if (namespaceLabels === null) assumedNamespaces.add(pod.namespace);
    if (real.size > 0) strays.push(pod);
    assumptions.note("endpoint-from-pod");
    yield {
      title,
      addresses,
      identity: null,
      labels: podIdentityLabels({
        podLabels: pod.labels,
        namespace: pod.namespace,
        namespaceLabels,
        serviceAccount: pod.serviceAccount,
        clusterName,
      }),
      uid: pod.uid === "" ? uidOfName(title) : pod.uid,
      uidKnown: false,
      node,
      endpointId: 0,
      selectable: true,
      origin: pod.origin,
    };
  }
  assumptions.note("namespace-labels-assumed", assumedNamespaces.size);
  const [first] = strays;
  if (first !== undefined) findings.push(endpointsMissing(first, strays.length));
}

/** Label sets that are equal become one object, so that policies are matched once for each. */
class LabelSets {
  readonly #byKey = new Map<string, Labels>();
  readonly #keys = new Map<Labels, string>();

  share(labels: Labels): { readonly key: string; readonly labels: Labels } {
    const key = this.#keys.get(labels) ?? labelSetKey(labels);
    const shared = this.#byKey.get(key) ?? labels;
    this.#byKey.set(key, shared);
    this.#keys.set(shared, key);
    return { key, labels: shared.size === 0 ? NO_LABELS : shared };
  }
}

function withoutSharedAddresses(endpoints: readonly ClusterEndpoint[], findings: Finding[]): readonly ClusterEndpoint[] {
  const owners = new Map<number, string>();
  const kept: ClusterEndpoint[] = [];
  for (const endpoint of endpoints) {
    const own = endpoint.addresses.filter((address) => !owners.has(address));
    const [lost] = endpoint.addresses.filter((address) => owners.has(address));
    if (lost !== undefined) findings.push(addressShared(endpoint, lost, owners.get(lost) ?? ""));
    for (const address of own) owners.set(address, endpoint.title);
    if (own.length > 0) kept.push(lost === undefined ? endpoint : { ...endpoint, addresses: own });
  }
  return kept;
}

function ipv4Of(addresses: readonly IpAddress[]): readonly number[] {
  const found = new Set<number>();
  for (const address of addresses) if (address.family === 4) found.add(address.value);
  return [...found];
}

function splitLabel(label: string): readonly [string, string] {
  const at = label.indexOf("=");
  return at < 0 ? [label, ""] : [label.slice(0, at), label.slice(at + 1)];
}

function nodeUnknown(object: string, origin: Origin, node: string): Finding {
  return {
    rule: "endpoint-node-unknown",
    severity: "warning",
    object,
    at: placeOf(origin),
    message: node === "" ? `${object} names no node` : `${object} runs on ${node}, which is no node of the model`,
    effect: "its node cannot be simulated: packets of this endpoint are not of the model",
    fix: "add the node's CiliumNode, Node or NodeNetwork",
  };
}

function withoutIdentity(title: string, endpoint: CiliumEndpoint): Finding {
  return {
    rule: "endpoint-without-identity",
    severity: "warning",
    object: `CiliumEndpoint ${title}`,
    at: placeOf(endpoint.origin),
    message: `${title} has no security identity yet`,
    effect: "no egress policy selects it until the agent has written one; its traffic leaves with the node's address",
    fix: "take the dump again once the endpoint is ready",
  };
}

function endpointsMissing(first: Pod, count: number): Finding {
  const title = endpointTitle(first.namespace, first.name);
  return {
    rule: "endpoint-missing",
    severity: "info",
    object: `Pod ${title}`,
    at: placeOf(first.origin),
    message: count === 1 ? `${title} has no CiliumEndpoint` : `${title} and ${count - 1} more pods have no CiliumEndpoint`,
    effect: "the agents go by CiliumEndpoints: until one exists no egress policy selects the pod; this run treats it as if it had one",
    fix: "add the missing ones: kubectl get ciliumendpoints -A -o yaml",
  };
}

function addressShared(endpoint: ClusterEndpoint, address: number, owner: string): Finding {
  return {
    rule: "duplicate-pod-address",
    severity: "error",
    object: `Endpoint ${endpoint.title}`,
    at: placeOf(endpoint.origin),
    message: `${endpoint.title} and ${owner} both have ${formatIpv4(address)}`,
    effect: `the ipcache holds one of them; this run gives the address to ${owner}`,
    fix: "leave finished pods out, or take the dump again",
  };
}
