// Cilium's own map check for egress gateways (cilium-cli connectivity/check/wait.go), offline: on every node the rows of both
// maps, exact in both directions. Client 2 runs on the gateway, client 3 on the second one of the multi-gateway case.
import { describe, expect, it } from "vitest";
import { formatAddress, formatIpv4, formatPrefix } from "../../src/cluster/cidr.ts";
import type { CompiledControl } from "../../src/control/compile.ts";
import { GATEWAY_EXCLUDED, type PolicyEntryOf } from "../../src/control/tables.ts";
import { compileText, endpoint } from "./compiled.ts";

interface TestNode {
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

const NODE_A: TestNode = { name: "kind-worker", ipv4: "172.18.0.3", ipv6: "fc00:f853:ccd:e793::3" };
const NODE_B: TestNode = { name: "kind-worker2", ipv4: "172.18.0.12", ipv6: "fc00:f853:ccd:e793::c" };
const NODE_C: TestNode = { name: "kind-worker3", ipv4: "172.18.0.7", ipv6: "fc00:f853:ccd:e793::7" };
const NODES = [NODE_A, NODE_B, NODE_C];
/** Has no agent: it is outside. */
const EXTERNAL = { ipv4: "172.18.0.9", ipv6: "fc00:f853:ccd:e793::9" };

interface TestPod {
  readonly name: string;
  readonly kind: string;
  readonly node: TestNode;
  readonly ipv4: string;
  readonly ipv6: string;
}

const PODS: readonly TestPod[] = [
  { name: "client", kind: "client", node: NODE_A, ipv4: "10.244.1.23", ipv6: "fd00:10:244:1::23" },
  { name: "client2", kind: "client", node: NODE_B, ipv4: "10.244.2.5", ipv6: "fd00:10:244:2::5" },
  { name: "client3", kind: "client", node: NODE_C, ipv4: "10.244.3.9", ipv6: "fd00:10:244:3::9" },
  { name: "echo-same-node", kind: "echo", node: NODE_A, ipv4: "10.244.1.77", ipv6: "fd00:10:244:1::77" },
  { name: "echo-other-node", kind: "echo", node: NODE_B, ipv4: "10.244.2.77", ipv6: "fd00:10:244:2::77" },
];
const UIDS: Readonly<Record<string, string>> = {
  client: "9d2b6f0e-5f0f-4c0f-8f57-3c54f0a1d001", client2: "1b5a7cde-12aa-4c2b-9c1f-7d61ba9d2002", client3: "c7fe2a11-93d4-4ce1-8a55-0f2b6a3e3003",
  "echo-same-node": "43c1d5a9-0b7e-4a70-b0a1-92d8c1f74004", "echo-other-node": "e1f0a9b8-7c6d-4e5f-a1b2-c3d4e5f65005",
};

function cluster(pods: readonly TestPod[] = PODS): string {
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

function policies(gateway: string, excluded = "[]"): string {
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

const byHostname = ({ name }: TestNode): string => `nodeSelector: {matchLabels: {kubernetes.io/hostname: ${name}}}`;
const ONE_GATEWAY = `  egressGateway: {${byHostname(NODE_B)}}`;
const TWO_GATEWAYS = `  egressGateway: {${byHostname(NODE_B)}}\n  egressGateways: [{${byHostname(NODE_B)}}, {${byHostname(NODE_C)}}]`;

/** The rows that `cilium-dbg bpf egress list` prints on a node, sorted: source, destination, egress IP, gateway IP. */
function rowsOn({ tables }: CompiledControl, { name }: TestNode): readonly string[] {
  const self = tables.nodes.findIndex((each) => each.name === name);
  const row = (none: string) => ({ source, destination, egressIp, gatewayIp, gatewayNode }: PolicyEntryOf<number | bigint>): string =>
    [formatAddress(source), formatPrefix(destination), gatewayNode === self ? formatAddress(egressIp) : none, gatewayIp === GATEWAY_EXCLUDED ? "Excluded CIDR" : formatIpv4(gatewayIp)].join(" ");
  return [...tables.policyEntries.map(row("0.0.0.0")), ...tables.policyEntries6.map(row("::"))].sort();
}

/** What the check expects on `node` when each pod's gateway is `gatewayOf(pod)`. */
function expectedOn(node: TestNode, gatewayOf: (pod: TestPod) => TestNode, pods: readonly TestPod[] = PODS): readonly string[] {
  return pods
    .flatMap((pod) => {
      const gateway = gatewayOf(pod);
      const isGateway = gateway === node;
      return [
        pod.ipv4 === "" ? "" : `${pod.ipv4} 0.0.0.0/0 ${isGateway ? gateway.ipv4 : "0.0.0.0"} ${gateway.ipv4}`,
        pod.ipv6 === "" ? "" : `${pod.ipv6} ::/0 ${isGateway ? gateway.ipv6 : "::"} ${gateway.ipv4}`,
      ];
    })
    .filter((row) => row !== "")
    .sort();
}

/** FNV-1a with 32 bits as its authors define it, in whole numbers: offset basis 2166136261, prime 16777619. */
function fnv1a(text: string): number {
  let hash = 2166136261n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 16777619n) % 2n ** 32n;
  return Number(hash);
}

describe("the acceptance check of the egress maps", () => {
  it.each(NODES)("one gateway: every row and no other on $name", async (node) => {
    const compiled = await compileText(cluster() + policies(ONE_GATEWAY));
    expect(rowsOn(compiled, node)).toEqual(expectedOn(node, () => NODE_B));
  });

  it.each(NODES)("excluded prefixes have rows that keep the egress address on $name", async (node) => {
    const compiled = await compileText(cluster() + policies(ONE_GATEWAY, `[${EXTERNAL.ipv4}/32, "${EXTERNAL.ipv6}/128"]`));
    const isGateway = node === NODE_B;
    const excluded = PODS.filter(({ kind }) => kind === "client").flatMap(({ ipv4, ipv6 }) => [
      `${ipv4} ${EXTERNAL.ipv4}/32 ${isGateway ? NODE_B.ipv4 : "0.0.0.0"} Excluded CIDR`,
      `${ipv6} ${EXTERNAL.ipv6}/128 ${isGateway ? NODE_B.ipv6 : "::"} Excluded CIDR`,
    ]);
    expect(rowsOn(compiled, node)).toEqual([...expectedOn(node, () => NODE_B), ...excluded].sort());
  });

  it.each(NODES)("several gateways: each pod's is chosen by its endpoint's UID among those sorted by IPv4, on $name", async (node) => {
    const compiled = await compileText(cluster() + policies(TWO_GATEWAYS));
    const sorted = [NODE_C, NODE_B];
    const gatewayOf = ({ name }: TestPod): TestNode => sorted[fnv1a(UIDS[name] ?? "") % 2] ?? NODE_B;
    expect(new Set(PODS.map(gatewayOf)).size).toBe(2);
    expect(rowsOn(compiled, node)).toEqual(expectedOn(node, gatewayOf));
  });

  it("a pod whose first address is of IPv6 has the rows of both families, whichever comes first", async () => {
    const [client] = PODS;
    if (client === undefined) throw new Error("no pod");
    const podIps = (first: string, second: string): string =>
      `---\napiVersion: v1\nkind: Pod\nmetadata: {name: client, namespace: cilium-test, labels: {kind: client}}\nspec: {nodeName: ${client.node.name}}\nstatus: {phase: Running, podIP: "${first}", podIPs: [{ip: "${first}"}, {ip: "${second}"}]}\n`;
    const orders = [podIps(client.ipv6, client.ipv4), podIps(client.ipv4, client.ipv6)];
    for (const order of orders) {
      const compiled = await compileText(cluster([]) + order + policies(ONE_GATEWAY));
      expect(rowsOn(compiled, NODE_B)).toEqual(expectedOn(NODE_B, () => NODE_B, [client]));
    }
  });

  it("an IPv4 cluster has the IPv4 rows alone", async () => {
    const pods = PODS.map((each) => ({ ...each, ipv6: "" }));
    const compiled = await compileText(cluster(pods).replace(/, "fd00:10:244:[0-9]::\/64"/g, "") + policies(ONE_GATEWAY).replaceAll(', "::/0"', ""));
    expect(rowsOn(compiled, NODE_B)).toEqual(expectedOn(NODE_B, () => NODE_B, pods));
    expect(compiled.tables.policyEntries6).toEqual([]);
  });
});
