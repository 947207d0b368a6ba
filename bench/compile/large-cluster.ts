// Clusters of any size as JSON, which is how one dumps a large one. Labels, namespaces and policies are of the kind that real ones have:
// teams in namespaces of their own, a policy for each of them, endpoints with the agent's own labels.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface ClusterSize {
  readonly nodes: number;
  readonly pods: number;
  readonly policies: number;
  /** Destinations and exclusions of each policy. */
  readonly prefixes: number;
  /** egress-gateway-policy-map-max; null leaves it at Cilium's default. */
  readonly mapMax: number | null;
}

const GATEWAYS = 20;
const POD_NETWORK = 0x0a00_0000, NODE_NETWORK = 0xac10_0000, OUTSIDE = 0xc612_0000;
const PODS_PER_NODE_NETWORK = 256;

const text = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");

export function writeLargeCluster(folder: string, { nodes, pods, policies, prefixes, mapMax }: ClusterSize): void {
  mkdirSync(folder, { recursive: true });
  const nodeIp = (node: number): string => text(NODE_NETWORK + 10 + node);
  const list = (name: string, items: readonly unknown[]): void =>
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ apiVersion: "v1", kind: "List", items }, null, 1));

  list("cilium-config", [{
    apiVersion: "v1", kind: "ConfigMap", metadata: { name: "cilium-config", namespace: "kube-system" },
    data: {
      "enable-egress-gateway": "true", "enable-bpf-masquerade": "true", "kube-proxy-replacement": "true",
      ...(mapMax === null ? {} : { "egress-gateway-policy-map-max": String(mapMax) }),
    },
  }]);
  list("ciliumnodes", Array.from({ length: nodes }, (_, node) => ({
    apiVersion: "cilium.io/v2", kind: "CiliumNode",
    metadata: {
      name: `node-${node}`,
      labels: { "kubernetes.io/hostname": `node-${node}`, "kubernetes.io/os": "linux", ...(node < GATEWAYS ? { "egress-gateway": `gateway-${node}` } : {}) },
    },
    spec: { addresses: [{ type: "InternalIP", ip: nodeIp(node) }], ipam: { podCIDRs: [`${text(POD_NETWORK + node * PODS_PER_NODE_NETWORK)}/24`] } },
  })));
  list("ciliumidentities", Array.from({ length: policies + 1 }, (_, team) => ({
    apiVersion: "cilium.io/v2", kind: "CiliumIdentity", metadata: { name: String(20_000 + team) },
    "security-labels": Object.fromEntries(labelsOf(team).map((label) => label.split("=", 2))),
  })));
  list("ciliumendpoints", Array.from({ length: pods }, (_, pod) => {
    const team = pod % (policies + 1), node = pod % nodes;
    return {
      apiVersion: "cilium.io/v2", kind: "CiliumEndpoint",
      metadata: { name: `web-${pod}`, namespace: `team-${team}`, uid: `00000000-0000-4000-8000-${pod.toString(16).padStart(12, "0")}` },
      status: {
        id: 10 + (pod % 60_000), identity: { id: 20_000 + team, labels: labelsOf(team) }, state: "ready",
        networking: { addressing: [{ ipv4: text(POD_NETWORK + node * PODS_PER_NODE_NETWORK + 10 + Math.floor(pod / nodes)) }], node: nodeIp(node) },
      },
    };
  }));
  list("policies", Array.from({ length: policies }, (_, team) => ({
    apiVersion: "cilium.io/v2", kind: "CiliumEgressGatewayPolicy", metadata: { name: `team-${team}` },
    spec: {
      selectors: [{ podSelector: { matchLabels: { app: "web" } }, namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": `team-${team}` } } }],
      destinationCIDRs: ["0.0.0.0/0", ...Array.from({ length: prefixes - 2 }, (_each, k) => `${text(OUTSIDE + k * 256)}/24`)],
      excludedCIDRs: ["10.0.0.0/8"],
      egressGateway: { nodeSelector: { matchLabels: { "egress-gateway": `gateway-${team % GATEWAYS}` } } },
    },
  })));
}

function labelsOf(team: number): readonly string[] {
  return [
    "k8s:app=web", `k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=team-${team}`, "k8s:io.cilium.k8s.policy.cluster=default",
    "k8s:io.cilium.k8s.policy.serviceaccount=default", `k8s:io.kubernetes.pod.namespace=team-${team}`, "k8s:tier=backend",
  ];
}
