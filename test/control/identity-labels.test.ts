import { describe, expect, it } from "vitest";
import { flattenSources, isIdentityLabel, labelSetKey, podIdentityLabels } from "../../src/control/identity-labels.ts";

describe("identity labels", () => {
  it.each([
    "app", "app.kubernetes.io/name", "io.kubernetes.pod.namespace", "io.cilium.k8s.policy.cluster", "my.k8s.io/x",
    "io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", "team",
  ])("hold %s", (key) => {
    expect(isIdentityLabel(key)).toBe(true);
  });

  it.each([
    "pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name", "kubernetes.io/arch",
    "topology.kubernetes.io/zone", "apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index",
    "io.kubernetes.container.name", "failure-domain.beta.kubernetes.io/zone", "k8s.io/x", "annotation.x",
  ])("leave out %s", (key) => {
    expect(isIdentityLabel(key)).toBe(false);
  });

  it("of a pod join its own labels, its namespace's, the cluster and the service account", () => {
    const labels = podIdentityLabels({
      podLabels: new Map([["app", "web"], ["pod-template-hash", "5d9f"]]),
      namespace: "prod",
      namespaceLabels: new Map([["team", "x"]]),
      serviceAccount: "default",
      clusterName: "east",
    });
    expect(Object.fromEntries(labels)).toEqual({
      app: "web",
      "io.cilium.k8s.namespace.labels.team": "x",
      "io.kubernetes.pod.namespace": "prod",
      "io.cilium.k8s.policy.cluster": "east",
      "io.cilium.k8s.policy.serviceaccount": "default",
    });
  });

  it("lose the sources k8s, any and unspec, and keep others with a point", () => {
    const flat = flattenSources([["k8s:app", "web"], ["any:a", "1"], ["unspec:b", "2"], ["reserved:health", ""], ["bare", "3"]]);
    expect(Object.fromEntries(flat)).toEqual({ app: "web", a: "1", b: "2", "reserved.health": "", bare: "3" });
  });

  it("make one key whatever their order", () => {
    expect(labelSetKey(new Map([["b", "2"], ["a", "1"]]))).toBe(labelSetKey(new Map([["a", "1"], ["b", "2"]])));
  });
});
