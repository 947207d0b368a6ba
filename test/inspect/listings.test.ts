// The lists of a node's maps in the columns of cilium-dbg 1.19 (cilium-dbg/cmd, pkg/maps/ctmap, pkg/maps/nat).
import { describe, expect, it } from "vitest";
import { compileTables } from "../../src/control/compile.ts";
import { mapSize } from "../../src/control/network-policy/policy-map.ts";
import { conntrackListing, conntrackText } from "../../src/inspect/conntrack-map.ts";
import { EgressMaps } from "../../src/inspect/egress-map.ts";
import { EndpointLists } from "../../src/inspect/endpoint-list.ts";
import { IdentityLabels } from "../../src/inspect/identity-labels.ts";
import { ipcacheListing } from "../../src/inspect/ipcache-map.ts";
import { listingJson, listingText, type NodeListing } from "../../src/inspect/listing.ts";
import { natText } from "../../src/inspect/nat-map.ts";
import { policyMapLines, policyMapOf, policyMapRecords } from "../../src/inspect/policy-map.ts";
import { clusterStatus, statusLines } from "../../src/inspect/status.ts";
import type { ConntrackLine, NatLine } from "../../src/observe/state-shape.ts";
import { loadText } from "../cluster/temporary-manifests.ts";
import { compileText, endpoint, node, pod, policy } from "../control/compiled.ts";

const CLUSTER = node("gw", "192.168.60.12", 'gw: "1"', "10.244.2.0/24") + node("worker", "192.168.60.11", "", "10.244.1.0/24") +
  endpoint("prod/web", "192.168.60.11", "10.244.1.23", "", 12345, ["k8s:app=web", "k8s:io.kubernetes.pod.namespace=prod"]);

describe("bpf egress list", () => {
  it("has the egress IP on the gateway and 0.0.0.0 elsewhere, and the words for no gateway and for exclusions", async () => {
    const compiled = await compileText(CLUSTER + policy("a", { destinations: '["203.0.113.0/24"]', excluded: '["203.0.113.64/26"]' }) +
      policy("b", { destinations: '["198.51.100.0/24"]', gateway: '{nodeSelector: {matchLabels: {gw: none}}}' }));
    const maps = new EgressMaps(compiled);
    expect(maps.listing(0, false)).toEqual({
      node: "gw",
      data: [
        { SourceIP: "10.244.1.23", DestCIDR: "203.0.113.0/24", EgressIP: "192.168.60.12", GatewayIP: "192.168.60.12" },
        { SourceIP: "10.244.1.23", DestCIDR: "203.0.113.64/26", EgressIP: "192.168.60.12", GatewayIP: "Excluded CIDR" },
        { SourceIP: "10.244.1.23", DestCIDR: "198.51.100.0/24", EgressIP: "0.0.0.0", GatewayIP: "Not Found" },
      ],
      lines: [
        "Source IP     Destination CIDR   Egress IP       Gateway IP",
        "10.244.1.23   203.0.113.0/24     192.168.60.12   192.168.60.12",
        "10.244.1.23   203.0.113.64/26    192.168.60.12   Excluded CIDR",
        "10.244.1.23   198.51.100.0/24    0.0.0.0         Not Found",
      ],
    });
    expect(maps.listing(1, false).lines.slice(1, 3)).toEqual([
      "10.244.1.23   203.0.113.0/24     0.0.0.0     192.168.60.12", "10.244.1.23   203.0.113.64/26    0.0.0.0     Excluded CIDR",
    ]);
  });

  it("fact 1.2: a prefix is dumped as it was written, host bits and all", async () => {
    const compiled = await compileText(CLUSTER + policy("a", { destinations: '["10.0.1.5/8"]' }));
    expect(new EgressMaps(compiled).listing(0, false).lines[1]).toContain("10.0.1.5/8");
  });

  it("-o wide says whose entry it is, and where the policy stands", async () => {
    const compiled = await compileText(CLUSTER + policy("a"));
    expect(new EgressMaps(compiled).listing(0, true).data).toMatchObject([{ Pod: "prod/web", Policy: "a", At: expect.stringMatching(/cluster\.yaml:\d+:1$/) }]);
  });
});

it("bpf ipcache list: a remote pod has its node as tunnel endpoint, an own one has none, an own address is the host", async () => {
  const { tables } = await compileText(CLUSTER);
  const onGateway = ipcacheListing(tables, 0).data, onWorker = ipcacheListing(tables, 1).data;
  expect(onGateway).toMatchObject({
    "0.0.0.0/0": ["identity=2 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>"],
    "10.244.1.23/32": ["identity=12345 encryptkey=0 tunnelendpoint=192.168.60.11 flags=hastunnel"],
    "192.168.60.11/32": ["identity=6 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>"],
    "192.168.60.12/32": ["identity=1 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>"],
  });
  expect(onWorker).toMatchObject({ "10.244.1.23/32": ["identity=12345 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>"] });
  expect(ipcacheListing(tables, 0).lines[0]).toBe("IP PREFIX/ADDRESS   IDENTITY");
});

it("endpoint list: two header lines, a row for each label, the first of which carries the rest", async () => {
  const lists = new EndpointLists(await compileText(CLUSTER + endpoint("prod/new", "192.168.60.11", "10.244.1.24", "", 0).replace("id: 1001", "id: 1002")));
  expect(lists.listing(1, false).lines).toEqual([
    "ENDPOINT   POLICY (ingress)   POLICY (egress)   IDENTITY   LABELS (source:key[=value])   IPv6   IPv4          STATUS",
    "           ENFORCEMENT        ENFORCEMENT",
    "1001       Disabled           Disabled          12345      k8s:app=web                          10.244.1.23   ready",
    "                                                           k8s:io.kubernetes.pod.namespace=prod",
    "1002       Disabled           Disabled          5          no labels                            10.244.1.24   waiting-for-identity",
  ]);
  expect(lists.listing(1, true).lines[0]).toMatch(/^1001 /);
  expect(lists.listing(0, true)).toEqual({ node: "gw", data: [], lines: [] });
  expect(lists.listing(1, false).data).toMatchObject([{ id: 1001, status: { identity: { id: 12345 }, networking: { addressing: [{ ipv4: "10.244.1.23" }] }, state: "ready" } }, { id: 1002 }]);
});

it("endpoint list: egress is enforced where a policy selects the pod, in audit mode too; what policies ask of ingress is not", async () => {
  const audit = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config}\ndata: {policy-audit-mode: "true"}\n';
  const ingress = "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: in, namespace: prod}\nspec: {endpointSelector: {}, ingress: [{}]}\n";
  const listing = async (text: string): Promise<NodeListing> => new EndpointLists(await compileText(CLUSTER + text)).listing(1, true);
  const enforced = await listing(PARTNERS), audited = await listing(audit + PARTNERS);
  expect(enforced.lines[0]).toMatch(/^1001 {3}Disabled {3}Enabled {3}12345 /);
  expect(enforced.data).toMatchObject([{ status: { policy: { realized: { "policy-enabled": "egress" } } } }]);
  expect(audited.lines[0]).toMatch(/^1001 {3}Disabled {3}Disabled \(Audit\) {3}12345 /);
  expect(audited.data).toMatchObject([{ status: { policy: { realized: { "policy-enabled": "audit-egress" } } } }]);
  expect((await listing(ingress)).lines[0]).toMatch(/^1001 {3}Disabled {3}Disabled {3}12345 /);
});

const OUT: ConntrackLine = {
  node: "gw", map: "cilium_ct4_global", protocol: 6, flags: 0, source: "203.0.113.10", sourcePort: 43210, destination: "10.244.1.23", destinationPort: 443, packets: 0,
  bytes: 0, expires: 7214, state: 0x10, revNat: 0, txFlagsSeen: 0x1b, rxFlagsSeen: 0x1b, identity: 12345, lastTxReport: 7200, lastRxReport: 7200, backendId: 0,
};

describe("bpf ct list", () => {
  it("fact 2.7: turns the addresses of the key back, and prints every field", () => {
    expect(conntrackText(OUT, null)).toBe(
      "TCP OUT 10.244.1.23:43210 -> 203.0.113.10:443 expires=7214 Packets=0 Bytes=0 RxFlagsSeen=0x1b LastRxReport=7200 TxFlagsSeen=0x1b LastTxReport=7200 " +
        "Flags=0x0010 [ SeenNonSyn ] RevNAT=0 SourceSecurityID=12345 BackendID=0 NatPort=0");
  });

  it("has the time left with -d, related after the addresses, and brackets around IPv6", () => {
    expect(conntrackText({ ...OUT, flags: 3, state: 0 }, 7000)).toContain("TCP IN 10.244.1.23:43210 -> 203.0.113.10:443 related expires=7214 (remaining: 214 sec(s)) Packets=0");
    expect(conntrackText({ ...OUT, source: "2001:db8::1", destination: "fd00::17" }, null)).toContain("[fd00::17]:43210 -> [2001:db8::1]:443 ");
    expect(conntrackText({ ...OUT, protocol: 58, flags: 4, state: 0x403 }, null)).toMatch(/^ICMPv6 SVC .* Flags=0x0403 \[ RxClosing TxClosing FromTunnel \] /);
  });

  it("of a service has the backend that the connection was given", () => {
    const service = { ...OUT, flags: 4, source: "10.244.1.23", sourcePort: 443, destination: "10.96.0.10", destinationPort: 43210, revNat: 3, backendId: 17 };
    expect(conntrackText(service, null)).toMatch(/^TCP SVC 10\.244\.1\.23:43210 -> 10\.96\.0\.10:443 .* RevNAT=3 SourceSecurityID=12345 BackendID=17 NatPort=0$/);
    expect(conntrackListing("gw", [service], null).data).toMatchObject([{ Value: { Union0: [0, 17] } }]);
  });

  it("as JSON has the key as the map has it", () => {
    expect(conntrackListing("gw", [OUT], null).data).toMatchObject([{ Key: { DestAddr: "10.244.1.23", SourceAddr: "203.0.113.10", NextHeader: 6 }, Value: { Lifetime: 7214 } }]);
  });
});

it("bpf nat list prints both halves of a mapping", () => {
  const half = { node: "gw", map: "cilium_snat_v4_external", protocol: 6, created: 100, needsCt: 1 } as const;
  const forward: NatLine = { ...half, flags: 0, source: "10.244.1.23", sourcePort: 43210, destination: "203.0.113.10", destinationPort: 443, toAddress: "10.0.1.100", toPort: 43210 };
  const back: NatLine = { ...half, flags: 1, source: "203.0.113.10", sourcePort: 443, destination: "10.0.1.100", destinationPort: 43210, toAddress: "10.244.1.23", toPort: 43210 };
  expect([forward, back].map((entry) => natText(entry, 112))).toEqual([
    "TCP OUT 10.244.1.23:43210 -> 203.0.113.10:443 XLATE_SRC 10.0.1.100:43210 Created=12sec ago NeedsCT=1",
    "TCP IN 203.0.113.10:443 -> 10.0.1.100:43210 XLATE_DST 10.244.1.23:43210 Created=12sec ago NeedsCT=1",
  ]);
});

/** Of the pods of namespace prod. */
function egressPolicy(name: string, egress: string, more = ""): string {
  return `---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: ${name}, namespace: prod}\nspec: {endpointSelector: {}, egress: ${egress}${more}}\n`;
}

const PARTNERS = egressPolicy("partners", '[{toCIDR: [203.0.113.0/24], toPorts: [{ports: [{port: "443", protocol: TCP}, {port: "8000", endPort: 8015, protocol: UDP}]}]}, {toEntities: [remote-node]}]', ", egressDeny: [{toCIDR: [203.0.113.66/32]}]");

describe("bpf policy get", () => {
  it("of an endpoint that no policy selects allows everything, both ways", async () => {
    const compiled = await compileText(CLUSTER), map = policyMapOf(compiled.tables.networkPolicy, 12345);
    expect(policyMapLines(map, new IdentityLabels(compiled, []))).toEqual([
      "POLICY   DIRECTION   LABELS (source:key[=value])   PORT/PROTO   PROXY PORT   AUTH TYPE   BYTES   PACKETS   PREFIX   COOKIE",
      "Allow    Ingress     ANY                           ANY          NONE         disabled    -       -         0        0",
      "Allow    Egress      ANY                           ANY          NONE         disabled    -       -         0        0",
    ]);
    expect(policyMapLines(map, null)[1]).toMatch(/^Allow +Ingress +0 +ANY/);
  });

  it("has every entry: denials first, ingress before egress, then by identity, with a row for each further label", async () => {
    const compiled = await compileText(CLUSTER + PARTNERS), map = policyMapOf(compiled.tables.networkPolicy, 12345);
    expect(policyMapLines(map, new IdentityLabels(compiled, []))).toEqual([
      "POLICY   DIRECTION   LABELS (source:key[=value])   PORT/PROTO      PROXY PORT   AUTH TYPE   BYTES   PACKETS   PREFIX   COOKIE",
      "Deny     Egress      cidr:203.0.113.66/32          ANY             NONE         disabled    -       -         0        0",
      "                     reserved:world",
      "Allow    Ingress     ANY                           ANY             NONE         disabled    -       -         0        0",
      "Allow    Egress      reserved:remote-node          ANY             NONE         disabled    -       -         0        0",
      "Allow    Egress      reserved:kube-apiserver       ANY             NONE         disabled    -       -         0        0",
      "                     reserved:remote-node",
      "Allow    Egress      cidr:203.0.113.0/24           443/TCP         NONE         disabled    -       -         24       0",
      "                     reserved:world",
      "Allow    Egress      cidr:203.0.113.0/24           8000-8015/UDP   NONE         disabled    -       -         20       0",
      "                     reserved:world",
    ]);
    expect(policyMapLines(map, null)).toHaveLength(1 + mapSize(map));
  });

  it("as JSON has Go's fields, ports as they lie in memory", async () => {
    const { tables } = await compileText(CLUSTER + PARTNERS), records = policyMapRecords(policyMapOf(tables.networkPolicy, 12345));
    // The bytes that were recorded: key 4000000002000000010601bb, value 0000c00001ffffff00000000 with another identity.
    expect(records).toContainEqual({
      ProxyPortNetwork: 0, Flags: 0xc0, AuthRequirement: 0, Precedence: 0xffffff01, Cookie: 0,
      Key: { Prefixlen: 64, Identity: 0x0100_0001, TrafficDirection: 1, Nexthdr: 6, DestPortNetwork: 0xbb01 },
    });
    expect(records[0]).toMatchObject({ Flags: 1, Precedence: 0xffffffff, Key: { Prefixlen: 40, Nexthdr: 0 } });
  });

  it("names identities by CiliumIdentity objects without an endpoint, by family of the world, and the unknown by number", async () => {
    const dual = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config}\ndata: {enable-ipv6: "true"}\n';
    const identity = "---\napiVersion: cilium.io/v2\nkind: CiliumIdentity\nmetadata: {name: \"777\"}\nsecurity-labels: {\"k8s:app\": gone}\n";
    const cluster = await loadText(dual + CLUSTER + identity + egressPolicy("six", '[{toCIDR: ["2001:db8::/32", 198.51.100.0/24]}]'));
    const labels = new IdentityLabels(compileTables(cluster, { semantics: "cilium-1.19" }), cluster.identities);
    expect([777, 0x0100_0001, 0x0100_0002, 9, 10, 2, 4711].map((number) => labels.of(number))).toEqual([
      ["k8s:app=gone"], ["cidr:2001:db8::/32", "reserved:world-ipv6"], ["cidr:198.51.100.0/24", "reserved:world-ipv4"], ["reserved:world-ipv4"],
      ["reserved:world-ipv6"], ["reserved:world"], [],
    ]);
  });
});

it("status: the map's fill counts what found it full, and a node's lines name its devices and policies", async () => {
  const config = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config}\ndata: {enable-egress-gateway: "true", enable-bpf-masquerade: "true", egress-gateway-policy-map-max: "1"}\n';
  const compiled = await compileText(config + CLUSTER + policy("a", { destinations: '["203.0.113.0/24", "198.51.100.0/24"]' }));
  const status = clusterStatus(compiled, 0);
  expect(status).toMatchObject({
    maps: [{ map: "cilium_egress_gw_policy_v4", entries: 1, size: 1, lost: 1 }], policies: { inForce: 1, ignored: 0 }, routing: { host: "Legacy" },
    node: { name: "gw", gatewayOf: ["a"], snatExclusion: "10.244.2.0/24", endpoints: 0 },
  });
  expect(status.overflows).toEqual([{ map: "cilium_egress_gw_policy_v4", limit: 1, wanted: 2, pods: ["prod/web"], lost: [{ policy: "a", entries: 1 }] }]);
  const lines = statusLines(status, compiled.tables.config);
  expect(lines).toContain("                  without entries: a 1   1 pods: prod/web");
  expect(lines).toContain("Masquerading:     BPF   [eth0]   10.244.2.0/24   [IPv4: Enabled, IPv6: Disabled]");
  expect(lines).toContain("                  cilium_egress_gw_policy_v4   1/1 entries (100.0%), 1 found it full");
});

describe("a listing", () => {
  const two: readonly NodeListing[] = [{ node: "a", data: [1], lines: ["x"] }, { node: "b", data: { k: [2] }, lines: ["y", "z\u001b[31m"] }];

  it("of several nodes has their names, of one it is what that node prints", () => {
    expect([...listingText(two, false)].join("")).toBe("node a\nx\n\nnode b\ny\nz\\u001b[31m\n");
    expect([...listingText(two.slice(0, 1), true)].join("")).toBe("x\n");
  });

  it("as JSON is one document either way", () => {
    expect(JSON.parse([...listingJson(two, false)].join(""))).toEqual({ a: [1], b: { k: [2] } });
    expect(JSON.parse([...listingJson(two.slice(0, 1), true)].join(""))).toEqual([1]);
    expect(JSON.parse([...listingJson([], false)].join(""))).toEqual({});
  });

  it("of pods that the policies do not select is empty", async () => {
    const compiled = await compileText(node("gw", "192.168.60.12", 'gw: "1"') + pod("prod/db", "gw", "10.244.2.9", "app: db") + policy("a", { selectors: "[{podSelector: {matchLabels: {app: web}}}]" }));
    expect(new EgressMaps(compiled).listing(0, false)).toEqual({ node: "gw", data: [], lines: [] });
  });
});
