// The listing commands as they are typed.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { runCommandLine } from "../../src/cli/program.ts";
import { withFiles } from "../cluster/temporary-manifests.ts";
import { fakeTerminal } from "./fake-replay.ts";

const CLUSTER = join(import.meta.dirname, "../../fixtures/cluster");

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal(process.cwd());
  const code = await runCommandLine(args, terminal);
  return { code, ...terminal.said };
}

test.each([
  [["bpf", "egress", "list"]], [["bpf", "egress", "ls", "-o", "wide"]], [["bpf", "ipcache", "list"]], [["endpoint", "list"]], [["bpf", "policy", "get", "--all"]],
  [["get", "cegp", "-o", "wide"]], [["get", "nodes"]], [["get", "pods", "-o", "wide"]],
])("egwsim %j lists the whole model, with the findings in brief on standard error", async (command) => {
  const { code, out, err } = await run(...command, "--cluster", CLUSTER);
  expect(code).toBe(0);
  expect(out.split("\n").length).toBeGreaterThan(5);
  expect(err).toMatch(/^error .*broken\.yaml:19:7 +no-gateway-node .*\n[\s\S]*\+4 more: egwsim status tells them all\n$/);
});

test.each([[["bpf", "egress", "list"]], [["bpf", "ipcache", "list"]], [["endpoint", "list"]], [["get", "cegp"]], [["get", "nodes"]], [["get", "pods"]], [["bpf", "policy", "get", "--all"]], [["status"]]])(
  "egwsim %j -o json is one JSON document, of all nodes and of one", async (command) => {
    for (const more of [[], ["--node", "worker-1"]]) {
      const { out } = await run(...command, "-o", "json", "--cluster", CLUSTER, ...more);
      expect(typeof JSON.parse(out)).toBe("object");
    }
  });

test("get -o yaml prints objects as their files have them, one alone without a list", async () => {
  const { out } = await run("get", "cegp", "payment-egress", "-o", "yaml", "--cluster", CLUSTER);
  expect(parse(out)).toMatchObject({ kind: "CiliumEgressGatewayPolicy", metadata: { name: "payment-egress" }, spec: { egressGateway: { egressIP: "192.168.60.101" } } });
  const all = await run("get", "pods", "-n", "production", "-o", "json", "--cluster", CLUSTER);
  expect(JSON.parse(all.out)).toMatchObject({ kind: "List", items: [{ kind: "Pod" }, { kind: "Pod" }, { kind: "Pod" }] });
});

test("--node narrows: pods on it, policies whose gateway it is, itself", async () => {
  const names = async (kind: string): Promise<string[]> =>
    (JSON.parse((await run("get", kind, "--node", "gateway-node-2", "-o", "json", "--cluster", CLUSTER)).out) as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name);
  expect(await names("cegp")).toEqual(["analytics-egress"]);
  expect(await names("nodes")).toEqual(["gateway-node-2"]);
  expect(await names("pods")).toEqual(["coredns-5dd5756b68-7pwqx"]);
});

test("status tells every finding with what Cilium does and the cure, and ends with 1", async () => {
  const { code, out, err } = await run("status", "--node", "worker-1", "--cluster", CLUSTER);
  expect({ code, err }).toEqual({ code: 1, err: "" });
  expect(out).toContain("Egress gateway:   Enabled   5 policies in force, 1 ignored by the agent");
  expect(out).toMatch(/error +\S+broken\.yaml:53:5 +policy-ignored\n {2}external-api-egress sets both.*\n {2}Cilium: the API server takes the object.*\n {2}cure: remove interface or egressIP/);
  expect(out).toContain("Node:             worker-1   192.168.60.11");
});

test.each([
  [["status"], "neither manifests nor the state of a replay are named", "--cluster PATH, or --state DIR"],
  [["status", "--node", "worker-11", "--cluster", CLUSTER], "no node of that name in the model", "did you mean worker-1?"],
  [["get", "cgep", "--cluster", CLUSTER], '"cgep" is none of cegp, nodes, pods', "did you mean cegp?"],
  [["get", "pods", "toolbix", "--cluster", CLUSTER], "pods toolbix: not found", "did you mean toolbox?"],
  [["bpf", "policy", "get", "--cluster", CLUSTER], "no endpoint is named", "a number, NAMESPACE/POD, or --all"],
  [["bpf", "policy", "get", "default/toolbax", "--cluster", CLUSTER], "no such endpoint there", "did you mean default/toolbox?"],
  [["bpf", "nat", "list", "--state", "nowhere"], "there is no such folder", "name the folder that `egwsim replay --out DIR` wrote"],
])("%j ends with 2, what is wrong and the cure", async (args, what, cure) => {
  const { code, out, err } = await run(...args);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(what);
  expect(err).toContain(cure);
});

test("with -o json errors are JSON too", async () => {
  const { err } = await run("bpf", "nat", "list", "--state", "nowhere", "-o", "json");
  expect(JSON.parse(err)).toMatchObject({ error: { kind: "input", exitCode: 2 } });
});

test("bpf policy get: one endpoint's map is what its agent prints, several have their numbers, of a pod with policies and of one without", async () => {
  const cluster = [CLUSTER, join(CLUSTER, "../network-policy")], pod = "production/checkout-5d8b7c6f4-q7rtz";
  const { code, out } = await run("bpf", "policy", "get", pod, "--cluster", ...cluster);
  expect({ code, first: out.split("\n")[1] }).toEqual({ code: 0, first: expect.stringMatching(/^Deny +Egress +cidr:203\.0\.113\.66\/32 +ANY /) as unknown });
  expect(await run("bpf", "policy", "get", "3310", "--node", "gateway-node-1", "--cluster", ...cluster)).toMatchObject({ out });
  const content = JSON.parse((await run("bpf", "policy", "get", pod, "-o", "json", "--cluster", ...cluster)).out) as unknown[];
  const numeric = await run("bpf", "policy", "get", pod, "-n", "--cluster", ...cluster);
  expect(numeric.out.trim().split("\n")).toHaveLength(1 + content.length);
  const all = await run("bpf", "policy", "get", "--all", "--cluster", ...cluster);
  expect(all.out).toContain(`Endpoint ID: 3310 (${pod}, gateway-node-1)\n\n${out}\n`);
  const maps = JSON.parse((await run("bpf", "policy", "get", "--all", "-o", "json", "--cluster", ...cluster)).out) as { Pod: string; Content: unknown[] }[];
  expect(maps.find(({ Pod }) => Pod === pod)?.Content).toEqual(content);
  expect(maps.find(({ Pod }) => Pod === "default/toolbox")?.Content).toHaveLength(2);
});

test("of a dual-stack cluster every list has both families", async () => {
  const dual = join(CLUSTER, "../cluster-dual"), list = async (...command: string[]): Promise<string> => (await run(...command, "--cluster", dual)).out;
  const egress = await list("bpf", "egress", "list", "--node", "gateway-1");
  expect(egress).toMatch(/^10\.0\.1\.10 +203\.0\.113\.0\/24 +192\.168\.1\.12 +192\.168\.1\.12$/m);
  expect(egress).toMatch(/^fd00:10:1::10 +2001:db8:113::\/64 +fd00:c0a8:1::50 +192\.168\.1\.12$/m);
  expect(egress).toMatch(/^fd00:10:1::10 +2001:db8:198::\/64 +fd00:c0a8:1::50 +Excluded CIDR$/m);
  const ipcache = await list("bpf", "ipcache", "list", "--node", "gateway-1");
  expect(ipcache).toMatch(/^0\.0\.0\.0\/0 +identity=9 /m);
  expect(ipcache).toMatch(/^::\/0 +identity=10 /m);
  expect(ipcache).toMatch(/^fd00:10:1::10\/128 +identity=\d+ encryptkey=0 tunnelendpoint=192\.168\.1\.11 flags=hastunnel$/m);
  expect(await list("endpoint", "list", "--node", "worker-1")).toMatch(/^1 .* k8s:app=web +fd00:10:1::10 +10\.0\.1\.10 +ready$/m);
  const status = await list("status", "--node", "worker-1");
  expect(status).toContain("[eth0]   10.0.0.0/8 fd00:10::/32   [IPv4: Enabled, IPv6: Enabled]\n");
  expect(status).toContain("cilium_egress_gw_policy_v6   17/16,384 entries");
  expect(status).toMatch(/^Node: +worker-1 {3}192\.168\.1\.11, fd00:c0a8:1::11$/m);
  expect(status).toMatch(/^Device: +eth0 {3}\S+, \S+ {3}masquerades with 192\.168\.1\.11 and fd00:c0a8:1::11$/m);
});

test("a model has no conntrack and NAT entries of its own, and that is said", async () => {
  const { code, out, err } = await run("bpf", "ct", "list", "--cluster", CLUSTER);
  expect({ code, out }).toEqual({ code: 0, out: "" });
  expect(err).toContain("No packet has been through the model: egwsim replay --out DIR saves what its packets leave");
});

test("docs/inspect.md names every command there is, and no other", async () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/inspect.md"), "utf8");
  const named = [...page.matchAll(/^\| `egwsim ([a-z ]+?)(?: [A-Z[].*?)?`/gm)].map(([, words = ""]) => words.trim()).sort();
  expect(named).toEqual(["bpf ct list", "bpf egress list", "bpf ipcache list", "bpf nat list", "bpf policy get", "endpoint list", "get cegp", "status"]);
  for (const words of named) expect((await run(...words.split(" ").slice(0, words.startsWith("get") ? 1 : 3), "--help")).code, words).toBe(0);
});

test("get tells of hostile objects what can be told", async () => {
  const odd = `---
apiVersion: v1
kind: Pod
metadata: {name: odd, namespace: x, labels: {}}
spec: {nodeName: n, containers: "none"}
status: {podIP: 10.0.0.5, phase: "\\u001b[31mRunning", containerStatuses: [7, {restartCount: many, ready: "yes"}, {restartCount: 2, ready: true}]}
---
apiVersion: v1
kind: Node
metadata: {name: n, labels: {node-role.kubernetes.io/control-plane: ""}}
spec: {unschedulable: true}
status: {addresses: [{type: InternalIP, address: 192.168.1.1}, {type: ExternalIP, address: 203.0.113.1}], conditions: [{type: Ready, status: "False"}], nodeInfo: {kubeletVersion: v1.33.0, osImage: 7}}
`;
  await withFiles({ "odd.yaml": odd }, async (folder) => {
    const pods = await run("get", "pods", "-o", "wide", "--cluster", folder);
    expect(pods.out.split("\n")[1]).toMatch(/^x +odd +1\/3 +\\u001b\[31mRunning +2 +<unknown> +10\.0\.0\.5 +n /);
    const nodes = await run("get", "nodes", "-o", "wide", "--cluster", folder);
    expect(nodes.out.split("\n")[1]).toMatch(/^n +NotReady,SchedulingDisabled +control-plane +<unknown> +v1\.33\.0 +192\.168\.1\.1 +203\.0\.113\.1 +<unknown> /);
  });
});
