import { describe, expect, it } from "vitest";
import { fnv1a32 } from "../../src/control/derived-addresses.ts";
import { compileText, entries, messages, node, pod, policy, rules } from "./compiled.ts";

const GATEWAY = 'gw: "1"';
const WORKER = node("worker", "192.168.1.11", "zone: a", "10.0.1.0/24");
const NETWORK = `---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: gw}
spec:
  devices:
    - {name: eth0, addresses: [192.168.1.12/24, 192.168.1.50/32]}
    - {name: eth1, addresses: ["fe80::1/64", 198.51.100.12/24, 198.51.100.50/24]}
    - {name: eth2, addresses: []}
  routes: [{to: default, via: 192.168.1.1, dev: eth0}]
`;
const BASE = WORKER + node("gw", "192.168.1.12", GATEWAY, "10.0.3.0/24") + NETWORK;
const WEB = pod("prod/web", "worker", "10.0.1.10", "app: web");

function gatewayWith(fields: string): string {
  return `{nodeSelector: {matchLabels: {gw: "1"}}, ${fields}}`;
}

describe("egress IP", () => {
  it.each([
    ["the default route's device without further fields", "", "192.168.1.12"],
    ["the first IPv4 of the interface", "interface: eth1", "198.51.100.12"],
    ["the egressIP found on any device", "egressIP: 198.51.100.50", "198.51.100.50"],
  ])("is %s", async (_, fields, egress) => {
    const compiled = await compileText(BASE + WEB + policy("p", { gateway: gatewayWith(fields) }));
    expect(entries(compiled)).toEqual([`10.0.1.10 0.0.0.0/0 192.168.1.12 ${egress} p`]);
    expect(compiled.tables.policyEntries[0]?.gatewayNode).toBe(0);
    expect(rules(compiled)).toEqual([]);
  });

  it.each([
    ["egressIP: 10.0.1.101", "p: 10.0.1.101 is on no device of gw"],
    ["interface: eth7", "p: gw has no device eth7"],
    ["interface: eth2", "p: eth2 of gw has no IPv4 address"],
  ])("is missing with %s: the gateway drops, and it is said so", async (fields, message) => {
    const compiled = await compileText(BASE + WEB + policy("p", { gateway: gatewayWith(fields) }));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.12 0.0.0.0 p"]);
    expect(messages(compiled, "egress-ip-missing")).toEqual([message]);
  });

  it("is missing where the gateway has no default route", async () => {
    const text = BASE.replace("routes: [{to: default, via: 192.168.1.1, dev: eth0}]", "routes: [{to: 10.0.0.0/8, via: 192.168.1.1, dev: eth0}]");
    const compiled = await compileText(text + WEB + policy("p"));
    expect(messages(compiled, "egress-ip-missing")).toEqual(["p: gw has no IPv4 default route"]);
  });
});

describe("what the agent ignores or takes differently", () => {
  it("ignores a policy with interface and egressIP; with intent it counts if the address is on the interface", async () => {
    const both = BASE + WEB + policy("p", { gateway: gatewayWith("interface: eth1, egressIP: 198.51.100.50") });
    const real = await compileText(both);
    expect(entries(real)).toEqual([]);
    expect(messages(real, "policy-ignored")).toEqual(["p sets both interface and egressIP: the agent ignores it"]);
    expect(real.tables.policies).toMatchObject([{ name: "p", accepted: false }]);
    expect(entries(await compileText(both, "intent"))).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.12 198.51.100.50 p"]);
    const elsewhere = await compileText(both.replace("interface: eth1", "interface: eth0"), "intent");
    expect(messages(elsewhere, "egress-ip-missing")).toEqual(["p: 198.51.100.50 is not on eth0 of gw"]);
  });

  it("ignores a policy with a selector that has only a nodeSelector", async () => {
    const compiled = await compileText(BASE + WEB + policy("p", { selectors: "[{nodeSelector: {}}]" }));
    expect(rules(compiled)).toEqual(["policy-ignored"]);
  });

  it("uses egressGateways alone where both are given", async () => {
    const compiled = await compileText(BASE + WEB + policy("p", { gateway: gatewayWith("interface: eth1, egressIP: 1.2.3.4"), gateways: `[${gatewayWith("egressIP: 192.168.1.50")}]` }));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.12 192.168.1.50 p"]);
  });

  it("masks prefixes before they become keys, so that two spellings are one entry", async () => {
    const compiled = await compileText(BASE + WEB + policy("p", { destinations: "[203.0.113.7/24, 203.0.113.0/24]" }));
    expect(entries(compiled)).toEqual(["10.0.1.10 203.0.113.0/24 192.168.1.12 192.168.1.12 p"]);
    expect(messages(compiled, "host-bits")).toEqual(["p writes 203.0.113.7/24, which is 203.0.113.0/24"]);
  });

  it("writes excluded prefixes as entries of their own that beat an equal destination and keep the egress IP", async () => {
    const compiled = await compileText(BASE + WEB + policy("p", { destinations: "[0.0.0.0/0, 10.0.0.0/8]", excluded: "[10.0.0.0/8]" }));
    expect(entries(compiled)).toEqual([
      "10.0.1.10 0.0.0.0/0 192.168.1.12 192.168.1.12 p",
      "10.0.1.10 10.0.0.0/8 0.0.0.1 192.168.1.12 p",
    ]);
    expect(compiled.tables.policyEntries[1]?.gatewayNode).toBe(0);
  });

  it("wants an IPv6 egress address as soon as a destination is of IPv6, even where IPv6 is off: IPv4 goes without too", async () => {
    const compiled = await compileText(BASE + WEB + policy("p", { destinations: "['::/0', 203.0.113.0/24]" }));
    expect(entries(compiled)).toEqual(["10.0.1.10 203.0.113.0/24 192.168.1.12 0.0.0.0 p"]);
    expect(compiled.tables.policyEntries6).toEqual([]);
    expect(messages(compiled, "egress-ip-missing")).toEqual(["p: gw has no IPv6 default route, which its IPv6 destinations need"]);
    const apart = await compileText(BASE + WEB + policy("p", { destinations: "[203.0.113.0/24]", excluded: "['2001:db8::/32']" }));
    expect(entries(apart)).toEqual(["10.0.1.10 203.0.113.0/24 192.168.1.12 192.168.1.12 p"]);
  });
});

describe("selectors", () => {
  const pods = WEB + pod("prod/db", "gw", "10.0.3.20", "app: db") + pod("test/web", "worker", "10.0.1.30", "app: web");
  const namespaces = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {team: x}}\n";

  it.each([
    ["pods by label", "[{podSelector: {matchLabels: {app: web}}}]", ["10.0.1.10", "10.0.1.30"]],
    ["by the identity's namespace label", "[{podSelector: {matchLabels: {io.kubernetes.pod.namespace: prod}}}]", ["10.0.1.10", "10.0.3.20"]],
    ["by namespace labels", "[{namespaceSelector: {matchLabels: {team: x}}}]", ["10.0.1.10", "10.0.3.20"]],
    ["pod and namespace together", "[{podSelector: {matchLabels: {app: web}}, namespaceSelector: {matchLabels: {team: x}}}]", ["10.0.1.10"]],
    ["every namespace with an empty namespaceSelector", "[{namespaceSelector: {}}]", ["10.0.1.10", "10.0.1.30", "10.0.3.20"]],
    ["any of several selectors", "[{podSelector: {matchLabels: {app: db}}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: test}}}]", ["10.0.1.30", "10.0.3.20"]],
    ["by expressions alone", "[{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [db]}]}}]", ["10.0.1.10", "10.0.1.30"]],
    ["pods on a node", "[{podSelector: {}, nodeSelector: {matchLabels: {zone: a}}}]", ["10.0.1.10", "10.0.1.30"]],
    ["nothing with an empty list", "[]", []],
  ])("select %s", async (_, selectors, sources) => {
    const compiled = await compileText(BASE + pods + namespaces + policy("p", { selectors }));
    expect(entries(compiled).map((entry) => entry.split(" ")[0])).toEqual(sources);
    expect(rules(compiled)).toEqual(sources.length === 0 ? ["selects-nothing"] : []);
  });

  it("share their node selectors: one of them restricts the pods of all", async () => {
    const selectors = "[{podSelector: {matchLabels: {app: web}}, nodeSelector: {matchLabels: {zone: a}}}, {podSelector: {matchLabels: {app: db}}}]";
    const compiled = await compileText(BASE + pods + policy("p", { selectors }));
    expect(entries(compiled).map((entry) => entry.split(" ")[0])).toEqual(["10.0.1.10", "10.0.1.30"]);
    expect(rules(compiled)).toEqual(["node-selectors-shared"]);
  });

  it("do not know labels by their source", async () => {
    const compiled = await compileText(BASE + pods + policy("p", { selectors: "[{podSelector: {matchLabels: {'k8s:app': web}}}]" }));
    expect(rules(compiled)).toEqual(["selects-nothing", "label-source-in-key"]);
  });
});

describe("gateways", () => {
  it("are the first matching node by name in byte order, node10 before node2", async () => {
    const compiled = await compileText(WORKER + node("node2", "192.168.1.2", GATEWAY) + node("node10", "192.168.1.10", GATEWAY) + WEB + policy("p"));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.10 192.168.1.10 p"]);
    expect(messages(compiled, "single-gateway")).toEqual(["p: 2 nodes match, only node10 is used"]);
  });

  it("pass over a node without IPv4", async () => {
    const compiled = await compileText(WORKER + node("a", "'fd00::1'", GATEWAY) + node("b", "192.168.1.10", GATEWAY) + WEB + policy("p"));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.10 192.168.1.10 p"]);
    expect(rules(compiled)).toEqual(["node-without-ipv4"]);
  });

  it("missing: gateway 0 and a finding that names the labels", async () => {
    const compiled = await compileText(BASE + WEB + policy("p", { gateway: "{nodeSelector: {matchLabels: {gw: '1', region: us-east-1}}}", excluded: "[10.0.0.0/8]" }));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 0.0.0.0 0.0.0.0 p", "10.0.1.10 10.0.0.0/8 0.0.0.1 0.0.0.0 p"]);
    expect(compiled.tables.policyEntries[0]?.gatewayNode).toBe(-1);
    expect(messages(compiled, "no-gateway-node")).toEqual(["p: no node has labels gw=1, region=us-east-1"]);
  });

  it("are spread over by the endpoint's UID in order of the gateways' addresses", async () => {
    const uids = ["6f1b0c1e-0000-4000-8000-000000000001", "6f1b0c1e-0000-4000-8000-000000000002", "x", "yy", "z-3"];
    const endpoints = uids.map((uid, index) => `---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: p${index}, namespace: prod, uid: ${uid}}
status: {id: ${index + 7}, identity: {id: 30001, labels: ["k8s:app=web"]}, networking: {node: 192.168.1.11, addressing: [{ipv4: 10.0.1.${index + 10}}]}}
`);
    const gateways = ["a", "b", "c"].map((name) => `{nodeSelector: {matchLabels: {kubernetes.io/hostname: ${name}}}}`);
    const text = WORKER + node("a", "192.168.1.30", "kubernetes.io/hostname: a") + node("b", "192.168.1.4", "kubernetes.io/hostname: b") + node("c", "192.168.1.20", "kubernetes.io/hostname: c");
    const compiled = await compileText(text + endpoints.join("") + policy("p", { gateways: `[${gateways.join(", ")}]` }));
    const order = ["192.168.1.4", "192.168.1.20", "192.168.1.30"];
    expect(entries(compiled).map((entry) => entry.split(" ")[2])).toEqual(uids.map((uid) => order[fnv1a32(uid) % 3]));
    expect(new Set(entries(compiled).map((entry) => entry.split(" ")[2])).size).toBeGreaterThan(1);
  });

  it("FNV-1a gives its published values", () => {
    expect([fnv1a32(""), fnv1a32("a"), fnv1a32("foobar")]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});

describe("the map", () => {
  const second = policy("b", { gateway: gatewayWith("egressIP: 192.168.1.50") });

  it("gives a contested key to the policy whose name comes first and names both", async () => {
    const compiled = await compileText(BASE + WEB + pod("prod/api", "worker", "10.0.1.11") + second + policy("a"));
    expect(entries(compiled).map((entry) => entry.split(" ").at(-1))).toEqual(["a", "a"]);
    expect(messages(compiled, "policy-conflict")).toEqual(["b and a want 0.0.0.0/0 for 2 pods: the winner changes"]);
  });

  it("sees no conflict where both policies want the same, nor between prefixes of different length", async () => {
    const compiled = await compileText(BASE + WEB + policy("a") + policy("b") + policy("c", { destinations: "[203.0.113.0/24]", gateway: gatewayWith("egressIP: 192.168.1.50") }));
    expect(rules(compiled)).toEqual([]);
    expect(entries(compiled)).toHaveLength(2);
  });

  it("counts an exclusion against another policy's destination as a conflict", async () => {
    const compiled = await compileText(BASE + WEB + policy("a", { excluded: "[10.0.0.0/8]" }) + policy("b", { destinations: "[10.0.0.0/8]" }));
    expect(messages(compiled, "policy-conflict")).toEqual(["b and a want 10.0.0.0/8 for 1 pod: the winner changes"]);
  });

  it("that is nine tenths full is warned of, and a full one that holds everything too", async () => {
    const sized = (size: number): string => `---\negressGateway: {enabled: true, maxPolicyEntries: ${size}}\nbpf: {masquerade: true}\nkubeProxyReplacement: true\n`;
    const prefixes = Array.from({ length: 9 }, (_, index) => `203.0.${index}.0/24`).join(", ");
    const rulesWith = async (size: number): Promise<readonly string[]> => rules(await compileText(BASE + sized(size) + WEB + policy("a", { destinations: `[${prefixes}]` })));
    expect(await Promise.all([11, 10, 9, 8].map(rulesWith))).toEqual([[], ["policy-map-pressure"], ["policy-map-pressure"], ["policy-map-full"]]);
  });

  it("holds no more than its size and says how many entries were left out", async () => {
    const config = "---\negressGateway: {enabled: true, maxPolicyEntries: 3}\nbpf: {masquerade: true}\nkubeProxyReplacement: true\n";
    const pods = [1, 2, 3, 4].map((n) => pod(`prod/p${n}`, "worker", `10.0.1.${n + 10}`)).join("");
    const compiled = await compileText(BASE + config + pods + policy("a", { destinations: "[203.0.113.0/24, 198.51.100.0/24]" }));
    expect(entries(compiled)).toHaveLength(3);
    expect(messages(compiled, "policy-map-full")).toEqual(["the policies make 8 entries, the map holds 3: 5 are left out, most of them a's"]);
  });
});
