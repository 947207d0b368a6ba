import { describe, expect, it } from "vitest";
import { formatIpv4, formatIpv4Prefix } from "../../src/cluster/cidr.ts";
import type { LocalEndpoint, NodeTable } from "../../src/control/tables.ts";
import { type CompiledControl } from "../../src/control/compile.ts";
import { assumed, compileText, entries, messages, node, pod, policy, rules } from "./compiled.ts";

function nodeOf({ tables }: CompiledControl, name: string): NodeTable {
  const found = tables.nodes.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no node ${name}`);
  return found;
}

function pods({ tables }: CompiledControl): readonly LocalEndpoint[] {
  return tables.nodes.flatMap(({ endpoints }) => endpoints.filter(({ host }) => !host));
}

const routesOf = (table: NodeTable): readonly string[] =>
  table.routes.map((route) => `${formatIpv4Prefix(route.to)} ${formatIpv4(route.via)} ${route.device} ${route.table}`);

describe("a tiny model of pods and nodes", () => {
  const TINY = `apiVersion: v1
kind: Node
metadata: {name: n1, labels: {gw: "1"}}
status: {addresses: [{type: Hostname, address: n1}, {type: ExternalIP, address: 203.0.113.1}, {type: InternalIP, address: 192.168.1.1}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
spec: {podCIDR: 10.0.7.0/24}
status: {addresses: [{type: InternalIP, address: 192.168.1.2}]}
${pod("default/a", "n1", "10.0.5.9", "app: a")}${pod("default/b", "n2", "10.0.7.9", "app: b")}${pod("default/c", "n2", "10.0.7.8", "app: b")}${policy("p")}`;

  it("gets devices, routes, pod CIDRs, router addresses and identities by stated rules", async () => {
    const compiled = await compileText(TINY);
    const first = nodeOf(compiled, "n1");
    expect(first.address).toBe(0xc0a80101);
    expect(first.devices).toMatchObject([{ name: "eth0", ifindex: 2, mac: [2, 0, 192, 168, 1, 1], mtu: 1500, masqueradeIp: 0xc0a80101 }]);
    expect(routesOf(first)).toEqual(["192.168.1.0/24 0.0.0.0 eth0 0", "0.0.0.0/0 192.168.1.254 eth0 0"]);
    expect(routesOf(nodeOf(compiled, "n2"))).toContain("0.0.0.0/0 192.168.1.1 eth0 0");
    expect(first.podCidrs.map(formatIpv4Prefix)).toEqual(["10.0.5.0/24"]);
    expect(first.snatExclusion).toEqual(first.podCidrs[0]);
    expect(pods(compiled).map(({ label, identity, endpointId, ifindex }) => `${label} ${identity} ${endpointId} ${ifindex}`)).toEqual([
      "default/a 20001 1 1000",
      "default/b 20002 1 1000",
      "default/c 20002 2 1001",
    ]);
    expect(entries(compiled)).toHaveLength(3);
    expect(assumed(compiled)).toEqual({
      "cilium-defaults": 1, "node-from-kubernetes": 2, "device-derived": 2, "default-route-derived": 2, "pod-cidr-derived": 1,
      "router-address-derived": 2, "endpoint-from-pod": 3, "identity-derived": 2, "namespace-labels-assumed": 1,
    });
  });

  it("gives every MAC address once", async () => {
    const compiled = await compileText(TINY);
    const macs = [
      ...compiled.tables.nodes.flatMap(({ devices }) => devices.map(({ mac }) => mac.join(":"))),
      ...pods(compiled).flatMap(({ mac, nodeMac }) => [mac.join(":"), nodeMac.join(":")]),
    ];
    expect(new Set(macs).size).toBe(macs.length);
    expect(macs).toHaveLength(8);
  });

  it("knows nodes by all their addresses in the ipcache", async () => {
    const { tables } = await compileText(TINY);
    expect(tables.ipcache.map(({ prefix, identity, ownerNode, isNode }) => `${formatIpv4Prefix(prefix)} ${identity} ${ownerNode} ${isNode}`)).toEqual([
      "0.0.0.0/0 2 -1 false",
      "10.0.5.1/32 6 0 true",
      "10.0.7.1/32 6 1 true",
      "192.168.1.1/32 6 0 true",
      "192.168.1.2/32 6 1 true",
      "203.0.113.1/32 6 0 true",
      "10.0.5.9/32 20001 0 false",
      "10.0.7.8/32 20002 1 false",
      "10.0.7.9/32 20002 1 false",
    ]);
  });

  it("is the same whatever the order of the files' objects", async () => {
    const documents = TINY.split(/^---\n/m);
    const turned = await compileText([...documents].reverse().join("---\n").replace(/^---\n/, ""));
    expect(turned.tables.nodes).toEqual((await compileText(TINY)).tables.nodes);
    expect(turned.tables.policyEntries).toEqual((await compileText(TINY)).tables.policyEntries);
  });

  it("takes a gateway without NodeNetwork to have the egress IPs and the interface that policies name", async () => {
    const gateway = (fields: string): string => `{nodeSelector: {matchLabels: {gw: "1"}}, ${fields}}`;
    const compiled = await compileText(TINY + policy("q", { gateway: gateway("egressIP: 192.168.1.77"), destinations: "[198.51.100.0/24]" }) + policy("r", { gateway: gateway("interface: ens5"), destinations: "[203.0.113.0/24]" }));
    expect(rules(compiled)).toEqual([]);
    const table = nodeOf(compiled, "n1");
    expect(table.devices.map(({ name, addresses }) => `${name} ${addresses.map(formatIpv4Prefix).join(" ")}`)).toEqual(["ens5 192.168.1.1/24 192.168.1.77/32"]);
    expect(compiled.tables.ipcache.filter(({ ownerOnly }) => ownerOnly)).toMatchObject([{ prefix: { address: 0xc0a8014d, bits: 32 }, identity: 1, ownerNode: 0 }]);
    expect(assumed(compiled)).toMatchObject({ "egress-ip-assumed": 1, "device-name-from-policy": 1 });
  });
});

describe("a NodeNetwork", () => {
  const NETWORK = `apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: n1}
spec:
  devices:
    - {name: eth1, ifindex: 2, mtu: 9000, mac: "02:00:00:00:02:0C", addresses: [198.51.100.12/24]}
    - {name: eth0, addresses: [192.168.1.50/24, 192.168.1.12/24]}
    - {name: dummy0, addresses: []}
  routes:
    - {to: default, via: 192.168.1.1, dev: eth0}
    - {to: default, via: 198.51.100.1, dev: eth1, table: 100}
    - {to: 10.9.1.7/16, dev: eth1, table: main}
  rules: [{from: 198.51.100.12/32, table: 100}]
  podCIDRs: [10.0.1.0/24]
`;

  it("is kept in its order, with what it leaves open filled in", async () => {
    const compiled = await compileText(NETWORK + node("n1", "192.168.1.12"));
    const table = nodeOf(compiled, "n1");
    expect(table.devices.map(({ name, ifindex, mtu, mac, masqueradeIp }) => `${name} ${ifindex} ${mtu} ${mac.join(".")} ${formatIpv4(masqueradeIp)}`)).toEqual([
      "eth1 2 9000 2.0.0.0.2.12 198.51.100.12",
      "eth0 3 1500 2.0.192.168.1.50 192.168.1.12",
      expect.stringMatching(/^dummy0 4 1500 2\.2\.[0-9.]+ 0\.0\.0\.0$/),
    ]);
    expect(routesOf(table)).toEqual([
      "198.51.100.0/24 0.0.0.0 eth1 0",
      "192.168.1.0/24 0.0.0.0 eth0 0",
      "0.0.0.0/0 192.168.1.1 eth0 0",
      "0.0.0.0/0 198.51.100.1 eth1 100",
      "10.9.0.0/16 0.0.0.0 eth1 0",
    ]);
    expect(table.rules).toEqual([{ from: { address: 0xc633640c, bits: 32 }, table: 100 }]);
    expect(assumed(compiled)).toEqual({ "cilium-defaults": 1, "mac-derived": 2, "router-address-derived": 1 });
  });

  it("alone makes a node, whose address is the first one", async () => {
    const compiled = await compileText(NETWORK);
    expect(nodeOf(compiled, "n1").address).toBe(0xc633640c);
    expect(assumed(compiled)).toMatchObject({ "node-from-network": 1, "node-address-from-network": 1 });
  });

  it("with an address that another node has too is reported", async () => {
    const compiled = await compileText(NETWORK + node("n1", "192.168.1.12") + node("n2", "192.168.1.50"));
    expect(messages(compiled, "duplicate-address")).toEqual(["192.168.1.50 is on both n1 and n2"]);
  });
});

describe("endpoints", () => {
  const NODE = node("n1", "192.168.1.1", "", "10.0.1.0/24");
  const endpoint = (name: string, identity: string, ip: string, more = ""): string => `---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: ${name}, namespace: default, uid: u-${name}}
status: {id: 77, ${identity}, networking: {node: 192.168.1.1, addressing: [{ipv4: ${ip}, ipv6: ""}]}${more}}
`;

  it("leave out host-network, finished and addressless pods", async () => {
    const compiled = await compileText(
      NODE + pod("default/host", "n1", "192.168.1.1", "", ", hostNetwork: true") + pod("default/done", "n1", "10.0.1.5").replace("Running", "Succeeded") + pod("default/new", "n1", '""') + policy("p", { gateway: "{nodeSelector: {}}" }),
    );
    expect(pods(compiled)).toEqual([]);
    expect(messages(compiled, "selects-nothing")).toEqual(["p selects no pod of the model"]);
  });

  it("come from CiliumEndpoint and CiliumIdentity where given; a pod's own labels then count no more", async () => {
    const identity = '---\napiVersion: cilium.io/v2\nkind: CiliumIdentity\nmetadata: {name: "4711"}\nsecurity-labels: {"k8s:app": old}\n';
    const compiled = await compileText(NODE + pod("default/a", "n1", "10.0.1.5", "app: new") + endpoint("a", 'identity: {id: 4711, labels: ["k8s:app=stale"]}', "10.0.1.5") + identity + policy("p", { selectors: "[{podSelector: {matchLabels: {app: old}}}]", gateway: "{nodeSelector: {}}" }));
    expect(pods(compiled)).toMatchObject([{ identity: 4711, endpointId: 77, label: "default/a" }]);
    expect(entries(compiled)).toHaveLength(1);
  });

  it("keep the numbers of existing identities and step round those taken", async () => {
    const identity = (name: number, labels: string): string => `---\napiVersion: cilium.io/v2\nkind: CiliumIdentity\nmetadata: {name: "${name}"}\nsecurity-labels: {${labels}}\n`;
    const same = ["k8s:app: a", "k8s:io.kubernetes.pod.namespace: default", "k8s:io.cilium.k8s.policy.cluster: default", "k8s:io.cilium.k8s.policy.serviceaccount: default", "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name: default"];
    const quoted = same.map((label) => `"${label.replace(": ", '": ')}`).join(", ");
    const compiled = await compileText(NODE + identity(4711, quoted) + identity(20001, '"k8s:app": other') + pod("default/a", "n1", "10.0.1.5", "app: a") + pod("default/b", "n1", "10.0.1.6", "app: b"));
    expect(pods(compiled).map(({ label, identity: number }) => `${label} ${number}`)).toEqual(["default/a 4711", "default/b 20002"]);
  });

  it("without identity are there, but no policy selects them", async () => {
    const compiled = await compileText(NODE + endpoint("a", "state: creating", "10.0.1.5") + policy("p", { gateway: "{nodeSelector: {}}" }));
    expect(pods(compiled)).toMatchObject([{ identity: 5 }]);
    expect(entries(compiled)).toEqual([]);
    expect(rules(compiled)).toEqual(["endpoint-without-identity", "selects-nothing"]);
  });

  it("on unknown nodes are reported and left out", async () => {
    const compiled = await compileText(NODE + pod("default/a", "n9", "10.0.1.5"));
    expect(messages(compiled, "endpoint-node-unknown")).toEqual(["Pod default/a runs on n9, which is no node of the model"]);
    expect(pods(compiled)).toEqual([]);
  });

  it("that share an address: the first by name keeps it", async () => {
    const compiled = await compileText(NODE + pod("default/b", "n1", "10.0.1.5") + pod("default/a", "n1", "10.0.1.5"));
    expect(pods(compiled).map(({ label }) => label)).toEqual(["default/a"]);
    expect(messages(compiled, "duplicate-pod-address")).toEqual(["default/b and default/a both have 10.0.1.5"]);
  });
});
