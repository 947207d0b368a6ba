// Cilium's own map check for egress gateways (cilium-cli connectivity/check/wait.go), offline: on every node the rows that the
// list of its egress maps has, exact in both directions.
import { describe, expect, it } from "vitest";
import type { CompiledControl } from "../../src/control/compile.ts";
import { EgressMaps, type EgressRow } from "../../src/inspect/egress-map.ts";
import { assignedGateway, cluster, EXTERNAL, NODE_B, NODES, ONE_GATEWAY, PODS, policies, type TestNode, type TestPod, TWO_GATEWAYS } from "./acceptance-topology.ts";
import { compileText } from "./compiled.ts";

/** The rows that `cilium-dbg bpf egress list` prints on a node, sorted: source, destination, egress IP, gateway IP. */
function rowsOn(compiled: CompiledControl, { name }: TestNode): readonly string[] {
  const self = compiled.tables.nodes.findIndex((each) => each.name === name);
  const rows = new EgressMaps(compiled).listing(self, false).data as readonly EgressRow[];
  return rows.map(({ SourceIP, DestCIDR, EgressIP, GatewayIP }) => `${SourceIP} ${DestCIDR} ${EgressIP} ${GatewayIP}`).sort();
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
    expect(new Set(PODS.map(assignedGateway)).size).toBe(2);
    expect(rowsOn(compiled, node)).toEqual(expectedOn(node, assignedGateway));
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
