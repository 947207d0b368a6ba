import { describe, expect, it } from "vitest";
import { formatIpv4Prefix } from "../../src/cluster/cidr.ts";
import { assumed, compileText, entries, messages, node, pod, policy, rules } from "./compiled.ts";

const CLUSTER = node("n1", "192.168.1.1", 'gw: "1"', "10.0.1.0/24") + pod("default/a", "n1", "10.0.1.5") + policy("p");

function configMap(data: Readonly<Record<string, string>>): string {
  const lines = Object.entries(data).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}\n`);
  return `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata:\n${lines.join("")}`;
}

const COMPLETE = { "enable-egress-gateway": "true", "enable-bpf-masquerade": "true", "kube-proxy-replacement": "true" };

describe("the installation", () => {
  it("without any configuration is one made for egress gateways", async () => {
    const compiled = await compileText(CLUSTER);
    expect(compiled.tables.config).toMatchObject({ egressGateway: true, ipv4Masquerade: true, routingMode: "tunnel", tunnelProtocol: "vxlan", tunnelPort: 8472, hostRouting: "bpf", policyMapMax: 16384, snatMinPort: 32768 });
    expect(assumed(compiled)["cilium-defaults"]).toBe(1);
  });

  it("takes every option that the datapath reads", async () => {
    const compiled = await compileText(
      CLUSTER +
        configMap({
          ...COMPLETE, "tunnel-protocol": "geneve", "routing-mode": "native", "ipv4-native-routing-cidr": "10.0.0.0/8", "enable-sctp": "true",
          "node-port-range": "20000,29999", "bpf-ct-timeout-regular-tcp": "2h13m20s", "bpf-ct-timeout-regular-any": "1m30s",
          "egress-gateway-policy-map-max": "65536", "bpf-nat-global-max": "841429", "enable-ipv4-fragment-tracking": "false",
          "enable-remote-node-masquerade": "true", "cluster-name": "east",
        }),
    );
    expect(rules(compiled)).toEqual([]);
    expect(compiled.tables.config).toMatchObject({
      tunnelProtocol: "geneve", tunnelPort: 6081, routingMode: "native", nativeRoutingCidr: { address: 0x0a000000, bits: 8 }, sctp: true,
      snatMinPort: 30000, ctLifetimeTcp: 8000, ctLifetimeNonTcp: 90, policyMapMax: 65536, natMapMax: 841429, fragmentTracking: false, remoteNodeMasquerade: true,
    });
    expect(compiled.tables.nodes[0]?.snatExclusion).toEqual({ address: 0x0a000000, bits: 8 });
    expect(assumed(compiled)["cilium-defaults"]).toBeUndefined();
  });

  it("with egress gateway off applies no policy", async () => {
    const unset: Readonly<Record<string, string>>[] = [{ "enable-egress-gateway": "false" }, { "enable-bpf-masquerade": "true" }];
    for (const data of unset) {
      const compiled = await compileText(CLUSTER + configMap(data));
      expect(messages(compiled, "egress-gateway-disabled")).toEqual(["egress gateway is off: enable-egress-gateway is not true"]);
      expect(entries(compiled)).toEqual([]);
      expect(compiled.tables.policies).toMatchObject([{ name: "p", accepted: false }]);
    }
  });

  it("understands the option's name from before 1.18", async () => {
    const compiled = await compileText(CLUSTER + configMap({ ...COMPLETE, "enable-egress-gateway": "", "enable-ipv4-egress-gateway": "true" }));
    expect(rules(compiled)).toEqual([]);
    expect(entries(compiled)).toHaveLength(1);
  });

  it.each([
    [{ "enable-bpf-masquerade": "false" }, 'egress gateway needs enable-bpf-masquerade true, but it is "false"'],
    [{ "enable-ipv4-masquerade": "false" }, 'egress gateway needs enable-ipv4-masquerade true, but it is "false"'],
    [{ "identity-allocation-mode": "kvstore" }, 'egress gateway needs identity-allocation-mode crd, but it is "kvstore"'],
    [{ "enable-cilium-endpoint-slice": "true" }, 'egress gateway needs enable-cilium-endpoint-slice false, but it is "true"'],
    [{ "underlay-protocol": "ipv6" }, 'egress gateway needs underlay-protocol ipv4, but it is "ipv6"'],
  ])("contradicting a start-up requirement, %j, is an error at its line", async (data, message) => {
    const compiled = await compileText(CLUSTER + configMap({ ...COMPLETE, ...data }));
    expect(messages(compiled, "requirement-unmet")).toEqual([message]);
    const line = CLUSTER.split("\n").length + 5 + Object.keys({ ...COMPLETE, ...data }).indexOf(Object.keys(data)[0] ?? "");
    expect(compiled.findings.find(({ rule }) => rule === "requirement-unmet")?.at?.line).toBe(line);
  });

  it("with a value that Go cannot read keeps the default and says so", async () => {
    const compiled = await compileText(CLUSTER + configMap({ ...COMPLETE, "enable-sctp": "ja", "ipv4-native-routing-cidr": "10.0.0.0", "node-port-range": "32767,30000", "bpf-ct-timeout-regular-tcp": "8000" }));
    expect(messages(compiled, "config-value").map((message) => message.split(" is ")[0]).sort()).toEqual([
      "bpf-ct-timeout-regular-tcp", "enable-sctp", "ipv4-native-routing-cidr", "node-port-range",
    ]);
    expect(compiled.tables.config).toMatchObject({ sctp: false, nativeRoutingCidr: null, snatMinPort: 32768, ctLifetimeTcp: 8000 });
  });

  it("with ip-masq-agent counts only an explicit native-routing CIDR as exclusion", async () => {
    const compiled = await compileText(CLUSTER + configMap({ ...COMPLETE, "enable-ip-masq-agent": "true" }));
    expect(compiled.tables.nodes[0]?.snatExclusion).toBeNull();
    expect(compiled.tables.config.nonMasqueradeCidrs.map(formatIpv4Prefix)).toContain("169.254.0.0/16");
    expect(compiled.tables.config.nonMasqueradeCidrs).toHaveLength(12);
    expect(assumed(compiled)["ip-masq-default-list"]).toBe(1);
    const agent = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ip-masq-agent}\ndata:\n  config: \"nonMasqueradeCIDRs: [10.7.3.1/16]\\nmasqLinkLocal: true\"\n";
    const given = await compileText(CLUSTER + agent + configMap({ ...COMPLETE, "enable-ip-masq-agent": "true" }));
    expect(given.tables.config.nonMasqueradeCidrs.map(formatIpv4Prefix)).toEqual(["10.7.0.0/16"]);
  });

  it("reports findings in order of file, line and rule", async () => {
    const compiled = await compileText(CLUSTER + policy("q", { selectors: "[{nodeSelector: {}}]" }) + policy("r", { gateway: "{nodeSelector: {matchLabels: {x: y}}}" }));
    const lines = compiled.findings.map(({ at }) => at?.line ?? 0);
    expect(lines.length).toBeGreaterThan(2);
    expect(lines).toEqual([...lines].sort((a, b) => a - b));
  });
});
