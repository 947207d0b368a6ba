import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatAddress, formatPrefix } from "../../src/cluster/cidr.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import type { Cluster } from "../../src/cluster/model.ts";
import { placeOf } from "../../src/cluster/origin.ts";
import { compileTables } from "../../src/control/compile.ts";
import { problemsOf, withFiles } from "./temporary-manifests.ts";
import { zipOf } from "./zip-bytes.ts";

const TIME = "20260102-030405";

/** As cilium-cli prints a list: kind after the items, or, from a typed client, no kind at all. */
function list(items: readonly string[], kind: string, apiVersion: string): string {
  const indented = items.map((item) => `- ${item.trimEnd().split("\n").join("\n  ")}\n`).join("");
  return `apiVersion: ${apiVersion}\nitems:\n${indented}kind: ${kind}\nmetadata: {}\n`;
}

const IP_A = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet6 ::1/128 scope host
2: eth0@if9: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9001 qdisc mq state UP group default qlen 1000
    link/ether 02:00:00:00:01:0c brd ff:ff:ff:ff:ff:ff link-netnsid 0
    inet 192.168.1.12/24 brd 192.168.1.255 scope global eth0
    inet 192.168.1.50/24 brd 192.168.1.255 scope global secondary eth0
    inet6 fd00:c0a8:1::12/64 scope global
    inet6 fe80::42:acff:fe12:3/64 scope link
3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000
    link/ether 02:00:00:00:02:0c brd ff:ff:ff:ff:ff:ff
    inet 198.51.100.12/24 scope global eth1
7: cilium_host@cilium_net: <BROADCAST,MULTICAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:00:00:dd:01 brd ff:ff:ff:ff:ff:ff
    inet 10.0.3.1/32 scope global cilium_host
9: lxc1234@if8: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
`;
const IP_4_R = `default via 192.168.1.1 dev eth0 proto dhcp src 192.168.1.12 metric 100
10.0.1.0/24 via 10.0.3.1 dev cilium_host proto kernel src 10.0.3.1 mtu 1450
192.168.1.0/24 dev eth0 proto kernel scope link src 192.168.1.12
blackhole 203.0.113.99
`;
const IP_6_R = "fd00:c0a8:1::/64 dev eth0 proto kernel metric 256 pref medium\ndefault via fe80::1 dev eth0 proto ra metric 1024 expires 1790sec pref medium\n";
const RULES = "0:\tfrom all lookup local proto kernel\n9:\tfrom all fwmark 0x200/0xf00 lookup 2004\n110:\tfrom 198.51.100.12 lookup 100 proto unspec\n32766:\tfrom all lookup main proto kernel\n";

const POLICY = `apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: p}
spec: {selectors: [{podSelector: {}}], destinationCIDRs: [0.0.0.0/0], egressGateway: {nodeSelector: {matchLabels: {gw: "1"}}, egressIP: 192.168.1.50}}`;

const OBJECTS = {
  [`ciliumegressgatewaypolicies-${TIME}.yaml`]: list([POLICY], "CiliumEgressGatewayPolicyList", "cilium.io/v2"),
  [`ciliumnodes-${TIME}.yaml`]: list(
    ['metadata: {name: gw, labels: {gw: "1"}}\nspec: {addresses: [{type: InternalIP, ip: 192.168.1.12}]}', "metadata: {name: worker}\nspec: {addresses: [{type: InternalIP, ip: 192.168.1.11}]}"],
    '""', "cilium.io/v2",
  ),
  [`ciliumendpoints-${TIME}.yaml`]: list(["apiVersion: cilium.io/v2\nkind: CiliumEndpoint\nmetadata: {name: a, namespace: default, uid: u}\nstatus: {id: 7, identity: {id: 4711}, networking: {node: 192.168.1.11, addressing: [{ipv4: 10.0.1.10}]}}"], "CiliumEndpointList", "cilium.io/v2"),
  [`ciliumidentities-${TIME}.yaml`]: list(['metadata: {name: "4711"}\nsecurity-labels: {"k8s:app": web}'], '""', '""'),
  [`cilium-configmap-${TIME}.yaml`]: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata: {enable-egress-gateway: "true", enable-bpf-masquerade: "true", kube-proxy-replacement: "true", enable-ipv6: "false"}\n',
  [`k8s-pods-${TIME}.yaml`]: list(["metadata: {name: cilium-abcde, namespace: kube-system}\nspec: {nodeName: gw, hostNetwork: true}\nstatus: {podIP: 192.168.1.12, phase: Running}"], "PodList", "v1"),
  [`k8s-services-${TIME}.yaml`]: list(["metadata: {name: kubernetes}"], "ServiceList", "v1"),
  [`ciliumendpointslices-${TIME}.yaml`]: list(["metadata: {name: ces-1}"], "CiliumEndpointSliceList", "cilium.io/v2alpha1"),
};
const COMMANDS = `cilium-bugtool-cilium-abcde-${TIME}/cmd`;
const BUGTOOL = {
  [`${COMMANDS}/ip-a.md`]: IP_A,
  [`${COMMANDS}/ip--4-r.md`]: IP_4_R,
  [`${COMMANDS}/ip--6-r.md`]: IP_6_R,
  [`${COMMANDS}/ip--d-rule.md`]: RULES,
  [`${COMMANDS}/ip--4-route-show-table-100.md`]: "default via 198.51.100.1 dev eth1\n",
  [`${COMMANDS}/ip--4-route-show-table-254.md`]: IP_4_R,
  [`${COMMANDS}/ip--4-route-show-table-255.md`]: "local 192.168.1.12 dev eth0 proto kernel scope host src 192.168.1.12\n",
  [`${COMMANDS}/cilium-dbg-bpf-egress-list.md`]: "Source IP\n",
};
const REST = {
  [`hubble-flows-cilium-abcde-${TIME}.json`]: '{"flow": 1}\n{"flow": 2}\n',
  [`logs-cilium-abcde-cilium-agent-${TIME}.log`]: "x",
  [`k8s-events-${TIME}.html`]: "<html>",
  "cilium-sysdump.log": "x",
};
const SYSDUMP = { ...OBJECTS, ...BUGTOOL, ...REST };

async function fromZip(files: Readonly<Record<string, string>>): Promise<Cluster> {
  return withFiles({ "cilium-sysdump.zip": "" }, async (folder) => {
    const path = join(folder, "cilium-sysdump.zip");
    await writeFile(path, zipOf(Object.fromEntries(Object.entries(files).map(([name, text]) => [`cilium-sysdump-${TIME}/${name}`, text]))));
    return loadCluster([path]);
  });
}

/** Without the places, which name the file. */
function contentOf({ policies, ciliumNodes, endpoints, identities, networks, pods, settings }: Cluster): unknown {
  const withoutOrigin = (objects: readonly object[]): unknown => objects.map((object) => ({ ...object, origin: null }));
  return { lists: [policies, ciliumNodes, endpoints, identities, networks, pods].map(withoutOrigin), settings: [...settings].map(([name, { value }]) => [name, value]) };
}

describe("a sysdump", () => {
  it("is the same model as folder and as zip archive", async () => {
    const folder = await withFiles(SYSDUMP, (path) => loadCluster([path]));
    expect(folder.policies.map(({ name }) => name)).toEqual(["p"]);
    expect(folder.ciliumNodes.map(({ name }) => name)).toEqual(["gw", "worker"]);
    expect(folder.identities.map(({ number }) => number)).toEqual([4711]);
    expect(contentOf(await fromZip(SYSDUMP))).toEqual(contentOf(folder));
  });

  it("names files inside the archive in its places", async () => {
    const { policies } = await fromZip(SYSDUMP);
    const [place] = policies.map(({ origin }) => placeOf(origin));
    expect(place?.file).toMatch(/cilium-sysdump\.zip:cilium-sysdump-20260102-030405\/ciliumegressgatewaypolicies-20260102-030405\.yaml$/);
    expect(place?.line).toBe(3);
  });

  it("tells the nodes' devices, routes and rules by the agents' command output", async () => {
    const { networks } = await fromZip(SYSDUMP);
    const [gw] = networks;
    expect(networks.map(({ name }) => name)).toEqual(["gw"]);
    expect(gw?.devices.map(({ name, ifindex, mtu, mac, addresses }) => `${name} ${ifindex} ${mtu} ${mac?.join(".")} ${addresses.map(formatPrefix).join(" ")}`)).toEqual([
      "eth0 2 9001 2.0.0.0.1.12 192.168.1.12/24 192.168.1.50/24 fd00:c0a8:1::12/64 fe80::42:acff:fe12:3/64",
      "eth1 3 1500 2.0.0.0.2.12 198.51.100.12/24",
    ]);
    expect(gw?.routes.map(({ to, via, dev, table }) => `${formatPrefix(to)} ${via === null ? "-" : formatAddress(via.value)} ${dev} ${table}`).sort()).toEqual([
      "0.0.0.0/0 192.168.1.1 eth0 0",
      "0.0.0.0/0 198.51.100.1 eth1 100",
      "192.168.1.0/24 - eth0 0",
      "::/0 fe80::1 eth0 0",
      "fd00:c0a8:1::/64 - eth0 0",
    ]);
    expect(gw?.rules.map(({ from, table }) => `${formatPrefix(from)} ${table}`)).toEqual(["198.51.100.12/32 100"]);
  });

  it("alone makes finished tables, the egress IP found on the reported device", async () => {
    const compiled = compileTables(await fromZip(SYSDUMP), { semantics: "cilium-1.19" });
    expect(compiled.tables.policyEntries.map(({ source, egressIp }) => `${formatAddress(source)} ${formatAddress(egressIp)}`)).toEqual(["10.0.1.10 192.168.1.50"]);
    expect(compiled.findings.map(({ rule }) => rule)).toEqual(["sysdump-not-read", "service-not-translated"]);
  });

  it("says what it holds that is not read, by sort, and lists kinds without use", async () => {
    const cluster = await fromZip(SYSDUMP);
    expect(cluster.findings.map(({ message }) => message)).toEqual(["the sysdump also holds cilium-bugtool: cilium-dbg-bpf-egress-list.md, cilium-sysdump.log, hubble-flows, k8s-events, logs"]);
    expect(cluster.ignored.map(({ kind, count }) => `${kind} ${count}`)).toEqual(["CiliumEndpointSlice 1"]);
  });

  it("says what it lacks", async () => {
    const { findings } = await fromZip({ [`ciliumnodes-${TIME}.yaml`]: OBJECTS[`ciliumnodes-${TIME}.yaml`] ?? "" });
    expect(findings.filter(({ rule }) => rule === "sysdump-lacks").map(({ message }) => message)).toEqual([
      "the sysdump holds no ciliumegressgatewaypolicies", "the sysdump holds no ciliumendpoints", "the sysdump holds no ciliumidentities",
      "the sysdump holds no cilium-configmap", "the sysdump holds no cilium-bugtool output",
    ]);
    const [unknown] = (await fromZip({ ...BUGTOOL, [`ciliumnodes-${TIME}.yaml`]: OBJECTS[`ciliumnodes-${TIME}.yaml`] ?? "" })).findings.filter(({ object }) => object.startsWith("Pod "));
    expect(unknown?.message).toBe("the sysdump's k8s-pods does not say which node cilium-abcde runs on");
  });

  it("may have manifests beside its own files, which count more than what it reports", async () => {
    const network = "apiVersion: egwsim.dev/v1\nkind: NodeNetwork\nmetadata: {name: gw}\nspec: {devices: [{name: bond0, addresses: [192.168.1.12/24]}]}\n";
    const { networks } = await fromZip({ ...SYSDUMP, "my-network.yaml": network });
    expect(networks.map(({ devices }) => devices.map(({ name }) => name))).toEqual([["bond0"]]);
  });
});

describe("an archive that is no sysdump", () => {
  it("is read for its manifests", async () => {
    const cluster = await fromZip({ "deep/policy.yaml": POLICY, "readme.txt": "x" });
    expect(cluster.policies.map(({ name }) => name)).toEqual(["p"]);
  });

  it("is refused with a reason where it holds none or is broken", async () => {
    await expect(fromZip({ "readme.txt": "x" })).rejects.toThrow("no manifest in this archive");
    const [problem] = await withFiles({ "x.zip": "broken" }, async (folder) =>
      loadCluster([join(folder, "x.zip")]).then(() => [], (error: unknown) => [String(error)]));
    expect(problem).toContain("x.zip: it is no zip archive");
  });

  it("reports faults inside with the place inside", async () => {
    const problems = await problemsOf({ [`ciliumnodes-${TIME}.yaml`]: "apiVersion: cilium.io/v2\nkind: CiliumNodeList\nitems: [{metadata: {name: 7}}]\n" });
    expect(problems[0]?.message).toContain("CiliumNode 7: metadata.name is the number 7");
  });
});
