import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { InputError } from "../../src/cluster/input-error.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import { placeOf } from "../../src/cluster/origin.ts";
import { inShort, loadText, problemsOf, withFiles } from "./temporary-manifests.ts";

const POLICY = `apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata:
  name: one
spec:
  selectors:
    - podSelector:
        matchLabels:
          app: web
  destinationCIDRs:
    - 0.0.0.0/0
  egressGateway:
    nodeSelector:
      matchLabels:
        gateway: "true"
`;

describe("finding manifests", () => {
  it("takes files and folders, several documents, lists and typed lists, in YAML and JSON", async () => {
    const files = {
      "a/policies.yaml": `${POLICY}---\n${POLICY.replace("name: one", "name: two")}`,
      "a/deep/nodes.json": JSON.stringify({
        apiVersion: "v1",
        kind: "List",
        items: [{ apiVersion: "v1", kind: "Node", metadata: { name: "n1" } }],
      }),
      "b.yml": "apiVersion: cilium.io/v2\nkind: CiliumNodeList\nitems:\n- metadata: {name: n1}\n- metadata: {name: n2}\n",
      "a/readme.txt": "not a manifest",
      "a/.hidden/x.yaml": "broken: [",
    };
    await withFiles(files, async (folder) => {
      const cluster = await loadCluster([join(folder, "a"), join(folder, "b.yml"), folder]);
      expect(cluster.policies.map(({ name }) => name)).toEqual(["one", "two"]);
      expect(cluster.nodes.map(({ name }) => name)).toEqual(["n1"]);
      expect(cluster.ciliumNodes.map(({ name }) => name)).toEqual(["n1", "n2"]);
      expect(cluster.fileCount).toBe(3);
    });
  });

  it("survives a folder that links to itself", async () => {
    await withFiles({ "x/policy.yaml": POLICY }, async (folder) => {
      await symlink(folder, join(folder, "x", "loop"));
      expect((await loadCluster([folder])).fileCount).toBe(1);
    });
  });

  it("says what is missing, empty or no text, all at once", async () => {
    await withFiles({ "x.yaml": POLICY }, async (folder) => {
      await mkdir(join(folder, "empty"));
      await writeFile(join(folder, "binary.yaml"), Buffer.from([0xff, 0xfe, 0x00]));
      const failure = await loadCluster([join(folder, "nowhere"), join(folder, "binary.yaml")]).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(InputError);
      expect(String(failure)).toContain("nowhere: no such file or folder");
      expect(String(failure)).toContain("binary.yaml: the file is not UTF-8 text");
      await expect(loadCluster([join(folder, "empty")])).rejects.toThrow("no manifest in this folder");
    });
  });

  it("takes YAML in a .json file as kubectl does, and says where broken JSON breaks", async () => {
    const cluster = await loadText('{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1",},}', "n.json");
    expect(cluster.nodes).toHaveLength(1);
    const [problem] = await problemsOf({ "n.json": '{"apiVersion": "v1",\n "kind": "Node"\n "metadata": {}}' });
    expect(problem?.at?.line).toBe(3);
  });
});

describe("strict kinds", () => {
  it("reports every fault of every file with line, column, path, value and what was expected", async () => {
    const problems = await problemsOf({
      "1.yaml": POLICY.replace("podSelector", "podSelectors").replace("0.0.0.0/0", "010.0.0.0/8"),
      "2.yaml": POLICY.replace("name: one", "name: two").replace("app: web", "app: 1").replace('"true"', "yes_this_label_value_is_far_too_long_for_kubernetes_to_take_it_at_all"),
    });
    expect(problems.map(inShort)).toEqual([
      '7:7 CiliumEgressGatewayPolicy one: spec.selectors[0].podSelectors is not a known field',
      '11:7 CiliumEgressGatewayPolicy one: spec.destinationCIDRs[0] is "010.0.0.0/8": expected a CIDR such as 203.0.113.0/24: a number in it has a leading zero, which Go\'s address parser (and so the agent) rejects',
      "9:16 CiliumEgressGatewayPolicy two: spec.selectors[0].podSelector.matchLabels.app is the number 1: expected a string",
      expect.stringMatching(/^15:18 .*matchLabels\.gateway is "yes_.*… \(\d+ characters\): a label value has at most 63 characters$/),
    ]);
    expect(problems[0]?.cure).toBe("did you mean podSelector?");
    expect(problems[2]?.cure).toBe("put it in quotes");
  });

  it("names what the CRD requires and is missing, at the place where it belongs", async () => {
    const problems = await problemsOf({ "p.yaml": POLICY.replace(/ {2}egressGateway:[\s\S]*/, "").replace("cilium.io/v2", "cilium.io/v1") });
    expect(problems.map(inShort)).toEqual([
      '1:13 CiliumEgressGatewayPolicy one: apiVersion is "cilium.io/v1": expected cilium.io/v2',
      "6:3 CiliumEgressGatewayPolicy one: spec.egressGateway is missing: expected an object",
    ]);
  });

  it("finds faults inside a JSON list", async () => {
    const item = { apiVersion: "cilium.io/v2", kind: "CiliumEgressGatewayPolicy", metadata: { name: "x" }, spec: { selectors: [], destinationCIDRs: ["10.0.0.0/40"], egressGateway: { nodeSelector: {} } } };
    const problems = await problemsOf({ "list.json": JSON.stringify({ apiVersion: "v1", kind: "List", items: [item] }, null, 2) });
    expect(problems.map(inShort)).toEqual([
      '14:11 CiliumEgressGatewayPolicy x: spec.destinationCIDRs[0] is "10.0.0.0/40": expected a CIDR such as 203.0.113.0/24: the prefix length is above 32',
    ]);
  });

  it("checks operators against their values", async () => {
    const text = POLICY.replace("matchLabels:\n          app: web", "matchExpressions:\n          - {key: app, operator: In}\n          - {key: b, operator: Exists, values: [x]}\n          - {key: c, operator: Is}");
    const problems = await problemsOf({ "p.yaml": text });
    expect(problems.map(({ message }) => message.split(": ").at(-1))).toEqual([
      "operator In needs at least one value",
      "operator Exists takes no values",
      "expected In or NotIn or Exists or DoesNotExist",
    ]);
  });

  it("checks a NodeNetwork against itself", async () => {
    const problems = await problemsOf({
      "n.yaml": `apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: n1}
spec:
  devices:
    - {name: eth0, addresses: [192.168.1.12/24], mac: "02:00"}
    - {name: eth0, addresses: [192.168.1.13]}
  routes:
    - {to: default, via: 192.168.1.1, dev: eth7}
`,
    });
    expect(problems.map(inShort)).toEqual([
      '6:55 NodeNetwork n1: spec.devices[0].mac is "02:00": expected a MAC address such as 02:00:00:00:01:0c',
      '7:32 NodeNetwork n1: spec.devices[1].addresses[0] is "192.168.1.13": expected a CIDR such as 203.0.113.0/24: the prefix length is missing (expected address/bits)',
    ]);
    const related = await problemsOf({
      "n.yaml": "apiVersion: egwsim.dev/v1\nkind: NodeNetwork\nmetadata: {name: n1}\nspec:\n  devices: [{name: eth0, addresses: []}, {name: eth0, addresses: []}]\n  routes: [{to: default, dev: eth7}]\n",
    });
    expect(related.map(({ message }) => message.split(": ").slice(1).join(": "))).toEqual([
      'spec.devices[1].name is "eth0": expected each device once',
      'spec.routes[0].dev is "eth7": expected one of the devices above',
    ]);
  });

  it("names both places of an object that is given twice", async () => {
    const problems = await problemsOf({ "1.yaml": POLICY, "2.yaml": `---\n${POLICY}` });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toMatch(/CiliumEgressGatewayPolicy one is given twice: first at .*1\.yaml:1:1/);
    expect(problems[0]?.at).toMatchObject({ line: 2, column: 1 });
  });
});

describe("lenient kinds", () => {
  it("reads what it needs of a pod and minds nothing else", async () => {
    const cluster = await loadText(`apiVersion: v1
kind: Pod
metadata: {name: p, namespace: prod, uid: u-1, labels: {app: web}, managedFields: [1]}
spec: {nodeName: n1, containers: what}
status: {podIP: 10.0.1.10, podIPs: [{ip: 10.0.1.10}, {ip: "fd00::10"}], phase: Running}
`);
    expect(cluster.pods[0]).toMatchObject({ namespace: "prod", uid: "u-1", nodeName: "n1", serviceAccount: "default", hostNetwork: false });
    expect(cluster.pods[0]?.addresses).toEqual([{ family: 4, value: 0x0a00010a }, { family: 6, value: (0xfd00n << 112n) + 0x10n }]);
  });

  it("still refuses a field that it reads and cannot use", async () => {
    const problems = await problemsOf({ "p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nstatus: {podIP: 10.0.1}\n" });
    expect(problems.map(inShort)).toEqual(['4:17 Pod p: status.podIP is "10.0.1": expected an IP address: not an IPv4 address of four decimal numbers']);
  });

  it("lists what it does not look at, by kind, with the first place", async () => {
    const cluster = await loadText("kind: Secret\napiVersion: v1\n---\nkind: Secret\napiVersion: v1\n---\nkind: Node\napiVersion: other.io/v3\n---\njust text\n");
    expect(cluster.ignored.map(({ kind, count, firstAt }) => `${kind} ${count} ${firstAt.line}`)).toEqual(["(not an object) 1 10", "Node 1 7", "Secret 2 1"]);
  });
});

describe("settings", () => {
  it("brings Helm values to the agent's option names and lets cilium-config win", async () => {
    const cluster = await loadText(`egressGateway: {enabled: true, maxPolicyEntries: 100}
bpf: {masquerade: true}
ipv4NativeRoutingCIDR: 10.0.0.0/8
extraConfig: {enable-sctp: "true"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cilium-config, namespace: kube-system}
data:
  enable-egress-gateway: "false"
`);
    const values = Object.fromEntries([...cluster.settings].map(([option, { value }]) => [option, value]));
    expect(values).toEqual({
      "enable-egress-gateway": "false",
      "egress-gateway-policy-map-max": "100",
      "enable-bpf-masquerade": "true",
      "ipv4-native-routing-cidr": "10.0.0.0/8",
      "enable-sctp": "true",
    });
    expect(cluster.settingsSources.map(({ kind }) => kind)).toEqual(["helm-values", "cilium-config"]);
    const setting = cluster.settings.get("egress-gateway-policy-map-max");
    expect(setting?.writtenAs).toBe("egressGateway.maxPolicyEntries");
    expect(setting === undefined ? null : placeOf(setting.origin)).toMatchObject({ line: 1, column: 50 });
  });

  it("leaves a ConfigMap with other values than strings out, with a finding", async () => {
    const cluster = await loadText("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config}\ndata:\n  enable-egress-gateway: \"true\"\n  hubble-metrics: [dns]\n");
    expect(cluster.settings.size).toBe(0);
    expect(cluster.findings.map(({ rule, at }) => `${rule} ${at?.line}`)).toEqual(["config-invalid 6"]);
  });

  it("reads ip-masq-agent's file inside its ConfigMap", async () => {
    const text = (config: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ip-masq-agent}\ndata:\n  config: ${JSON.stringify(config)}\n`;
    const cluster = await loadText(text("nonMasqueradeCIDRs: [10.1.0.0/16]\nmasqLinkLocal: true\n"));
    expect(cluster.masqueradeAgent).toMatchObject({ nonMasqueradeCidrs: [{ family: 4, address: 0x0a010000, bits: 16 }], masqLinkLocal: true });
    const broken = await loadText(text("nonMasqueradeCIDRs: [10.1.0.0/99]\n"));
    expect(broken.masqueradeAgent).toBeNull();
    expect(broken.findings.map(({ rule }) => rule)).toEqual(["ip-masq-agent-invalid"]);
  });
});
