import { describe, expect, it } from "vitest";
import { formatAddress, formatIpv6, formatPrefix } from "../../src/cluster/cidr.ts";
import type { CompiledControl } from "../../src/control/compile.ts";
import type { NodeTable } from "../../src/control/tables.ts";
import { assumed, compileText, endpoint, entries, entries6, messages, policy, rules } from "./compiled.ts";

function dualNode(name: string, ipv4: string, ipv6: string, labels: string, more = ""): string {
  const addresses = [ipv4, ipv6].filter((ip) => ip !== "").map((ip) => `{type: InternalIP, ip: "${ip}"}`);
  return `---\napiVersion: cilium.io/v2\nkind: CiliumNode\nmetadata: {name: ${name}, labels: {${labels}}}\nspec: {addresses: [${addresses.join(", ")}]${more}}\n`;
}

const WORKER = dualNode("worker", "192.168.1.11", "fd00:c0a8:1::11", "", ', ipam: {podCIDRs: [10.0.1.0/24, "fd00:10:1::/64"]}');
const GATEWAY = dualNode("gw", "192.168.1.12", "fd00:c0a8:1::12", 'gw: "1"');
const NETWORK = `---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: gw}
spec:
  devices:
    - {name: eth0, addresses: ["fe80::12/64", "fd00:c0a8:1::12/64", 192.168.1.12/24, 192.168.1.50/32]}
    - {name: eth1, ifindex: 11, addresses: [198.51.100.12/24, "fe80::1/64", "2001:db8:198::50/64", "2001:db8:198::12/64"]}
    - {name: eth2, addresses: [10.9.9.9/24, "fe80::2/64"]}
  routes:
    - {to: default, via: 192.168.1.1, dev: eth0}
    - {to: default, via: "fe80::1", dev: eth0}
`;
const WEB = endpoint("prod/web", "192.168.1.11", "10.0.1.10", "fd00:10:1::10", 20001, ["k8s:app=web"]);
const BOTH = '[0.0.0.0/0, "::/0"]';
const gateway = (fields: string): string => `{nodeSelector: {matchLabels: {gw: "1"}}, ${fields}}`;

function tableOf({ tables }: CompiledControl, name: string): NodeTable {
  const found = tables.nodes.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no node ${name}`);
  return found;
}

function otherRules(compiled: CompiledControl): readonly string[] {
  return rules(compiled);
}

describe("fact 1.5: IPv6 egress addresses", () => {
  it.each([
    ["by interface: the first that is not link-local", "interface: eth1", "198.51.100.12", "2001:db8:198::50 11"],
    ["by default route: the first of the device that both default routes leave by", "", "192.168.1.12", "fd00:c0a8:1::12 2"],
  ])("%s", async (_, fields, egress4, egress6) => {
    const compiled = await compileText(WORKER + GATEWAY + NETWORK + WEB + policy("p", { destinations: BOTH, gateway: gateway(fields) }));
    expect(entries(compiled)).toEqual([`10.0.1.10 0.0.0.0/0 192.168.1.12 ${egress4} p`]);
    expect(entries6(compiled)).toEqual([`fd00:10:1::10 ::/0 192.168.1.12 ${egress6} p`]);
    expect(otherRules(compiled)).toEqual([]);
  });

  it.each([
    ["an interface without a global IPv6 address", "interface: eth2", "p: eth2 of gw has no IPv6 address but link-local ones, which its IPv6 destinations need", 12],
    ["an interface that does not exist", "interface: eth7", "p: gw has no device eth7", 0],
  ])("%s leaves the policy without any address, IPv4 included", async (_, fields, message, ifindex) => {
    const network = NETWORK.replace("name: eth2,", "name: eth2, ifindex: 12,");
    const compiled = await compileText(WORKER + GATEWAY + network + WEB + policy("p", { destinations: BOTH, gateway: gateway(fields) }));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.12 0.0.0.0 p"]);
    expect(entries6(compiled)).toEqual([`fd00:10:1::10 ::/0 192.168.1.12 :: ${ifindex} p`]);
    expect(messages(compiled, "egress-ip-missing")).toEqual([message]);
  });

  it.each([
    ['{to: default, via: "fe80::1", dev: eth0}', '{to: default, via: "fe80::1", dev: eth1}', "p: the default routes of gw leave by eth0 (IPv4) and eth1 (IPv6)"],
    ['{to: default, via: "fe80::1", dev: eth0}', '{to: "fd00::/8", via: "fe80::1", dev: eth0}', "p: gw has no IPv6 default route, which its IPv6 destinations need"],
  ])("default routes that disagree (%s as %s) leave both families without", async (from, to, message) => {
    const compiled = await compileText(WORKER + GATEWAY + NETWORK.replace(from, to) + WEB + policy("p", { destinations: BOTH }));
    expect(messages(compiled, "egress-ip-missing")).toEqual([message]);
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.12 0.0.0.0 p"]);
  });

  it("are not looked for where only excluded prefixes are of IPv6 (fact 1.2, v6Needed)", async () => {
    const compiled = await compileText(WORKER + GATEWAY + NETWORK + WEB + policy("p", { excluded: '["2001:db8::/32"]', gateway: gateway("interface: eth2") }));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.12 10.9.9.9 p"]);
    expect(entries6(compiled)[0]).toMatch(/^fd00:10:1::10 2001:db8::\/32 0\.0\.0\.1 :: /);
    expect(otherRules(compiled)).toEqual([]);
  });
});

describe("fact 1.10: IPv6 in 1.19", () => {
  it("an egressIP serves IPv4 only: IPv6 goes to the gateway and is dropped", async () => {
    const compiled = await compileText(WORKER + GATEWAY + NETWORK + WEB + policy("p", { destinations: BOTH, gateway: gateway("egressIP: 192.168.1.50") }));
    expect(entries(compiled)).toEqual(["10.0.1.10 0.0.0.0/0 192.168.1.12 192.168.1.50 p"]);
    expect(entries6(compiled)).toEqual(["fd00:10:1::10 ::/0 192.168.1.12 :: 0 p"]);
    expect(otherRules(compiled)).toEqual(["egress-ip-ipv4-only"]);
  });

  it("a node without IPv4 is no gateway, tunnels run over IPv4", async () => {
    const compiled = await compileText(WORKER + dualNode("a", "", "fd00:c0a8:1::9", 'gw: "1"') + GATEWAY + NETWORK + WEB + policy("p", { destinations: '["::/0"]' }));
    expect(entries6(compiled)).toEqual(["fd00:10:1::10 ::/0 192.168.1.12 fd00:c0a8:1::12 2 p"]);
    expect(otherRules(compiled)).toEqual(["node-without-ipv4"]);
  });

  it("IPv6 entries have a map of their own with the same limit", async () => {
    const config = "---\negressGateway: {enabled: true, maxPolicyEntries: 1}\nbpf: {masquerade: true}\nkubeProxyReplacement: true\nipv6: {enabled: true}\n";
    const other = endpoint("prod/other", "192.168.1.11", "10.0.1.11", "fd00:10:1::11", 20001, ["k8s:app=web"]);
    const compiled = await compileText(config + WORKER + GATEWAY + NETWORK + WEB + other + policy("p", { destinations: BOTH }));
    expect(entries(compiled)).toHaveLength(1);
    expect(entries6(compiled)).toHaveLength(1);
    expect(compiled.overflows).toMatchObject([
      { map: "cilium_egress_gw_policy_v4", wanted: 2, limit: 1, lost: [{ policy: 0, entries: 1 }], pods: ["prod/other"] },
      { map: "cilium_egress_gw_policy_v6", wanted: 2, limit: 1, lost: [{ policy: 0, entries: 1 }], pods: ["prod/other"] },
    ]);
    expect(messages(compiled, "policy-map-full")[0]).toContain("the policies make 2 IPv6 entries");
  });
});

describe("fact 2.10: the world", () => {
  it("is 9 and 10 in dual stack, 2 in single stack", async () => {
    const dual = await compileText(WORKER + GATEWAY + WEB);
    const identities = [9, 10];
    expect([dual.tables.config.worldIdentity, dual.tables.config.worldIdentity6]).toEqual(identities);
    expect([dual.tables.ipcache[0]?.identity, dual.tables.ipcache6[0]?.identity]).toEqual(identities);
    const config = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config}\ndata: {enable-ipv6: "false"}\n';
    expect((await compileText(config + WORKER + GATEWAY)).tables.config).toMatchObject({ ipv6: false, worldIdentity: 2, worldIdentity6: 2 });
  });
});

describe("a tiny dual-stack model", () => {
  it("has devices, routes, routers and pod networks by stated rules", async () => {
    const compiled = await compileText(WORKER + GATEWAY + WEB + endpoint("prod/gw-pod", "192.168.1.12", "10.0.3.7", "fd00:10:3::7", 20001));
    const worker = tableOf(compiled, "worker");
    const own = tableOf(compiled, "gw");
    expect(formatIpv6(own.address6)).toBe("fd00:c0a8:1::12");
    expect(own.devices[0]?.addresses6.map(formatPrefix)).toEqual(["fd00:c0a8:1::12/64"]);
    expect(formatIpv6(own.devices[0]?.masqueradeIp6 ?? 0n)).toBe("fd00:c0a8:1::12");
    expect(own.routes6.map(({ to, via, device }) => `${formatPrefix(to)} ${formatIpv6(via)} ${device}`)).toEqual(["fd00:c0a8:1::/64 :: eth0", "::/0 fd00:c0a8:1::1 eth0"]);
    expect(own.podCidrs6.map(formatPrefix)).toEqual(["fd00:10:3::/64"]);
    expect([worker.routerAddress6, own.routerAddress6].map(formatIpv6)).toEqual(["fd00:10:1::1", "fd00:10:3::1"]);
    expect(worker.snatExclusion6).toEqual(worker.podCidrs6[0]);
    expect([formatAddress(own.serviceLoopback4), formatAddress(own.serviceLoopback6)]).toEqual(["169.254.42.1", "fe80::1"]);
    const [web4] = worker.endpoints.filter(({ host }) => !host);
    const [web6] = worker.endpoints6.filter(({ host }) => !host);
    expect(web6).toEqual({ ...web4, address: web6?.address });
    expect(assumed(compiled)).toMatchObject({ "ipv6-from-addresses": 1, "device-derived": 2, "ipv6-route-derived": 2, "pod-cidr-derived": 1, "router-address-derived": 2 });
  });

  it("without any IPv6 address stays an IPv4 model", async () => {
    const compiled = await compileText(dualNode("gw", "192.168.1.12", "", 'gw: "1"') + endpoint("prod/a", "192.168.1.12", "10.0.1.10", "", 20001) + policy("p"));
    expect(compiled.tables).toMatchObject({ ipcache6: [], policyEntries6: [] });
    expect(compiled.tables.config.ipv6).toBe(false);
    expect(assumed(compiled)["ipv6-from-addresses"]).toBeUndefined();
  });

  it("with IPv6 off in its configuration says what becomes of the addresses", async () => {
    const helm = "---\negressGateway: {enabled: true}\nbpf: {masquerade: true}\nkubeProxyReplacement: true\n";
    const compiled = await compileText(helm + WORKER + GATEWAY + WEB + policy("p"));
    expect(messages(compiled, "ipv6-disabled")).toEqual(["prod/web has an IPv6 address, but IPv6 is off: ipv6.enabled is not true"]);
    expect(compiled.tables).toMatchObject({ ipcache6: [], policyEntries6: [] });
    expect(tableOf(compiled, "worker").endpoints6).toEqual([]);
  });

  it("takes pods without an IPv4 address, by the IPv6 address of their node", async () => {
    const compiled = await compileText(WORKER + GATEWAY + NETWORK + endpoint("prod/six", "fd00:c0a8:1::11", "", "fd00:10:1::6", 20001) + policy("p", { destinations: BOTH }));
    expect(entries(compiled)).toEqual([]);
    expect(entries6(compiled)).toEqual(["fd00:10:1::6 ::/0 192.168.1.12 fd00:c0a8:1::12 2 p"]);
    expect(tableOf(compiled, "worker").endpoints6.filter(({ host }) => !host)).toMatchObject([{ label: "prod/six", identity: 20001 }]);
  });

  it("reads the IPv6 side of the configuration", async () => {
    const data = '"enable-ipv6": "true", "enable-ipv6-masquerade": "false", "enable-ipv6-fragment-tracking": "false", "ipv6-native-routing-cidr": "fd00:10::1/32", "enable-ip-masq-agent": "true", "ipv6-service-loopback-address": "fe80::7"';
    const agent = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ip-masq-agent}\ndata:\n  config: "nonMasqueradeCIDRs: [10.0.0.0/8, fd00::/8]"\n';
    const compiled = await compileText(`---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config}\ndata: {${data}}\n${agent}${WORKER}`);
    const { config } = compiled.tables;
    expect(config).toMatchObject({ ipv4: true, ipv6: true, ipv6Masquerade: false, fragmentTracking: true, fragmentTracking6: false });
    expect(config.nativeRoutingCidr6 === null ? "" : formatPrefix(config.nativeRoutingCidr6)).toBe("fd00:10::/32");
    expect(config.nonMasqueradeCidrs6.map(formatPrefix)).toEqual(["fd00::/8", "fe80::/10"]);
    expect(tableOf(compiled, "worker").snatExclusion6).toEqual(config.nativeRoutingCidr6);
    expect(formatIpv6(tableOf(compiled, "worker").serviceLoopback6)).toBe("fe80::7");
  });
});

describe("fact 3.8: the address of plain masquerading", () => {
  it.each([
    ["a public one before the node's own", "[10.0.0.5/24, 8.8.8.8/32]", "8.8.8.8"],
    ["the node's own among private ones", "[10.0.0.9/24, 10.0.0.5/24]", "10.0.0.5"],
    ["the lowest that is no secondary", "[10.0.0.9/24, 10.0.0.4/24, 10.1.0.1/24]", "10.0.0.9"],
  ])("is %s", async (_, addresses, wanted) => {
    const network = `---\napiVersion: egwsim.dev/v1\nkind: NodeNetwork\nmetadata: {name: n}\nspec: {devices: [{name: eth0, addresses: ${addresses}}]}\n`;
    const compiled = await compileText(dualNode("n", "10.0.0.5", "", "") + network);
    expect(formatAddress(tableOf(compiled, "n").devices[0]?.masqueradeIp ?? 0)).toBe(wanted);
  });
});
