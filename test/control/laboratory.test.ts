// The laboratory in which the real programs were recorded, as manifests: the compiled tables must say what the recorded
// maps held. What the laboratory has in its ipcache only (a third node and its pod) is given as objects.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { formatIpv4, formatIpv4Prefix } from "../../src/cluster/cidr.ts";
import type { CompiledControl } from "../../src/control/compile.ts";
import { compileText, node, policy } from "./compiled.ts";

const recording = fileURLToPath(new URL("../../../shared/vectors/policy.jsonl", import.meta.url));
const absent = existsSync(recording) ? "" : " (skipped: ../shared/vectors/policy.jsonl is absent)";
/** Derived from the pod CIDRs; the recordings leave them out. */
const ROUTERS = new Set(["10.0.1.1/32", "10.0.2.1/32", "10.0.3.1/32"]);

const maps = z.object({
  policies: z.array(z.object({ saddr: z.string(), dcidr: z.string(), gateway_ip: z.string(), egress_ip: z.string() })),
  ipcache: z.array(z.object({ prefix: z.string(), identity: z.number(), tunnel_endpoint: z.string().nullable() })),
  endpoints: z.array(z.object({ ip: z.string(), host: z.boolean(), identity: z.number() })),
});
const recorded = z.object({ maps: z.object({ source: maps, gateway: maps }) });

function endpoint(name: string, ip: string, nodeIp: string, identity: number): string {
  return `---
apiVersion: cilium.io/v2
kind: CiliumEndpoint
metadata: {name: ${name}, namespace: lab, uid: ${name}}
status: {id: 1001, identity: {id: ${identity}, labels: ["k8s:app=${name}"]}, networking: {node: ${nodeIp}, addressing: [{ipv4: ${ip}}]}}
`;
}

const LABORATORY = `${node("src", "192.168.1.11", "", "10.0.1.0/24")}${node("gw", "192.168.1.12", 'gw: "1"', "10.0.3.0/24")}${node("third", "192.168.1.13")}---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: gw}
spec:
  devices:
    - {name: eth0, mac: "02:00:00:00:01:0c", addresses: [192.168.1.12/24, 192.168.1.50/24, 192.168.1.51/24]}
    - {name: eth1, mac: "02:00:00:00:02:0c", ifindex: 11, addresses: [198.51.100.12/24, 198.51.100.50/24]}
  routes:
    - {to: default, via: 192.168.1.1, dev: eth0}
    - {to: default, via: 198.51.100.1, dev: eth1, table: 100}
  rules: [{from: 198.51.100.50/32, table: 100}]
${endpoint("pod", "10.0.1.10", "192.168.1.11", 20001)}${endpoint("second", "10.0.1.11", "192.168.1.11", 20002)}${endpoint("remote", "10.0.2.20", "192.168.1.13", 30001)}${policy("p", { selectors: "[{podSelector: {matchLabels: {app: pod}}}]", destinations: "[203.0.113.0/24]", excluded: "[203.0.113.10/32]", gateway: '{nodeSelector: {matchLabels: {gw: "1"}}, egressIP: 192.168.1.50}' })}`;

/** What one node's ipcache holds, by the contract in tables.ts: prefix identity tunnel-endpoint. */
function ipcacheSeenFrom({ tables }: CompiledControl, name: string): readonly string[] {
  const self = tables.nodes.findIndex((each) => each.name === name);
  return tables.ipcache
    .filter((entry) => !entry.ownerOnly || entry.ownerNode === self)
    .map((entry) => {
      const own = entry.ownerNode === self;
      const tunnel = own || entry.isNode ? undefined : tables.nodes[entry.ownerNode]?.address;
      return `${formatIpv4Prefix(entry.prefix)} ${own && entry.isNode ? 1 : entry.identity} ${tunnel === undefined ? null : formatIpv4(tunnel)}`;
    });
}

function recordedMaps(side: "source" | "gateway"): z.output<typeof maps> {
  const [line] = readFileSync(recording, "utf8").split("\n").filter((each) => each.includes('"203.0.113.10/32"'));
  return recorded.parse(JSON.parse(line ?? "")).maps[side];
}

describe.skipIf(absent !== "")(`the recordings' laboratory as manifests${absent}`, () => {
  it.each([
    ["source", "src"],
    ["gateway", "gw"],
  ] as const)("gives the %s node's ipcache, but for the router addresses", async (side, name) => {
    const compiled = await compileText(LABORATORY);
    const seen = ipcacheSeenFrom(compiled, name).filter((entry) => !ROUTERS.has(entry.split(" ")[0] ?? ""));
    const wanted = recordedMaps(side).ipcache.map((entry) => `${entry.prefix} ${entry.identity} ${entry.tunnel_endpoint}`);
    expect([...seen].sort()).toEqual([...wanted].sort());
  });

  it("gives the gateway's endpoint map and policy map", async () => {
    const compiled = await compileText(LABORATORY);
    const wanted = recordedMaps("gateway");
    const gateway = compiled.tables.nodes.find(({ name }) => name === "gw");
    expect(gateway?.endpoints.map(({ address, host, identity }) => `${formatIpv4(address)} ${host} ${identity}`).sort()).toEqual(
      wanted.endpoints.map(({ ip, host, identity }) => `${ip} ${host} ${identity}`).sort(),
    );
    // The driver wrote egress IP 0 into its excluded entry; the agent keeps the policy's there (fact sheet, 1.7).
    expect(compiled.tables.policyEntries.map((each) => `${formatIpv4(each.source)} ${formatIpv4Prefix(each.destination)} ${formatIpv4(each.gatewayIp)}`)).toEqual(
      wanted.policies.map((each) => `${each.saddr} ${each.dcidr} ${each.gateway_ip}`),
    );
    expect(formatIpv4(compiled.tables.policyEntries[0]?.egressIp ?? 0)).toBe(wanted.policies[0]?.egress_ip);
  });
});
