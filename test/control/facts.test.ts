// Facts of Cilium 1.19 that no other test file holds, by the number of the section that states them.
import { describe, expect, it } from "vitest";
import { formatIpv4Prefix } from "../../src/cluster/cidr.ts";
import { compileTables } from "../../src/control/compile.ts";
import { fnv1a32 } from "../../src/control/derived-addresses.ts";
import { objectTable } from "../../src/inspect/kubernetes-objects.ts";
import { loadText, problemsOf } from "../cluster/temporary-manifests.ts";
import { assumed, compileText, endpoint, entries, messages, node, pod, policy, rules } from "./compiled.ts";

const WORKER = node("worker", "192.168.1.11", "", "10.0.1.0/24");
const GATEWAY = node("gw", "192.168.1.12", 'gw: "1"');
const WEB = pod("prod/web", "worker", "10.0.1.10", "app: web");

function config(data: Readonly<Record<string, string>>): string {
  const all = { "enable-egress-gateway": "true", "enable-bpf-masquerade": "true", "kube-proxy-replacement": "true", ...data };
  return `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config}\ndata: ${JSON.stringify(all)}\n`;
}

const sources = (made: readonly string[]): readonly string[] => made.map((entry) => entry.split(" ")[0] ?? "");
const gatewaysOf = (made: readonly string[]): readonly string[] => made.map((entry) => entry.split(" ")[2] ?? "");

describe("section 1: the egress gateway's control plane", () => {
  it("fact 1.1: egressGateway is required by the CRD even beside egressGateways", async () => {
    const text = policy("p", { gateways: "[{nodeSelector: {}}]" }).replace(/ {2}egressGateway: .*\n/, "");
    const problems = await problemsOf({ "p.yaml": text });
    expect(problems.map(({ message }) => message)).toEqual(["CiliumEgressGatewayPolicy p: spec.egressGateway is missing: expected an object"]);
  });

  it("fact 1.1: an egressIP is an IPv4 address by the CRD's format", async () => {
    const problems = await problemsOf({ "p.yaml": policy("p", { gateway: '{nodeSelector: {}, egressIP: "fd00::1"}' }) });
    expect(problems[0]?.message).toContain('spec.egressGateway.egressIP is "fd00::1": expected an IPv4 address');
  });

  it("fact 1.1: a policy of another version is refused, and fields beyond the CRD's are", async () => {
    const text = policy("p").replace("cilium.io/v2", "cilium.io/v2alpha1").replace("egressGateway:", "egressgateway:");
    expect((await problemsOf({ "p.yaml": text })).map(({ message }) => message)).toEqual([
      'CiliumEgressGatewayPolicy p: apiVersion is "cilium.io/v2alpha1": expected cilium.io/v2',
      "CiliumEgressGatewayPolicy p: spec.egressGateway is missing: expected an object",
      "CiliumEgressGatewayPolicy p: spec.egressgateway is not a known field",
    ]);
  });

  it("fact 1.1: kubectl prints a policy's name and age and nothing else", async () => {
    const cluster = await loadText(WORKER + GATEWAY + WEB + policy("p"));
    const { header, objects } = objectTable("cegp", cluster, compileTables(cluster, { semantics: "cilium-1.19" }), { node: null, namespace: null });
    expect({ header, cells: objects.map(({ cells }) => cells) }).toEqual({ header: ["NAME", "AGE"], cells: [["p", "<unknown>"]] });
  });

  it("fact 1.2: without a name, destinations or a gateway there is no policy", async () => {
    const broken = (from: string | RegExp, to: string): Promise<readonly string[]> =>
      problemsOf({ "p.yaml": policy("p").replace(from, to) }).then((problems) => problems.map(({ message }) => message.replace(/^CiliumEgressGatewayPolicy (p|\(no name\)): /, "")));
    expect(await broken("name: p", 'name: ""')).toEqual(['metadata.name is "": expected a Kubernetes name (lower-case letters, digits, - and .)']);
    expect(await broken(/ {2}destinationCIDRs: .*\n/, "")).toEqual(["spec.destinationCIDRs is missing: expected a list"]);
    expect(await broken(/ {2}egressGateway: .*\n/, "")).toEqual(["spec.egressGateway is missing: expected an object"]);
    expect(await broken("[0.0.0.0/0]", '["010.0.0.0/8"]')).toEqual([expect.stringContaining("leading zero")]);
  });

  it("fact 1.2: an empty list of destinations parses and matches nothing", async () => {
    const compiled = await compileText(WORKER + GATEWAY + WEB + policy("p", { destinations: "[]" }));
    expect(entries(compiled)).toEqual([]);
    expect(rules(compiled)).toEqual(["no-destination"]);
    expect(compiled.tables.policies).toMatchObject([{ name: "p", accepted: true }]);
  });

  it("fact 1.2: a faulty item of egressGateways spoils the whole policy", async () => {
    const gateways = '[{nodeSelector: {matchLabels: {gw: "1"}}}, {nodeSelector: {}, interface: eth0, egressIP: 192.168.1.12}]';
    const compiled = await compileText(WORKER + GATEWAY + WEB + policy("p", { gateways }));
    expect(rules(compiled)).toEqual(["policy-ignored"]);
    expect(entries(compiled)).toEqual([]);
  });

  it("fact 1.3: all addresses of an endpoint are used", async () => {
    const several = endpoint("prod/multi", "192.168.1.11", "10.0.1.10", "", 20001).replace("addressing: [", "addressing: [{ipv4: 10.0.1.20}, ");
    const compiled = await compileText(WORKER + GATEWAY + several + policy("p"));
    expect(sources(entries(compiled))).toEqual(["10.0.1.10", "10.0.1.20"]);
  });

  it("fact 1.3: an identity without an object has the labels that its endpoint names, which is said", async () => {
    const selectors = "[{podSelector: {matchLabels: {app: web}}}]";
    const compiled = await compileText(WORKER + GATEWAY + endpoint("prod/a", "192.168.1.11", "10.0.1.10", "", 20001, ["k8s:app=web"]) + policy("p", { selectors }));
    expect(sources(entries(compiled))).toEqual(["10.0.1.10"]);
    expect(assumed(compiled)["identity-labels-from-endpoint"]).toBe(1);
  });

  it("fact 1.3: each family's addresses go with the prefixes of that family", async () => {
    const dual = endpoint("prod/a", "192.168.1.11", "10.0.1.10", "fd00::10", 20001);
    const { tables } = await compileText(WORKER + GATEWAY + dual + policy("p", { destinations: '[203.0.113.0/24, "2001:db8::/32"]' }));
    expect(tables.policyEntries.map(({ source }) => source)).toEqual([0x0a00010a]);
    expect(tables.policyEntries6.map(({ source }) => source)).toEqual([(0xfd00n << 112n) | 0x10n]);
  });

  it("fact 1.3: an endpoint without UID, from a CiliumEndpointSlice, is skipped", async () => {
    const compiled = await compileText(WORKER + GATEWAY + endpoint("prod/a", "192.168.1.11", "10.0.1.10", "", 20001, [], '""') + policy("p"));
    expect(entries(compiled)).toEqual([]);
    expect(rules(compiled)).toContain("selects-nothing");
  });

  it("fact 1.3: the identity's labels count, not those of the CiliumEndpoint", async () => {
    const identity = '---\napiVersion: cilium.io/v2\nkind: CiliumIdentity\nmetadata: {name: "20001"}\nsecurity-labels: {"k8s:app": web}\n';
    const selectors = "[{podSelector: {matchLabels: {app: web}}}]";
    const compiled = await compileText(WORKER + GATEWAY + identity + endpoint("prod/a", "192.168.1.11", "10.0.1.10", "", 20001, ["k8s:app=old"]) + policy("p", { selectors }));
    expect(sources(entries(compiled))).toEqual(["10.0.1.10"]);
  });

  it("fact 1.3: an endpoint is selected by a label of another source under that source's name", async () => {
    const selectors = "[{podSelector: {matchExpressions: [{key: reserved.health, operator: Exists}]}}]";
    const compiled = await compileText(WORKER + GATEWAY + endpoint("prod/a", "192.168.1.11", "10.0.1.10", "", 4, ["reserved:health"]) + policy("p", { selectors }));
    expect(sources(entries(compiled))).toEqual(["10.0.1.10"]);
  });

  it("fact 1.3: labels that the default filter leaves out select nothing", async () => {
    const labelled = pod("prod/web", "worker", "10.0.1.10", "app: web, pod-template-hash: x1");
    const compiled = await compileText(WORKER + GATEWAY + labelled + policy("p", { selectors: "[{podSelector: {matchLabels: {pod-template-hash: x1}}}]" }));
    expect(messages(compiled, "selects-nothing")).toEqual(["p selects no pod of the model"]);
  });

  it("fact 1.4: a CiliumNode's labels count, not those that its Node has meanwhile", async () => {
    const relabelled = '---\napiVersion: v1\nkind: Node\nmetadata: {name: worker, labels: {gw: "1"}}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: gw}\n';
    const compiled = await compileText(WORKER + GATEWAY + relabelled + WEB + policy("p"));
    expect(gatewaysOf(entries(compiled))).toEqual(["192.168.1.12"]);
  });

  it("fact 1.4: an endpoint is on the node that has the address it names, whatever its pod says", async () => {
    const elsewhere = pod("prod/a", "gw", "10.0.1.10");
    const compiled = await compileText(WORKER + GATEWAY + elsewhere + endpoint("prod/a", "192.168.1.11", "10.0.1.10", "", 20001));
    expect(compiled.endpoints.map(({ title, node: { name } }) => `${title} ${name}`)).toEqual(["prod/a worker"]);
  });

  it("fact 1.4: node10 sorts before node2", async () => {
    const compiled = await compileText(WORKER + node("node2", "192.168.1.2", 'gw: "1"') + node("node10", "192.168.1.10", 'gw: "1"') + WEB + policy("p"));
    expect(gatewaysOf(entries(compiled))).toEqual(["192.168.1.10"]);
  });

  it.each([
    ["InternalIP before all", "{type: ExternalIP, ip: 203.0.113.9}, {type: InternalIP, ip: 192.168.1.9}", "192.168.1.9"],
    ["ExternalIP next", "{type: Other, ip: 192.168.1.8}, {type: ExternalIP, ip: 203.0.113.9}", "203.0.113.9"],
    ["any other type else, the router's own never", "{type: CiliumInternalIP, ip: 10.0.9.1}, {type: Other, ip: 192.168.1.8}", "192.168.1.8"],
  ])("fact 1.4: a node's IP is its %s", async (_, addresses, wanted) => {
    const gw = `---\napiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: {name: gw, labels: {gw: "1"}}\nspec: {addresses: [${addresses}]}\n`;
    const compiled = await compileText(WORKER + gw + WEB + policy("p"));
    expect(gatewaysOf(entries(compiled))).toEqual([wanted]);
  });

  it("fact 1.4: NotReady and cordoned nodes stay gateways", async () => {
    const sick = '---\napiVersion: v1\nkind: Node\nmetadata: {name: gw, labels: {gw: "1"}}\nspec: {unschedulable: true, taints: [{key: node.kubernetes.io/unreachable, effect: NoExecute}]}\nstatus: {addresses: [{type: InternalIP, address: 192.168.1.12}], conditions: [{type: Ready, status: "False"}]}\n';
    const compiled = await compileText(WORKER + sick + node("later", "192.168.1.13", 'gw: "1"') + WEB + policy("p"));
    expect(gatewaysOf(entries(compiled))).toEqual(["192.168.1.12"]);
  });

  it("fact 1.5: an item of egressGateways that no node matches is left out of the distribution", async () => {
    const gateways = '[{nodeSelector: {matchLabels: {gw: none}}}, {nodeSelector: {matchLabels: {gw: "1"}}}]';
    const pods = [1, 2, 3, 4, 5, 6].map((number) => pod(`prod/p${number}`, "worker", `10.0.1.${number}`)).join("");
    const compiled = await compileText(WORKER + GATEWAY + pods + policy("p", { gateways }));
    expect(new Set(gatewaysOf(entries(compiled)))).toEqual(new Set(["192.168.1.12"]));
    expect(compiled.findings.find(({ rule }) => rule === "no-gateway-node")?.severity).toBe("warning");
  });

  it("fact 1.5: a gateway whose address cannot be derived stays the gateway for all others", async () => {
    const compiled = await compileText(WORKER + GATEWAY + `---\napiVersion: egwsim.dev/v1\nkind: NodeNetwork\nmetadata: {name: gw}\nspec: {devices: [{name: eth0, addresses: [192.168.1.12/24]}]}\n` + WEB + policy("p", { gateway: '{nodeSelector: {matchLabels: {gw: "1"}}, egressIP: 192.168.1.99}' }));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.12 0.0.0.0 p"]);
  });

  it("fact 1.5: an egressIP is found on whichever device has it, and no device is recorded", async () => {
    const network = "---\napiVersion: egwsim.dev/v1\nkind: NodeNetwork\nmetadata: {name: gw}\nspec: {devices: [{name: eth0, addresses: [192.168.1.12/24]}, {name: eth1, ifindex: 7, addresses: [198.51.100.12/24, '2001:db8:1::12/64']}]}\n";
    const gateway = (field: string): string => `{nodeSelector: {matchLabels: {gw: "1"}}, ${field}}`;
    const dual = WORKER + GATEWAY + network + endpoint("prod/a", "192.168.1.11", "10.0.1.10", "fd00::10", 20001);
    const byAddress = await compileText(dual + policy("p", { destinations: '[0.0.0.0/0, "::/0"]', gateway: gateway("egressIP: 198.51.100.12") }));
    expect(byAddress.tables.policyEntries.map(({ egressIp }) => egressIp)).toEqual([0xc633640c]);
    expect(byAddress.tables.policyEntries6).toMatchObject([{ egressIp: 0n, egressIfindex: 0 }]);
    const byInterface = await compileText(dual + policy("p", { destinations: '[0.0.0.0/0, "::/0"]', gateway: gateway("interface: eth1") }));
    expect(byInterface.tables.policyEntries6).toMatchObject([{ egressIfindex: 7 }]);
  });

  it("fact 1.6: gateways are in order of their addresses as numbers, whatever their names", async () => {
    const item = (name: string): string => `{nodeSelector: {matchLabels: {host: ${name}}}}`;
    const nodes = node("a", "192.168.1.100", "host: a") + node("b", "192.168.1.20", "host: b");
    const uid = (wanted: number): string => Array.from({ length: 50 }, (_, number) => `uid-${number}`).find((text) => fnv1a32(text) % 2 === wanted) ?? "";
    const pods = [0, 1].map((turn) => endpoint(`prod/p${turn}`, "192.168.1.11", `10.0.1.${turn}`, "", 20001, [], uid(turn))).join("");
    const compiled = await compileText(WORKER + nodes + pods + policy("p", { gateways: `[${item("a")}, ${item("b")}]` }));
    expect(gatewaysOf(entries(compiled))).toEqual(["192.168.1.20", "192.168.1.100"]);
  });

  it("fact 1.6: two items on one node both count in the distribution", async () => {
    const item = (fields: string): string => `{nodeSelector: {matchLabels: {gw: "1"}}, ${fields}}`;
    const pods = Array.from({ length: 24 }, (_, index) => endpoint(`prod/p${index}`, "192.168.1.11", `10.0.1.${index + 10}`, "", 20001)).join("");
    const compiled = await compileText(WORKER + GATEWAY + pods + policy("p", { gateways: `[${item("egressIP: 192.168.1.50")}, ${item("egressIP: 192.168.1.51")}]` }));
    expect(gatewaysOf(entries(compiled)).every((address) => address === "192.168.1.12")).toBe(true);
    expect(new Set(entries(compiled).map((entry) => entry.split(" ")[3]))).toEqual(new Set(["192.168.1.50", "192.168.1.51"]));
  });

  it("fact 1.7: each pod has an entry for each destination and each exclusion, which keeps the egress IP", async () => {
    const pods = pod("prod/a", "worker", "10.0.1.10") + pod("prod/b", "gw", "10.0.3.10");
    const compiled = await compileText(WORKER + GATEWAY + pods + policy("p", { destinations: "[203.0.113.0/24, 198.51.100.0/24]", excluded: "[203.0.113.64/26]" }));
    expect(entries(compiled)).toEqual(["10.0.1.10", "10.0.3.10"].flatMap((source) => [
      `${source} 203.0.113.0/24 192.168.1.12 192.168.1.12 p`, `${source} 198.51.100.0/24 192.168.1.12 192.168.1.12 p`, `${source} 203.0.113.64/26 0.0.0.1 192.168.1.12 p`,
    ]));
  });

  it("fact 1.7: the map takes 16,384 entries unless told otherwise", async () => {
    expect((await compileText(WORKER)).tables.config.policyMapMax).toBe(16_384);
    expect((await compileText(config({ "egress-gateway-policy-map-max": "100" }) + WORKER)).tables.config.policyMapMax).toBe(100);
  });

  it("fact 1.9: kube-proxy replacement is not asked for at the start; without it routing is by the host's stack", async () => {
    const compiled = await compileText(config({ "kube-proxy-replacement": "false" }) + WORKER + GATEWAY + WEB + policy("p"));
    expect(rules(compiled)).toEqual(["no-kube-proxy-replacement"]);
    expect(compiled.tables.config.hostRouting).toBe("legacy");
    expect(entries(compiled)).toHaveLength(1);
  });

  it("fact 1.13: every kind of the list is read, and what nothing here looks at is named", async () => {
    const cluster = await loadText(config({}) + WORKER + GATEWAY + WEB + endpoint("prod/e", "192.168.1.11", "10.0.1.11", "", 20001) + policy("p") +
      '---\napiVersion: cilium.io/v2\nkind: CiliumIdentity\nmetadata: {name: "20001"}\nsecurity-labels: {"k8s:app": e}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: worker}\n' +
      "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n");
    const { policies, ciliumNodes, nodes, pods, namespaces, endpoints, identities, settings, ignored } = cluster;
    expect([policies, ciliumNodes, nodes, pods, namespaces, endpoints, identities].map(({ length }) => length)).toEqual([1, 2, 1, 1, 1, 1, 1]);
    expect(settings.get("enable-egress-gateway")?.value).toBe("true");
    expect(ignored.map(({ kind }) => kind)).toEqual(["Deployment"]);
  });

  it("fact 1.9: without IPv6 masquerade the agent starts all the same, and says so", async () => {
    const helm = config({ "enable-ipv6": "true", "enable-ipv6-masquerade": "false" });
    const compiled = await compileText(helm + WORKER + GATEWAY + WEB + policy("p", { destinations: '["2001:db8::/32"]' }));
    expect(messages(compiled, "ipv6-masquerade-off")).toEqual(['policies name IPv6 destinations, but enable-ipv6-masquerade is "false"']);
    expect(rules(await compileText(helm + WORKER + GATEWAY + WEB + policy("p")))).not.toContain("ipv6-masquerade-off");
  });
});

describe("section 3: masquerade", () => {
  const exclusionWith = async (data: Readonly<Record<string, string>>): Promise<string | null> => {
    const compiled = await compileText(config(data) + WORKER);
    const exclusion = compiled.tables.nodes[0]?.snatExclusion ?? null;
    return exclusion === null ? null : formatIpv4Prefix(exclusion);
  };

  it("fact 3.4: the exclusion is the native-routing CIDR, else the node's own pod CIDR", async () => {
    expect(await exclusionWith({ "ipv4-native-routing-cidr": "10.0.0.0/8" })).toBe("10.0.0.0/8");
    expect(await exclusionWith({})).toBe("10.0.1.0/24");
  });

  it("fact 3.4: with ip-masq-agent only an explicit native-routing CIDR counts", async () => {
    expect(await exclusionWith({ "enable-ip-masq-agent": "true" })).toBeNull();
    expect(await exclusionWith({ "enable-ip-masq-agent": "true", "ipv4-native-routing-cidr": "10.0.0.0/8" })).toBe("10.0.0.0/8");
  });

  it.each([
    ["masqLinkLocal: false", ["169.254.0.0/16"], ["fe80::/10"]],
    ["masqLinkLocal: true", [], ["fe80::/10"]],
    ["masqLinkLocalIPv6: true", ["169.254.0.0/16"], []],
  ])("fact 3: ip-masq-agent's list with %s is completed for each family on its own", async (written, fourth, sixth) => {
    const agent = `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ip-masq-agent}\ndata:\n  config: "nonMasqueradeCIDRs: []\\n${written}"\n`;
    const { tables } = await compileText(config({ "enable-ipv6": "true", "enable-ip-masq-agent": "true" }) + agent + WORKER);
    expect(tables.config.nonMasqueradeCidrs.map(formatIpv4Prefix)).toEqual(fourth);
    expect(tables.config.nonMasqueradeCidrs6).toHaveLength(sixth.length);
  });

  it("fact 3: with ip-masq-agent and no file the built-in list counts, which holds the private networks", async () => {
    const { tables } = await compileText(config({ "enable-ip-masq-agent": "true" }) + WORKER);
    const listed = tables.config.nonMasqueradeCidrs.map(formatIpv4Prefix);
    expect(listed).toEqual(expect.arrayContaining(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "203.0.113.0/24", "240.0.0.0/4", "169.254.0.0/16"]));
    expect(listed).toHaveLength(12);
  });
});
