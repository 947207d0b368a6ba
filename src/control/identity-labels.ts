// Which labels of a pod make up its security identity (pkg/labelsfilter/filter.go, default filter).
import type { Labels } from "../cluster/selector.ts";

export const POD_NAMESPACE_LABEL = "io.kubernetes.pod.namespace";
export const NAMESPACE_LABELS_PREFIX = "io.cilium.k8s.namespace.labels.";
export const CLUSTER_LABEL = "io.cilium.k8s.policy.cluster";
export const SERVICE_ACCOUNT_LABEL = "io.cilium.k8s.policy.serviceaccount";
export const NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name";

interface FilterRule {
  /** Matches at the first position of a key. */
  readonly pattern: RegExp;
  readonly included: boolean;
}

const FILTER: readonly FilterRule[] = [
  included("reserved:.*"),
  included("io\\.kubernetes\\.pod\\.namespace"),
  included("io\\.cilium\\.k8s\\.namespace\\.labels"),
  included("app\\.kubernetes\\.io"),
  included("io\\.cilium\\.k8s\\.policy\\.cluster"),
  included("io\\.cilium\\.k8s\\.policy\\.serviceaccount"),
  excluded("io\\.kubernetes"),
  excluded("kubernetes\\.io"),
  excluded(".*beta\\.kubernetes\\.io"),
  excluded("k8s\\.io"),
  excluded("pod-template-generation"),
  excluded("pod-template-hash"),
  excluded("controller-revision-hash"),
  excluded("controller-uid"),
  excluded("annotation.*"),
  excluded("etcd_node"),
  excluded("topology\\.kubernetes\\.io"),
  excluded("statefulset\\.kubernetes\\.io/pod-name"),
  excluded("apps\\.kubernetes\\.io/pod-index"),
  excluded("batch\\.kubernetes\\.io/job-completion-index"),
  excluded("batch\\.kubernetes\\.io/controller-uid"),
];

/** Whether a label key counts for the identity: the rule with the longest match decides, no match means yes. */
export function isIdentityLabel(key: string): boolean {
  let longest = 0;
  let verdict = true;
  for (const { pattern, included: included_ } of FILTER) {
    const length = pattern.exec(key)?.[0].length ?? 0;
    if (length > longest) {
      longest = length;
      verdict = included_;
    }
  }
  return verdict;
}

export interface PodLabelSources {
  readonly podLabels: Labels;
  readonly namespace: string;
  /** Null where no Namespace object is known. */
  readonly namespaceLabels: Labels | null;
  readonly serviceAccount: string;
  readonly clusterName: string;
}

/** The identity labels of a pod without their source prefix, which is k8s for all of them. */
export function podIdentityLabels(sources: PodLabelSources): Labels {
  const all = new Map(sources.podLabels);
  const ofNamespace = sources.namespaceLabels ?? new Map([[NAMESPACE_NAME_LABEL, sources.namespace]]);
  for (const [key, value] of ofNamespace) all.set(NAMESPACE_LABELS_PREFIX + key, value);
  all.set(POD_NAMESPACE_LABEL, sources.namespace);
  all.set(CLUSTER_LABEL, sources.clusterName);
  if (sources.serviceAccount !== "") all.set(SERVICE_ACCOUNT_LABEL, sources.serviceAccount);
  return new Map([...all].filter(([key]) => identityLabelKnown(key)));
}

const known = new Map<string, boolean>();
const MOST_REMEMBERED = 10_000;

function identityLabelKnown(key: string): boolean {
  let verdict = known.get(key);
  if (verdict === undefined) {
    verdict = isIdentityLabel(key);
    if (known.size >= MOST_REMEMBERED) known.clear();
    known.set(key, verdict);
  }
  return verdict;
}

/** Labels with source, as `k8s:app`, to the keys that selectors compare: k8s, any and unspec lose their source, others
 * keep it with a point (pkg/labels, K8sStringMap). */
export function flattenSources(labels: Iterable<readonly [string, string]>): Labels {
  const flat = new Map<string, string>();
  for (const [key, value] of labels) {
    const colon = key.indexOf(":");
    const source = colon < 0 ? "" : key.slice(0, colon);
    const bare = key.slice(colon + 1);
    flat.set(source === "" || source === "k8s" || source === "any" || source === "unspec" ? bare : `${source}.${bare}`, value);
  }
  return flat;
}

/** One text per label set, whatever the order of its labels. */
export function labelSetKey(labels: Labels): string {
  return [...labels].map(([key, value]) => `${key}=${value};`).sort().join("");
}

function included(pattern: string): FilterRule {
  return { pattern: new RegExp(`^${pattern}`), included: true };
}

function excluded(pattern: string): FilterRule {
  return { pattern: new RegExp(`^${pattern}`), included: false };
}
