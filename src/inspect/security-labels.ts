import type { Labels } from "../cluster/selector.ts";

/** Labels with their source, sorted, as the agent prints them. Selectors compare keys without the sources k8s, any and unspec,
 * and `reserved:x` as `reserved.x`; an endpoint's are of the sources k8s and reserved. */
export function securityLabels(labels: Labels): readonly string[] {
  return [...labels].map(([key, value]) => {
    const text = key.startsWith("reserved.") ? `reserved:${key.slice("reserved.".length)}` : `k8s:${key}`;
    return value === "" ? text : `${text}=${value}`;
  }).sort();
}
