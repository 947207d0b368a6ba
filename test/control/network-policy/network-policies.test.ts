// Manifests to policy maps, in the words of `cilium-dbg bpf policy get`.
import { describe, expect, test } from "vitest";
import type { CompiledControl } from "../../../src/control/compile.ts";
import { mapEntries } from "../../../src/control/network-policy/policy-map.ts";
import { compileText, endpoint, node } from "../compiled.ts";

const NODE_IP = "192.168.1.11", SHOP = 20_001, DATABASE = 20_002, OTHER = 20_003;
const label = (namespace: string, app: string): string[] =>
  [`k8s:app=${app}`, `k8s:io.kubernetes.pod.namespace=${namespace}`, `k8s:io.cilium.k8s.namespace.labels.team=${namespace}`, "k8s:io.cilium.k8s.policy.cluster=default"];
const PODS = node("n1", NODE_IP) +
  endpoint("shop/web", NODE_IP, "10.0.1.10", "", SHOP, label("shop", "web")) +
  endpoint("shop/db", NODE_IP, "10.0.1.11", "", DATABASE, label("shop", "db")) +
  endpoint("other/db", NODE_IP, "10.0.1.12", "", OTHER, label("other", "db"));

function cilium(egress: string, { kind = "CiliumNetworkPolicy", deny = "", more = "", selector = "{app: web}", name = "p" } = {}): string {
  const namespace = kind === "CiliumNetworkPolicy" ? ", namespace: shop" : "";
  return `---
apiVersion: cilium.io/v2
kind: ${kind}
metadata: {name: ${name}${namespace}}
spec:
  endpointSelector: {matchLabels: ${selector}}
  egress: ${egress}
${deny === "" ? "" : `  egressDeny: ${deny}\n`}${more}`;
}

function kubernetes(spec: string): string {
  return `---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: ${spec}\n`;
}

const config = (options: string): string => `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata: {enable-egress-gateway: "true", enable-bpf-masquerade: "true", ${options}}\n`;

/** The egress entries of the web pod's map; null where nothing is enforced. */
function entries(compiled: CompiledControl, identity = SHOP): string[] | null {
  const policy = compiled.tables.networkPolicy.byIdentity.get(identity);
  return policy === undefined ? null : mapEntries(policy.map).filter(({ direction }) => direction === "egress")
    .map(({ deny, identity: peer, protocol, port, prefix }) => `${deny ? "deny" : "allow"} ${peer} ${protocol}/${port}/${prefix}`);
}
const compiledEntries = async (policies: string, identity = SHOP): Promise<string[] | null> => entries(await compileText(PODS + policies), identity);
const rulesFound = ({ findings }: CompiledControl): string[] => [...new Set(findings.map(({ rule }) => rule))];

describe("who is restricted", () => {
  test("nobody without a policy", async () => {
    expect((await compileText(PODS)).tables.networkPolicy).toMatchObject({ policies: [], rules: [], byIdentity: new Map() });
  });

  test("the pods that the selector names in the policy's own namespace, and no others", async () => {
    const compiled = await compileText(PODS + cilium("[{toEntities: [world]}]", { selector: "{app: db}" }));
    expect([...compiled.tables.networkPolicy.byIdentity.keys()]).toEqual([DATABASE]);
  });

  test("pods of every namespace by a clusterwide policy", async () => {
    const compiled = await compileText(PODS + cilium("[{toEntities: [world]}]", { selector: "{app: db}", kind: "CiliumClusterwideNetworkPolicy" }));
    expect([...compiled.tables.networkPolicy.byIdentity.keys()].sort()).toEqual([DATABASE, OTHER]);
  });

  test("egress: [{}] denies everything, egress: [] does nothing", async () => {
    expect(await compiledEntries(cilium("[{}]"))).toEqual([]);
    expect(await compiledEntries(cilium("[]"))).toBeNull();
  });

  test("enableDefaultDeny.egress false leaves everything else allowed", async () => {
    expect(await compiledEntries(cilium("[{toEntities: [host]}]", { more: "  enableDefaultDeny: {egress: false}\n" }))).toEqual(["allow 0 0/0/0", "allow 1 0/0/0"]);
  });

  test("with enforcement always pods without a policy have an empty map, with never nobody has one", async () => {
    const always = await compileText(PODS + config("enable-policy: always"));
    expect(entries(always)).toEqual([]);
    expect(rulesFound(always)).toContain("policy-enforcement-always");
    const never = await compileText(PODS + config("enable-policy: never") + cilium("[{}]"));
    expect(entries(never)).toBeNull();
    expect(rulesFound(never)).toContain("policy-enforcement-never");
  });
});

describe("destinations", () => {
  test("toEndpoints means the policy's own namespace, unless it says otherwise", async () => {
    expect(await compiledEntries(cilium("[{toEndpoints: [{matchLabels: {app: db}}]}]"))).toEqual([`allow ${DATABASE} 0/0/0`]);
    expect(await compiledEntries(cilium("[{toEndpoints: [{matchLabels: {app: db, \"k8s:io.kubernetes.pod.namespace\": other}}]}]"))).toEqual([`allow ${OTHER} 0/0/0`]);
    expect(await compiledEntries(cilium("[{toEndpoints: [{}]}]"))).toEqual([`allow ${SHOP} 0/0/0`, `allow ${DATABASE} 0/0/0`]);
    const clusterwide = cilium("[{toEndpoints: [{}]}]", { kind: "CiliumClusterwideNetworkPolicy" });
    expect(await compiledEntries(clusterwide)).toEqual([`allow ${SHOP} 0/0/0`, `allow ${DATABASE} 0/0/0`, `allow ${OTHER} 0/0/0`]);
  });

  test("prefixes have identities of their own, which a wider rule lists too and except takes out", async () => {
    const compiled = await compileText(PODS + cilium("[{toCIDRSet: [{cidr: 203.0.113.0/24, except: [203.0.113.128/25]}]}, {toCIDR: [203.0.113.7/32]}]"));
    expect(entries(compiled)).toEqual(["allow 16777217 0/0/0", "allow 16777219 0/0/0"]);
    const prefixes = compiled.tables.ipcache.filter(({ identity }) => identity > 0x1000000).map(({ prefix, identity }) => `${identity} /${prefix.bits}`);
    expect(prefixes).toEqual(["16777217 /24", "16777218 /25", "16777219 /32"]);
  });

  test("0.0.0.0/0 is the world with every prefix in it", async () => {
    expect(await compiledEntries(cilium("[{toCIDR: [0.0.0.0/0]}]") + cilium("[{toCIDR: [198.51.100.0/24]}]", { name: "q" }))).toEqual(["allow 2 0/0/0", "allow 16777217 0/0/0"]);
  });

  test("entities stand for reserved identities; all stands for any identity, world for all that is outside", async () => {
    expect(await compiledEntries(cilium("[{toEntities: [all]}]"))).toEqual(["allow 0 0/0/0"]);
    expect(await compiledEntries(cilium("[{toEntities: [world]}, {toCIDR: [198.51.100.0/24]}]"))).toEqual(["allow 2 0/0/0", "allow 16777217 0/0/0"]);
    expect(await compiledEntries(cilium("[{toEntities: [host, remote-node]}]"))).toEqual(["allow 1 0/0/0", "allow 6 0/0/0", "allow 7 0/0/0"]);
    expect(await compiledEntries(cilium("[{toEntities: [cluster]}]"))).toEqual(
      [1, 3, 4, 5, 6, 7, 8, SHOP, DATABASE, OTHER].map((identity) => `allow ${identity} 0/0/0`),
    );
  });

  test("a CiliumCIDRGroup is what its prefixes are", async () => {
    const group = "---\napiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\nmetadata: {name: partners}\nspec: {externalCIDRs: [198.51.100.0/24]}\n";
    expect(await compiledEntries(cilium("[{toCIDRSet: [{cidrGroupRef: partners}]}]") + group)).toEqual(["allow 16777217 0/0/0"]);
    expect(rulesFound(await compileText(PODS + cilium("[{toCIDRSet: [{cidrGroupRef: partners}]}]")))).toContain("cidr-group-unknown");
  });
});

describe("ports", () => {
  const ports = (list: string): string => cilium(`[{toPorts: [{ports: ${list}}]}]`);
  test("without a destination they are of any identity; a range is several prefixes", async () => {
    expect(await compiledEntries(ports('[{port: "443", protocol: TCP}]'))).toEqual(["allow 0 6/443/24"]);
    expect(await compiledEntries(ports('[{port: "8080", endPort: 8089, protocol: TCP}]'))).toEqual(["allow 0 6/8080/21", "allow 0 6/8088/23"]);
  });

  test("without a protocol they are of TCP, UDP and SCTP; port 0 is every port", async () => {
    expect(await compiledEntries(ports('[{port: "53"}]'))).toEqual(["allow 0 6/53/24", "allow 0 17/53/24", "allow 0 132/53/24"]);
    expect(await compiledEntries(ports('[{port: "0", protocol: UDP}]'))).toEqual(["allow 0 17/0/8"]);
  });

  test("1.19 takes a range from 0 for every port and ICMP type 0 for every type, and a finding says so", async () => {
    const range = await compileText(PODS + ports('[{port: "0", endPort: 1023, protocol: TCP}]'));
    expect(entries(range)).toEqual(["allow 0 6/0/8"]);
    const type = await compileText(PODS + cilium("[{icmps: [{fields: [{type: EchoReply}, {type: 8}]}]}]"));
    expect(entries(type)).toEqual(["allow 0 1/0/8", "allow 0 1/8/24"]);
    for (const compiled of [range, type]) expect(rulesFound(compiled)).toContain("port-zero-means-all");
  });
});

describe("denials", () => {
  test("win over allowances however narrow those are, and take what they cover out of the map", async () => {
    const policy = cilium("[{toCIDR: [203.0.113.7/32], toPorts: [{ports: [{port: \"443\", protocol: TCP}]}]}, {toEntities: [world]}]", { deny: "[{toCIDR: [203.0.113.0/24]}]" });
    expect(await compiledEntries(policy)).toEqual(["allow 2 0/0/0", "deny 16777217 0/0/0", "deny 16777218 0/0/0"]);
  });
});

describe("NetworkPolicy of Kubernetes", () => {
  test("without rules it denies, with an empty rule it allows everything", async () => {
    expect(await compiledEntries(kubernetes("{podSelector: {}, policyTypes: [Egress]}"))).toEqual([]);
    expect(await compiledEntries(kubernetes("{podSelector: {}, egress: [{}]}"))).toEqual(["allow 0 0/0/0"]);
    expect(await compiledEntries(kubernetes("{podSelector: {}, ingress: [{}]}"))).toBeNull();
  });

  test("peers are pods of the own namespace, of namespaces by label, or blocks of addresses; ports are of TCP unless they say so", async () => {
    const spec = (to: string, ports = "[]"): string => kubernetes(`{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: ${to}, ports: ${ports}}]}`);
    expect(await compiledEntries(spec("[{podSelector: {matchLabels: {app: db}}}]", "[{port: 5432}]"))).toEqual([`allow ${DATABASE} 6/5432/24`]);
    expect(await compiledEntries(spec("[{namespaceSelector: {matchLabels: {team: other}}}]"))).toEqual([`allow ${OTHER} 0/0/0`]);
    expect(await compiledEntries(spec("[{namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}]"))).toEqual([`allow ${DATABASE} 0/0/0`, `allow ${OTHER} 0/0/0`]);
    expect(await compiledEntries(spec("[{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.64/26]}}]", "[{port: 53, protocol: UDP}]"))).toEqual(["allow 16777217 17/53/24"]);
  });
});

describe("what is not modelled allows nothing, and is said", () => {
  test.each([
    ["toFQDNs", "[{toFQDNs: [{matchName: example.com}]}]", "peers-not-modelled"],
    ["toServices", "[{toServices: [{k8sService: {serviceName: a, namespace: b}}]}]", "peers-not-modelled"],
    ["a port's name", '[{toEntities: [world], toPorts: [{ports: [{port: "https", protocol: TCP}]}]}]', "named-port-unknown"],
  ])("%s", async (_what, egress, rule) => {
    const compiled = await compileText(PODS + cilium(egress));
    expect(entries(compiled)).toEqual([]);
    expect(rulesFound(compiled)).toContain(rule);
  });

  test("L7 rules hand the connection to the proxy", async () => {
    const compiled = await compileText(PODS + cilium('[{toEntities: [world], toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}]}]'));
    const policy = compiled.tables.networkPolicy.byIdentity.get(SHOP), [entry] = policy === undefined ? [] : mapEntries(policy.map);
    expect(entry).toMatchObject({ identity: 2, port: 80, deny: false, precedence: 0xffffff9a });
    expect(entry?.proxyPort).toBeGreaterThan(0);
    expect(rulesFound(compiled)).toContain("l7-not-modelled");
  });

  test("mutual authentication, ingress rules and host policies", async () => {
    expect(rulesFound(await compileText(PODS + cilium("[{toEntities: [world], authentication: {mode: required}}]")))).toContain("authentication-not-modelled");
    expect(rulesFound(await compileText(PODS + cilium("[{toEntities: [world]}]", { more: "  ingress: [{fromEntities: [all]}]\n" })))).toContain("ingress-not-enforced");
    const host = "---\napiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: h}\nspec: {nodeSelector: {}, egress: [{}]}\n";
    const compiled = await compileText(PODS + host);
    expect(rulesFound(compiled)).toContain("host-policy-not-modelled");
    expect(compiled.tables.networkPolicy.byIdentity.size).toBe(0);
  });
});

describe("findings", () => {
  test("a rule that the agent refuses takes its whole object out of force", async () => {
    for (const egress of ["[{toCIDR: [203.0.113.0/24], toEntities: [world]}]", '[{toEntities: [world], icmps: [{fields: [{type: 8}]}], toPorts: [{ports: [{port: "1"}]}]}]']) {
      const compiled = await compileText(PODS + cilium(egress));
      expect(entries(compiled)).toBeNull();
      expect(compiled.findings.find(({ rule }) => rule === "network-policy-ignored")).toMatchObject({ severity: "error", object: "CiliumNetworkPolicy shop/p" });
    }
  });

  test("a policy for no pod, a rule for nothing, a CIDR of a pod, an entity without addresses", async () => {
    expect(rulesFound(await compileText(PODS + cilium("[{}]", { selector: "{app: gone}" })))).toContain("network-policy-selects-nothing");
    expect(rulesFound(await compileText(PODS + cilium("[{toEndpoints: [{matchLabels: {app: gone}}]}]")))).toContain("peer-selects-nothing");
    const pod = await compileText(PODS + cilium("[{toCIDR: [10.0.1.11/32]}]"));
    expect(pod.findings.find(({ rule }) => rule === "cidr-in-cluster")?.message).toContain("shop/db");
    expect(pod.tables.ipcache.filter(({ prefix }) => prefix.address === 0x0a00010b)).toEqual([expect.objectContaining({ identity: DATABASE })]);
    expect(rulesFound(await compileText(PODS + cilium("[{toEntities: [kube-apiserver]}]")))).toContain("entity-unknown");
  });

  test("a gateway policy whose destinations the network policy denies", async () => {
    const gateway = "---\napiVersion: cilium.io/v2\nkind: CiliumEgressGatewayPolicy\nmetadata: {name: out}\nspec: {selectors: [{podSelector: {}}], destinationCIDRs: [203.0.113.0/24], egressGateway: {nodeSelector: {}}}\n";
    const denied = await compileText(PODS + gateway + cilium("[{toEndpoints: [{}]}]"));
    expect(denied.findings.find(({ rule }) => rule === "network-policy-blocks-gateway")).toMatchObject({
      object: "CiliumEgressGatewayPolicy out", message: expect.stringContaining("CiliumNetworkPolicy shop/p allows none of its destinations"),
    });
    for (const egress of ["[{toEntities: [world]}]", "[{toCIDR: [203.0.113.7/32]}]", "[{toCIDR: [203.0.0.0/16]}]"])
      expect(rulesFound(await compileText(PODS + gateway + cilium(egress)))).not.toContain("network-policy-blocks-gateway");
  });

  test("a map that overflows locks the pod down, and names it", async () => {
    const prefixes = Array.from({ length: 300 }, (_, k) => `198.51.${k >> 8}.${k & 255}/32`).join(", ");
    const compiled = await compileText(PODS + config('bpf-policy-map-max: "256"') + cilium(`[{toCIDR: [${prefixes}]}]`));
    expect(entries(compiled)).toEqual(["deny 0 0/0/0"]);
    expect(compiled.findings.find(({ rule }) => rule === "network-policy-map-full")?.message).toBe("the policies of shop/web make 301 entries, a policy map holds 256");
  });
});

test("identities under the same policies share one map, however many they are", async () => {
  const pods = Array.from({ length: 20 }, (_, k) => endpoint(`shop/web-${k}`, NODE_IP, `10.0.2.${k + 1}`, "", 30_000 + k, [...label("shop", "web"), `k8s:n=${k}`])).join("");
  const { byIdentity } = (await compileText(PODS + pods + cilium("[{toEntities: [cluster]}]"))).tables.networkPolicy;
  expect(byIdentity.size).toBe(21);
  expect(new Set([...byIdentity.values()].map(({ map }) => map)).size).toBe(1);
});
