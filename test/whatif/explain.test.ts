import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables, type CompiledControl } from "../../src/control/compile.ts";
import type { DatapathTables } from "../../src/control/tables.ts";
import { kernelOn } from "../../src/engine/kernel-instance.ts";
import { explainText } from "../../src/whatif/explain-text.ts";
import { explain, type Explanation } from "../../src/whatif/explain.ts";
import { readPacketRequest } from "../../src/whatif/packet-request.ts";
import { SingleRun } from "../../src/whatif/single-run.ts";
import { compileText, endpoint, node, pod, policy } from "../control/compiled.ts";
import { DUAL_STACK } from "../e2e/replayed.ts";
import { loadText } from "../cluster/temporary-manifests.ts";

const bundled = join(import.meta.dirname, "../../fixtures/cluster");
let control: CompiledControl;
let tables: DatapathTables;

beforeAll(async () => {
  control = compileTables(await loadCluster([bundled]), { semantics: "cilium-1.19" });
  tables = control.tables;
});

function explained(from: string, to: string): Explanation {
  return explain(control, readPacketRequest(from, to, tables), new SingleRun(tables, "cilium-1.19", 1, (memory) => kernelOn(memory, "ts")));
}

const failing = (explanation: Explanation): string[] => explanation.conditions.filter(({ holds }) => !holds).map(({ condition }) => condition);

test("traffic that a policy matches goes through its gateway, and the answer comes back to the pod", () => {
  const explanation = explained("production/payment-processor-0", "203.0.113.20:443/tcp");
  expect(explanation).toMatchObject({
    throughGateway: true, gateway: "gateway-node-1", policy: "payment-egress", outside: { source: "192.168.60.101", sourcePort: 43210, ttl: 62 },
    request: { outcome: "forwarded", drop: null }, answer: { outcome: "delivered" },
  });
  expect(explanation.request.steps.map(({ node, hook }) => `${node} ${hook}`)).toEqual([
    "worker-1 from-container", "worker-1 to-netdev", "gateway-node-1 from-overlay", "gateway-node-1 to-netdev",
  ]);
  expect(explanation.answer?.steps.map(({ node, hook }) => `${node} ${hook}`)).toEqual(["gateway-node-1 from-netdev", "worker-1 from-overlay"]);
  expect(failing(explanation)).toEqual([]);
});

test("the shorter prefix that the deciding one hides is named", () => {
  expect(explained("production/payment-processor-0", "203.0.113.20:443").alsoMatched.join()).toContain("0.0.0.0/0 of production-egress");
});

test("a pod that no policy selects leaves with its node's address, and the failing condition says so", () => {
  const explanation = explained("monitoring/prober-6f7c9b8d5c-2zj4n", "203.0.113.10:80");
  expect(explanation).toMatchObject({ throughGateway: false, outside: { source: "192.168.60.12" }, answer: { outcome: "delivered" } });
  expect(failing(explanation)).toEqual(["policy-selects-pod"]);
});

test("for each policy that does not select the pod, the requirements that fail are told with what the pod has", () => {
  const change = explained("monitoring/prober-6f7c9b8d5c-2zj4n", "203.0.113.10:80").conditions.find(({ condition }) => condition === "policy-selects-pod")?.change ?? "";
  expect(change).toContain("payment-egress wants app=payment-processor, the pod has app=prober");
  expect(change).toContain("production-egress wants io.kubernetes.pod.namespace=production, the pod has io.kubernetes.pod.namespace=monitoring");
});

test("every condition that fails is named, not only the first", () => {
  expect(failing(explained("production/web-6c9f7d5b8-x2k8q", "10.244.4.10:53/udp"))).toEqual(["destination-outside", "not-excluded"]);
});

test("echo requests are followed by their identifier", () => {
  const explanation = explained("production/web-6c9f7d5b8-x2k8q", "203.0.113.10/icmp");
  expect(explanation).toMatchObject({ throughGateway: true, protocol: "ICMPv4", answer: { outcome: "delivered" } });
});

test("what a policy without a gateway node, and one without egress IP, does to traffic is a drop with Cilium's number", () => {
  const drops = tables.policyEntries
    .filter((entry) => entry.gatewayIp === 0 || (entry.gatewayIp > 1 && entry.egressIp === 0))
    .map((entry) => {
      const pod = tables.nodes.flatMap((node) => node.endpoints).find((endpoint) => endpoint.address === entry.source)?.label ?? "";
      const { address } = entry.destination;
      return explained(pod, `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${(address & 255) | 1}:443`).request.drop?.code;
    });
  expect(new Set(drops)).toEqual(new Set([194, 204]));
});

test("the text ends with the verdict and stays within a screen", () => {
  const text = explainText(explained("production/web-6c9f7d5b8-x2k8q", "203.0.113.10:80"));
  expect(text).toContain("through the gateway gateway-node-1, policy production-egress: the outside sees 192.168.60.100");
  expect(text.split("\n").length).toBeLessThan(40);
});

test("an unknown pod, a bad address and a bad protocol are refused with a cure", () => {
  expect(() => explained("production/payment-processor-1", "203.0.113.20:443")).toThrow("did you mean production/payment-processor-0?");
  expect(() => explained("production", "203.0.113.20:443")).toThrow("NAMESPACE/POD");
  expect(() => explained("production/payment-processor-0", "203.0.113.020:443")).toThrow("leading zero");
  expect(() => explained("production/payment-processor-0", "203.0.113.20:443/sctp")).toThrow("none of tcp, udp, icmp");
  expect(() => explained("production/payment-processor-0", "203.0.113.20:0")).toThrow("no port");
});

describe("of a small model", () => {
  const GATEWAYS = node("g1", "192.168.1.21", 'gw: "1"') + node("g2", "192.168.1.22", 'gw: "2"') + node("worker", "192.168.1.11", "", "10.0.1.0/24");
  const gateway = (number: number, more = ""): string => `{nodeSelector: {matchLabels: {gw: "${number}"}}${more}}`;

  async function explainedIn(text: string): Promise<Explanation> {
    const made = await compileText(text);
    return explain(made, readPacketRequest("prod/web", "203.0.113.10:443", made.tables), new SingleRun(made.tables, "cilium-1.19", 1, (memory) => kernelOn(memory, "ts")));
  }

  test("where two policies want the deciding entry, everything that may happen is listed", async () => {
    const web = endpoint("prod/web", "192.168.1.11", "10.0.1.10", "", 20001);
    const explanation = await explainedIn(GATEWAYS + web + policy("a", { gateway: gateway(1) }) + policy("b", { gateway: gateway(2) }));
    expect(explanation.conflicts).toEqual([{
      rule: "policy-conflict", policies: ["a", "b"],
      outcomes: ["leaves by g1 with 192.168.1.21", "is dropped on g1 (204)", "is dropped on g2 (204)", "leaves by g2 with 192.168.1.22"],
    }]);
    expect(explainText(explanation)).toContain("not settled (policy-conflict): a and b want this entry");
    const apart = await explainedIn(GATEWAYS + web + policy("a", { gateway: gateway(1) }) + policy("b", { gateway: gateway(2), destinations: "[203.0.113.0/24]" }));
    expect(apart.conflicts).toEqual([]);
  });

  test("a policy that would select the pod and that the agent ignores is named with the reason", async () => {
    const both = gateway(1, ", interface: eth0, egressIP: 192.168.1.21");
    const text = explainText(await explainedIn(GATEWAYS + pod("prod/web", "worker", "10.0.1.10") + policy("p", { gateway: both })));
    expect(text).toMatch(/p \(\S+:\d+:1\) would select it, but the agent ignores it: interface and egressIP exclude each other/);
    const other = explainText(await explainedIn(GATEWAYS + pod("prod/web", "worker", "10.0.1.10") + policy("p", { gateway: both, selectors: "[{podSelector: {matchLabels: {app: db}}}]" })));
    expect(other).not.toContain("the agent ignores it");
  });

  test("a pod whose entries found the map full is told so, not that no policy selects it", async () => {
    const config = "---\negressGateway: {enabled: true, maxPolicyEntries: 1}\nbpf: {masquerade: true}\nkubeProxyReplacement: true\n";
    const explanation = await explainedIn(config + GATEWAYS + pod("prod/first", "worker", "10.0.1.9") + pod("prod/web", "worker", "10.0.1.10") + policy("a", { gateway: gateway(1) }));
    expect(explanation).toMatchObject({ throughGateway: false, outside: { source: "192.168.1.11" } });
    expect(failing(explanation)).toEqual(["map-has-room"]);
    expect(explainText(explanation)).toContain("entries of prod/web found the policy map full: it holds 1, the policies make 2");
  });

  test("what the input leaves open is said: the UID among several gateways, the addresses of a gateway", async () => {
    const gateways = `[${gateway(1)}, ${gateway(2, ", egressIP: 192.168.1.99")}]`;
    const unknown = await explainedIn(GATEWAYS + pod("prod/web", "worker", "10.0.1.10") + policy("p", { gateways }));
    expect(unknown.undetermined).toHaveLength(2);
    expect(explainText(unknown)).toContain("undetermined: which of 2 gateways is the pod's: the UID of its CiliumEndpoint is not in the input");
    const known = await explainedIn(GATEWAYS + endpoint("prod/web", "192.168.1.11", "10.0.1.10", "", 20001) + policy("p", { gateways: `[${gateway(1)}, ${gateway(2)}]` }));
    expect(known.undetermined).toEqual([]);
  });
});

describe("IPv6", () => {
  beforeAll(async () => {
    control = compileTables(await loadCluster([DUAL_STACK]), { semantics: "cilium-1.19" });
    tables = control.tables;
  });

  test("goes through the gateway over the IPv4 underlay, translated to an interface's address, and back", () => {
    const explanation = explained("shop/web-1", "[2001:db8:113::10]:443");
    expect(explanation).toMatchObject({
      pod: { address: "fd00:10:1::10" }, protocol: "TCP", throughGateway: true, gateway: "gateway-1", policy: "web",
      outside: { source: "fd00:c0a8:1::50", sourcePort: 43210, ttl: 62 }, answer: { outcome: "delivered" },
    });
    expect(explanation.request.steps.flatMap(({ facts }) => facts)).toContain("vxlan to 192.168.1.12 (gateway-1), VNI 20002");
    expect(explainText(explanation)).toContain("[fd00:c0a8:1::50]:43210 -> [2001:db8:113::10]:443");
  });

  test("takes a second device with its own routes, the longer prefix, and no gateway where an exclusion is longer", () => {
    expect(explained("shop/pay-1", "2001:db8:aaaa::1/icmp").outside?.source).toBe("2001:db8:51::50");
    expect(explained("shop/web-2", "2001:db8:113:0:8000::7")).toMatchObject({ gateway: "gateway-2", alsoMatched: [expect.stringContaining("2001:db8:113::/64 of web")] });
    expect(failing(explained("shop/web-2", "2001:db8:198::9"))).toEqual(["not-excluded"]);
    expect(failing(explained("shop/web-1", "fd00:10:2::10"))).toContain("destination-outside");
  });

  test("asked of a pod without such an address is refused by name", () => {
    const single = { ...tables, nodes: tables.nodes.map((node) => ({ ...node, endpoints6: [] })) };
    expect(() => readPacketRequest("shop/web-1", "2001:db8::1", single)).toThrow(/shop\/web-1 has no IPv6 address/);
    expect(() => readPacketRequest("shop/web-1", "2001:db8:::1", tables)).toThrow(/--to/);
  });
});

describe.each([
  { name: "IPv4", ip: (last: number): string => `10.96.0.${last}`, end: (address: string, port: number): string => `${address}:${port}`, source: "192.168.60.100" },
  { name: "IPv6", ip: (last: number): string => `fd00:10:96::${last}`, end: (address: string, port: number): string => `[${address}]:${port}`, source: "fd00:c0a8:3c::33" },
])("a service of $name", ({ ip, end, source }) => {
  const PAYMENTS = end(ip(20), 443), API = end(ip(10), 80), GONE = end(ip(40), 80);
  const model = join(import.meta.dirname, "../../fixtures/cluster-services");
  const asked = async (to: string, change: (text: string) => string = (text) => text): Promise<Explanation> => {
    const compiled = compileTables(await loadText(change(readFileSync(join(model, "model.yaml"), "utf8"))), { semantics: "cilium-1.19" });
    return explain(compiled, readPacketRequest("shop/client", to, compiled.tables), new SingleRun(compiled.tables, "cilium-1.19", 1, (memory) => kernelOn(memory, "ts")));
  };
  const atSocket = (text: string): string => text.replace('bpf-lb-sock-hostns-only: "true"', 'bpf-lb-sock-hostns-only: "false"');
  const factsOf = ({ request, answer }: Explanation): string => [...request.steps, ...(answer?.steps ?? [])].flatMap(({ hook, facts }) => facts.map((fact) => `${hook}: ${fact}`)).join("\n");

  test("with a backend outside uses the gateway, by the backend's address; its answer comes back with the service's", async () => {
    const explanation = await asked(PAYMENTS);
    expect(explanation).toMatchObject({
      throughGateway: true, gateway: "gateway", policy: expect.stringMatching(/^partners/), service: { name: "shop/payments", translation: "per-packet", choices: 3 },
      outside: { source, destination: end(explanation.service?.backend?.address ?? "", 8443) }, answer: { outcome: "delivered" },
    });
    expect(failing(explanation)).toEqual([]);
    expect(explanation.service?.backend?.at).toMatch(/:\d+:\d+$/);
    expect(factsOf(explanation)).toContain(`from-container: ${PAYMENTS} -> ${end(explanation.service?.backend?.address ?? "", 8443)}, drawn from 3 backends`);
    expect(factsOf(explanation)).toContain(`from-overlay: back to the service: ${end(explanation.service?.backend?.address ?? "", 8443)} -> ${PAYMENTS}`);
    expect(explainText(explanation)).toContain("service shop/payments");
  });

  test("that sockets translate has the same backend, and no hook but the socket sees the service", async () => {
    const perPacket = await asked(PAYMENTS), explanation = await asked(PAYMENTS, atSocket);
    expect(explanation.service).toMatchObject({ translation: "socket", backend: { address: perPacket.service?.backend?.address } });
    expect(explanation).toMatchObject({ throughGateway: true, destination: PAYMENTS });
    expect(explanation.request.steps.map(({ hook }) => hook)).toEqual(["socket", "from-container", "to-netdev", "from-overlay", "to-netdev"]);
    expect(explanation.request.steps[1]?.before).toContain(`-> ${end(perPacket.service?.backend?.address ?? "", 8443)}`);
  });

  test("with backends inside is delivered, and the conditions are about the backend", async () => {
    const explanation = await asked(API);
    expect(explanation).toMatchObject({ throughGateway: false, request: { outcome: "delivered" }, service: { name: "shop/api" } });
    expect(explanation.conditions.find(({ condition }) => condition === "destination-outside")?.detail).toContain(explanation.service?.backend?.address);
  });

  test.each([["per packet", (text: string): string => text, "from-container"], ["at the socket", atSocket, "socket"]])("without a backend refuses, %s", async (_, change, hook) => {
    const explanation = await asked(GONE, change);
    expect(explanation).toMatchObject({ throughGateway: false, request: { outcome: "refused" }, outside: null, answer: null, service: { name: "shop/gone", backend: null } });
    expect(explanation.request.steps.map((step) => step.hook)).toEqual([hook]);
    expect(failing(explanation)).toEqual(["service-has-backend"]);
  });

  test("without a backend is a drop where the agent answers nothing", async () => {
    const explanation = await asked(GONE, (text) => text.replace("data:\n", "data:\n  service-no-backend-response: drop\n"));
    expect(explanation.request).toMatchObject({ outcome: "dropped", drop: { code: 158 } });
    expect(explainText(explanation)).toContain("dropped: 158 Service backend not found");
  });
});
