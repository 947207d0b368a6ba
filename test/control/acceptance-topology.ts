// The topology of Cilium's connectivity tests for egress gateways (cilium-cli connectivity/check/deployment.go): three nodes with an
// agent, clients and echo servers on them, and a machine without an agent.
import { endpoint } from "./compiled.ts";

export interface TestNode {
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

export const NODE_A: TestNode = { name: "kind-worker", ipv4: "172.18.0.3", ipv6: "fc00:f853:ccd:e793::3" };
export const NODE_B: TestNode = { name: "kind-worker2", ipv4: "172.18.0.12", ipv6: "fc00:f853:ccd:e793::c" };
export const NODE_C: TestNode = { name: "kind-worker3", ipv4: "172.18.0.7", ipv6: "fc00:f853:ccd:e793::7" };
export const NODES = [NODE_A, NODE_B, NODE_C];
/** Has no agent: it is outside. */
export const EXTERNAL = { ipv4: "172.18.0.9", ipv6: "fc00:f853:ccd:e793::9" };

export interface TestPod {
  readonly name: string;
  readonly kind: string;
  readonly node: TestNode;
  readonly ipv4: string;
  readonly ipv6: string;
}

export const PODS: readonly TestPod[] = [
  { name: "client", kind: "client", node: NODE_A, ipv4: "10.244.1.23", ipv6: "fd00:10:244:1::23" },
  { name: "client2", kind: "client", node: NODE_B, ipv4: "10.244.2.5", ipv6: "fd00:10:244:2::5" },
  { name: "client3", kind: "client", node: NODE_C, ipv4: "10.244.3.9", ipv6: "fd00:10:244:3::9" },
  { name: "echo-same-node", kind: "echo", node: NODE_A, ipv4: "10.244.1.77", ipv6: "fd00:10:244:1::77" },
  { name: "echo-other-node", kind: "echo", node: NODE_B, ipv4: "10.244.2.77", ipv6: "fd00:10:244:2::77" },
];
export const UIDS: Readonly<Record<string, string>> = {
  client: "9d2b6f0e-5f0f-4c0f-8f57-3c54f0a1d001", client2: "1b5a7cde-12aa-4c2b-9c1f-7d61ba9d2002", client3: "c7fe2a11-93d4-4ce1-8a55-0f2b6a3e3003",
  "echo-same-node": "43c1d5a9-0b7e-4a70-b0a1-92d8c1f74004", "echo-other-node": "e1f0a9b8-7c6d-4e5f-a1b2-c3d4e5f65005",
};

export function cluster(pods: readonly TestPod[] = PODS): string {
  const nodes = NODES.map(({ name, ipv4, ipv6 }, index) => `---
apiVersion: cilium.io/v2
kind: CiliumNode
metadata: {name: ${name}, labels: {kubernetes.io/hostname: ${name}}}
spec: {addresses: [{type: InternalIP, ip: ${ipv4}}, {type: InternalIP, ip: "${ipv6}"}], ipam: {podCIDRs: [10.244.${index + 1}.0/24, "fd00:10:244:${index + 1}::/64"]}}
`);
  const endpoints = pods.map(({ name, kind, node, ipv4, ipv6 }) =>
    endpoint(`cilium-test/${name}`, node.ipv4, ipv4, ipv6, kind === "client" ? 20001 : 20002, [`k8s:kind=${kind}`, "k8s:io.kubernetes.pod.namespace=cilium-test"], UIDS[name]));
  const hostNetwork = `---\napiVersion: v1\nkind: Pod\nmetadata: {name: host-netns, namespace: cilium-test, labels: {kind: client}}\nspec: {nodeName: ${NODE_A.name}, hostNetwork: true}\nstatus: {podIP: ${NODE_A.ipv4}, phase: Running}\n`;
  return nodes.join("") + endpoints.join("") + hostNetwork;
}

export function policies(gateway: string, excluded = "[]"): string {
  return ["client", "echo"].map((kind) => `---
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: cegp-sample-${kind}}
spec:
  selectors: [{podSelector: {matchLabels: {kind: ${kind}, io.kubernetes.pod.namespace: cilium-test}}}]
  destinationCIDRs: [0.0.0.0/0, "::/0"]
  excludedCIDRs: ${kind === "client" ? excluded : "[]"}
${gateway}
`).join("");
}

export const byHostname = ({ name }: TestNode): string => `nodeSelector: {matchLabels: {kubernetes.io/hostname: ${name}}}`;
export const ONE_GATEWAY = `  egressGateway: {${byHostname(NODE_B)}}`;
export const TWO_GATEWAYS = `  egressGateway: {${byHostname(NODE_B)}}\n  egressGateways: [{${byHostname(NODE_B)}}, {${byHostname(NODE_C)}}]`;

/** FNV-1a with 32 bits as its authors define it, in whole numbers: offset basis 2166136261, prime 16777619. */
function fnv1a(text: string): number {
  let hash = 2166136261n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 16777619n) % 2n ** 32n;
  return Number(hash);
}

/** The pod's gateway of TWO_GATEWAYS, which are sorted by IPv4. */
export function assignedGateway({ name }: TestPod): TestNode {
  return [NODE_C, NODE_B][fnv1a(UIDS[name] ?? "") % 2] ?? NODE_B;
}
