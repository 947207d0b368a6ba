// Selectors of network policies over identity labels, with the namespace that Cilium adds (pkg/k8s/apis/cilium.io/utils).
import type { EndpointPeer, NetworkPolicy } from "../../cluster/network-policy.ts";
import type { Requirement, Selector } from "../../cluster/selector.ts";
import { NAMESPACE_LABELS_PREFIX, POD_NAMESPACE_LABEL } from "../identity-labels.ts";

const IN_ANY_NAMESPACE: Requirement = { key: POD_NAMESPACE_LABEL, operator: "Exists" };
const RESERVED = "reserved.";

const inNamespace = (namespace: string): Requirement => ({ key: POD_NAMESPACE_LABEL, operator: "In", values: new Set([namespace]) });

/** Keys as identity labels have them: k8s, any and no source are one, others stand in front with a point. */
function overIdentities(selector: Selector): Selector {
  return selector.map((requirement) => {
    const colon = requirement.key.indexOf(":");
    if (colon < 0) return requirement;
    const source = requirement.key.slice(0, colon), bare = requirement.key.slice(colon + 1);
    return { ...requirement, key: source === "k8s" || source === "any" || source === "" ? bare : `${source}.${bare}` };
  });
}

/** The pods that a policy is about; its own namespace counts, whatever the selector says. */
export function subjectSelector(policy: NetworkPolicy, subject: Selector): Selector {
  const keys = overIdentities(subject);
  if (policy.namespace === "") return keys;
  return [...keys.filter(({ key }) => key !== POD_NAMESPACE_LABEL), inNamespace(policy.namespace)];
}

/** The pods that a rule names. Without a namespace these are the policy's own, or of any where it has none. */
export function peerSelector(policy: NetworkPolicy, { podSelector, namespaceSelector }: EndpointPeer): Selector {
  if (policy.kind === "NetworkPolicy") {
    if (namespaceSelector === null) return [...(podSelector ?? []), inNamespace(policy.namespace)];
    const ofNamespace = namespaceSelector.length === 0
      ? [IN_ANY_NAMESPACE] : namespaceSelector.map((requirement) => ({ ...requirement, key: NAMESPACE_LABELS_PREFIX + requirement.key }));
    return [...(podSelector ?? []), ...ofNamespace];
  }
  const keys = overIdentities(podSelector ?? []);
  if (keys.some(({ key }) => key.startsWith(RESERVED) || key === POD_NAMESPACE_LABEL)) return keys;
  if (policy.namespace === "") return [...keys, IN_ANY_NAMESPACE];
  return keys.some(({ key }) => key.startsWith(NAMESPACE_LABELS_PREFIX)) ? keys : [...keys, inNamespace(policy.namespace)];
}
