// What the agents hold for an endpoint: CiliumEndpoint objects where there are any, pods where there are none.
import { formatAddress, type IpAddress } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import type { CiliumEndpoint, Cluster, Pod } from "../cluster/model.ts";
import { type Origin, placeOf } from "../cluster/origin.ts";
import type { Labels } from "../cluster/selector.ts";
import { addressesIn, addressKey, FAMILY_4, FAMILY_6 } from "./address-family.ts";
import type { AssumptionLog } from "./assumptions.ts";
import { type ClusterNode, nodesByAddress } from "./cluster-nodes.ts";
import type { Installation } from "./datapath-config.ts";
import { endpointTitle, uidOfName } from "./derived-addresses.ts";
import { IdentityBook, IDENTITY_INIT } from "./identities.ts";
import { flattenSources, labelSetKey, podIdentityLabels } from "./identity-labels.ts";

export interface ClusterEndpoint {
  /** namespace/name. */
  readonly title: string;
  /** At least one address of either family. */
  readonly addresses: readonly number[];
  /** Empty where IPv6 is off. */
  readonly addresses6: readonly bigint[];
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
  { clusterName, config }: Installation,
  assumptions: AssumptionLog,
  findings: Finding[],
): readonly ClusterEndpoint[] {
  const book = new IdentityBook(cluster.identities, cluster.endpoints.map((endpoint) => endpoint.identity));
  const drafts = [
    ...draftsOfEndpoints(cluster, nodes, book, config.ipv6, assumptions, findings),
    ...draftsOfPods(cluster, nodes, clusterName, config.ipv6, assumptions, findings),
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
  ipv6: boolean,
  assumptions: AssumptionLog,
  findings: Finding[],
): Generator<Draft> {
  const pods = new Map(cluster.pods.map((pod) => [endpointTitle(pod.namespace, pod.name), pod]));
  const byAddress = nodesByAddress(nodes);
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const withoutObject = new Set<number>();
  for (const endpoint of cluster.endpoints) {
    const title = endpointTitle(endpoint.namespace, endpoint.name);
    const own = addressesOf(endpoint.addresses, ipv6);
    if (own === null) continue;
    const nodeName = pods.get(title)?.nodeName ?? "";
    const nodeIp = endpoint.nodeAddress?.value ?? null;
    const node = nodeIp === null ? byName.get(nodeName) : byAddress.get(addressKey(nodeIp));
    if (node === undefined) {
      const wanted = nodeIp === null ? nodeName : formatAddress(nodeIp);
      findings.push(nodeUnknown(`CiliumEndpoint ${title}`, endpoint.origin, wanted));
      continue;
    }
    if (endpoint.identity === 0) findings.push(withoutIdentity(title, endpoint));
    const known = book.labelsOf(endpoint.identity);
    if (known === undefined && endpoint.identity !== 0) withoutObject.add(endpoint.identity);
    yield {
      title,
      ...own,
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
  ipv6: boolean,
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
    if (real.has(title) || pod.hostNetwork || FINISHED.has(pod.phase)) continue;
    const own = addressesOf(pod.addresses, ipv6);
    if (own === null) continue;
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
      ...own,
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
  const owners = new Map<number | bigint, ClusterEndpoint>();
  const kept: ClusterEndpoint[] = [];
  for (const endpoint of endpoints) {
    let lost: number | bigint | null = null;
    for (const address of allAddresses(endpoint)) {
      const key = addressKey(address);
      if (!owners.has(key)) owners.set(key, endpoint);
      else lost ??= address;
    }
    if (lost === null) {
      kept.push(endpoint);
      continue;
    }
    findings.push(addressShared(endpoint, lost, owners.get(addressKey(lost))?.title ?? ""));
    const addresses = endpoint.addresses.filter((address) => owners.get(addressKey(address)) === endpoint);
    const addresses6 = endpoint.addresses6.filter((address) => owners.get(addressKey(address)) === endpoint);
    if (addresses.length + addresses6.length > 0) kept.push({ ...endpoint, addresses, addresses6 });
  }
  return kept;
}

function* allAddresses({ addresses, addresses6 }: ClusterEndpoint): Generator<number | bigint> {
  yield* addresses;
  yield* addresses6;
}

function addressesOf(all: readonly IpAddress[], ipv6: boolean): Pick<ClusterEndpoint, "addresses" | "addresses6"> | null {
  const addresses = addressesIn(FAMILY_4, all);
  const addresses6 = ipv6 ? addressesIn(FAMILY_6, all) : NO_ADDRESSES_6;
  return addresses.length + addresses6.length === 0 ? null : { addresses, addresses6 };
}

const NO_ADDRESSES_6: readonly bigint[] = [];

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

function addressShared(endpoint: ClusterEndpoint, address: number | bigint, owner: string): Finding {
  return {
    rule: "duplicate-pod-address",
    severity: "error",
    object: `Endpoint ${endpoint.title}`,
    at: placeOf(endpoint.origin),
    message: `${endpoint.title} and ${owner} both have ${formatAddress(address)}`,
    effect: `the ipcache holds one of them; this run gives the address to ${owner}`,
    fix: "leave finished pods out, or take the dump again",
  };
}
