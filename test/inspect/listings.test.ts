// The lists of a node's maps in the columns of cilium-dbg 1.19 (cilium-dbg/cmd, pkg/maps/ctmap, pkg/maps/nat).
import { describe, expect, it } from "vitest";
import { conntrackListing, conntrackText } from "../../src/inspect/conntrack-map.ts";
import { EgressMaps } from "../../src/inspect/egress-map.ts";
import { EndpointLists } from "../../src/inspect/endpoint-list.ts";
import { ipcacheListing } from "../../src/inspect/ipcache-map.ts";
import { listingJson, listingText, type NodeListing } from "../../src/inspect/listing.ts";
import { natText } from "../../src/inspect/nat-map.ts";
import { ALLOW_ALL, policyMapLines, unmodelledPolicies } from "../../src/inspect/policy-map.ts";
import { clusterStatus, statusLines } from "../../src/inspect/status.ts";
import type { ConntrackLine, NatLine } from "../../src/observe/state-shape.ts";
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

const OUT: ConntrackLine = {
  node: "gw", map: "cilium_ct4_global", protocol: 6, flags: 0, source: "203.0.113.10", sourcePort: 43210, destination: "10.244.1.23", destinationPort: 443, packets: 0,
  bytes: 0, expires: 7214, state: 0x10, revNat: 0, txFlagsSeen: 0x1b, rxFlagsSeen: 0x1b, identity: 12345, lastTxReport: 7200, lastRxReport: 7200,
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

it("bpf policy get shows what an endpoint without policies has, and says where the manifests hold some", () => {
  expect(policyMapLines(ALLOW_ALL, false)).toEqual([
    "POLICY   DIRECTION   LABELS (source:key[=value])   PORT/PROTO   PROXY PORT   AUTH TYPE   BYTES   PACKETS   PREFIX   COOKIE",
    "Allow    Ingress     ANY                           ANY          NONE         disabled    -       -         0        0",
    "Allow    Egress      ANY                           ANY          NONE         disabled    -       -         0        0",
  ]);
  expect(policyMapLines(ALLOW_ALL, true)[1]).toMatch(/^Allow +Ingress +0 +ANY/);
  const at = { file: "p.yaml", line: 1, column: 1 };
  expect(unmodelledPolicies([{ kind: "Deployment", count: 1, firstAt: at }])).toBeNull();
  expect(unmodelledPolicies([{ kind: "CiliumNetworkPolicy", count: 2, firstAt: at }])).toContain("2 CiliumNetworkPolicy of the manifests left out");
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
