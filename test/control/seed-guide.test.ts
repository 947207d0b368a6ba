// The policies of a public guide to egress gateways, block by block, with what real Cilium 1.19 makes of each.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables, type CompiledControl } from "../../src/control/compile.ts";
import { withFiles } from "../cluster/temporary-manifests.ts";
import { node, pod, rules } from "./compiled.ts";

const guide = fileURLToPath(new URL("../../../shared/seed/cilium-egress-gateway-guide.md", import.meta.url));
const absent = existsSync(guide) ? "" : " (skipped: ../shared/seed/cilium-egress-gateway-guide.md is absent)";

const CLUSTER =
  node("gateway-node-1", "10.0.1.5", 'egress-gateway: "true"') +
  node("gateway-node-2", "10.0.1.6", 'egress-gateway: "true"') +
  node("worker-1", "10.0.1.7", "", "10.244.1.0/24") +
  pod("production/pay-1", "worker-1", "10.244.1.10", "app: payment-processor, egress: aws") +
  pod("production/ext-1", "worker-1", "10.244.1.11", "app: payment-service, egress: external, network: external-api") +
  pod("data/etl-1", "worker-1", "10.244.1.12", "app: analytics-pipeline, egress: azure") +
  `---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: gateway-node-1}
spec: {devices: [{name: eth0, addresses: [10.0.1.5/24, 10.0.1.100/32]}]}
`;

function blocks(): readonly string[] {
  return [...readFileSync(guide, "utf8").matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text ?? "");
}

/** Compiles the guide's blocks that contain `mark`, with the cluster above. */
async function compileBlock(mark: string): Promise<CompiledControl> {
  const chosen = blocks().filter((text) => text.includes(mark));
  expect(chosen.length).toBeGreaterThan(0);
  const files = Object.fromEntries(chosen.map((text, index) => [`guide-${index}.yaml`, text]));
  return withFiles({ ...files, "cluster.yaml": CLUSTER }, async (folder) => compileTables(await loadCluster([folder]), { semantics: "cilium-1.19" }));
}

describe.skipIf(absent !== "")(`the guide's manifests${absent}`, () => {
  it.each([
    ["name: external-api-egress", ["policy-ignored"], [false]],
    ["name: payment-egress", ["single-gateway", "egress-ip-missing", "single-gateway"], [true, true]],
    ["name: production-namespace-egress", ["single-gateway"], [true]],
    ["name: aws-services-egress", ["no-gateway-node", "no-gateway-node"], [true, true]],
    ["name: multi-criteria-egress", ["single-gateway"], [true]],
    ["name: ha-egress-gateway", ["single-gateway"], [true]],
  ])("%s earns %j", async (mark, expected, accepted) => {
    const compiled = await compileBlock(mark);
    expect([...rules(compiled)].sort()).toEqual([...expected].sort());
    const byName = compiled.tables.policies.map((each) => each.accepted);
    expect(byName).toEqual(accepted);
  });

  it("Helm values: egress gateway on, kube-proxy replacement missing", async () => {
    const compiled = await compileBlock("values.yaml for Cilium Helm chart");
    expect(rules(compiled)).toEqual(["no-kube-proxy-replacement"]);
    expect(compiled.tables.config).toMatchObject({ egressGateway: true, hostRouting: "legacy" });
  });

  it("the ConfigMap is refused whole, and the rest runs on", async () => {
    const compiled = await compileBlock("name: cilium-config");
    expect(rules(compiled)).toEqual(["config-invalid"]);
    expect(compiled.findings[0]?.message).toContain("data.hubble-metrics is not a string");
  });

  it("the Service translates nothing, DaemonSet, ServiceMonitors and PrometheusRule are listed as ignored", async () => {
    const compiled = await compileBlock("metadata:");
    expect(compiled.ignored.map(({ kind, count }) => `${kind} ${count}`)).toEqual(["DaemonSet 1", "PrometheusRule 1", "ServiceMonitor 2"]);
    expect(compiled.findings.filter(({ rule }) => rule === "service-not-translated").map(({ object }) => object)).toEqual(["Service kube-system/egress-lb"]);
    expect(compiled.tables.services.ipv4.entries).toEqual([]);
    expect(compiled.tables.policies).toHaveLength(8);
  });
});
