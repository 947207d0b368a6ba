// What the API server would refuse, with the place of each fault.
import { describe, expect, test } from "vitest";
import { inShort, loadText, problemsOf } from "./temporary-manifests.ts";

async function faults(text: string): Promise<readonly string[]> {
  return (await problemsOf({ "policy.yaml": text })).map(inShort);
}

const cilium = (rule: string): string => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  endpointSelector: {}
  egress:
    - ${rule}
`;

describe("CiliumNetworkPolicy", () => {
  test.each([
    ["a field that is not known", "toCIDRs: [10.0.0.0/8]", "7:7 CiliumNetworkPolicy p: spec.egress[0].toCIDRs is not a known field"],
    ["a prefix that is none", "toCIDR: [10.0.0.0/33]", '7:16 CiliumNetworkPolicy p: spec.egress[0].toCIDR[0] is "10.0.0.0/33": expected a CIDR such as 203.0.113.0/24: the prefix length is above 32'],
    ["an entity that does not exist", "toEntities: [internet]", '7:20 CiliumNetworkPolicy p: spec.egress[0].toEntities[0] is "internet": expected all or world or'],
    ["a port as a number", "toPorts: [{ports: [{port: 443}]}]", "7:33 CiliumNetworkPolicy p: spec.egress[0].toPorts[0].ports[0].port is the number 443: expected a string"],
    ["a port above the last", 'toPorts: [{ports: [{port: "65536"}]}]', '7:33 CiliumNetworkPolicy p: spec.egress[0].toPorts[0].ports[0].port is "65536": expected a port number from 0 to 65535'],
    ["a protocol in lower case", 'toPorts: [{ports: [{port: "1", protocol: tcp}]}]', '7:48 CiliumNetworkPolicy p: spec.egress[0].toPorts[0].ports[0].protocol is "tcp": expected ANY or TCP'],
    ["an ICMP type without meaning", "icmps: [{fields: [{type: Ping}]}]", '7:32 CiliumNetworkPolicy p: spec.egress[0].icmps[0].fields[0].type is "Ping": expected an ICMP type from 0 to 255, or its name'],
    ["a prefix and a group in one", "toCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: g}]", "7:19 CiliumNetworkPolicy p: spec.egress[0].toCIDRSet[0] is an object: expected one of cidr, cidrGroupRef and cidrGroupSelector"],
  ])("%s is a fault with its place", async (_what, rule, expected) => {
    const [first, ...more] = await faults(cilium(rule));
    expect(first).toContain(expected);
    expect(more).toEqual([]);
  });

  test("all faults of an object are told at once", async () => {
    expect(await faults(cilium("{toCIDR: [x], toEntities: [y], toEndpoint: []}"))).toHaveLength(3);
  });

  test("wants a selector of endpoints or of nodes, and a spec", async () => {
    const head = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n";
    expect((await faults(`${head}spec: {egress: []}\n`)).join()).toContain("expected one of endpointSelector and nodeSelector");
    expect((await faults(head)).join()).toContain("expected spec or specs");
  });

  test("has more than 40 ports in no rule", async () => {
    const ports = Array.from({ length: 41 }, (_, k) => `{port: "${k + 1}"}`).join(", ");
    expect((await faults(cilium(`toPorts: [{ports: [${ports}]}]`))).join()).toContain("at most 40 ports in one rule");
  });

  test("may hold what this model does not read, and several specs", async () => {
    const cluster = await loadText(`apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p, namespace: shop}
specs:
  - {endpointSelector: {}, description: one, ingress: [{fromEndpoints: [{}]}]}
  - {endpointSelector: {}, egress: [{toServices: [{k8sService: {serviceName: a}}]}], labels: [{key: a, source: k8s}]}
`);
    expect(cluster.networkPolicies).toMatchObject([{ kind: "CiliumNetworkPolicy", namespace: "shop", specs: [{ hasIngress: true }, { egress: [{ unknownPeers: ["toServices"] }] }] }]);
    expect(cluster.ignored).toEqual([]);
  });
});

describe("NetworkPolicy", () => {
  const kubernetes = (egress: string): string => `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec:\n  podSelector: {}\n  egress:\n    - ${egress}\n`;

  test("is as strict", async () => {
    expect(await faults(kubernetes("to: [{ipBlock: {cidr: 10.0.0.0}}]"))).toEqual([expect.stringContaining("spec.egress[0].to[0].ipBlock.cidr")]);
    expect(await faults(kubernetes("ports: [{port: 70000}]"))).toEqual([expect.stringContaining("spec.egress[0].ports[0].port")]);
    expect(await faults(kubernetes("toCIDR: []"))).toEqual([expect.stringContaining("spec.egress[0].toCIDR is not a known field")]);
  });

  test("is in the namespace default where it names none", async () => {
    expect((await loadText(kubernetes("{}"))).networkPolicies).toMatchObject([{ kind: "NetworkPolicy", namespace: "default" }]);
  });
});
