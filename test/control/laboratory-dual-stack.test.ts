// The dual-stack laboratory as manifests: both families' tables must say what the recorded maps held.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { formatAddress, formatIpv4, formatPrefix } from "../../src/cluster/cidr.ts";
import type { CompiledControl } from "../../src/control/compile.ts";
import type { IpcacheEntryOf, LocalEndpointOf } from "../../src/control/tables.ts";
import { compileText, endpoint, entries6, policy } from "./compiled.ts";

const recording = fileURLToPath(new URL("../../../shared/vectors/dualstack6.jsonl", import.meta.url));
const absent = existsSync(recording) ? "" : " (skipped: ../shared/vectors/dualstack6.jsonl is absent)";

const maps = z.object({
  policies: z.array(z.object({ saddr: z.string(), dcidr: z.string(), gateway_ip: z.string(), egress_ip: z.string() })),
  ipcache: z.array(z.object({ prefix: z.string(), identity: z.number(), tunnel_endpoint: z.string().nullable() })),
  endpoints: z.array(z.object({ ip: z.string(), host: z.boolean(), identity: z.number() })),
});
const recorded = z.object({ name: z.string(), maps: z.object({ source: maps, gateway: maps }) });

function ciliumNode(name: string, last: number, labels: string, pods: number): string {
  return `---
apiVersion: cilium.io/v2
kind: CiliumNode
metadata: {name: ${name}, labels: {${labels}}}
spec:
  addresses: [{type: InternalIP, ip: 192.168.1.${last}}, {type: InternalIP, ip: "fd00:c0a8:1::${last}"}]
  ipam: {podCIDRs: [10.0.${pods}.0/24, "fd00:10:${pods}::/64"]}
`;
}

const LABORATORY = `${ciliumNode("src", 11, "", 1)}${ciliumNode("gw", 12, 'gw: "1"', 3)}${ciliumNode("third", 13, "", 2)}---
apiVersion: egwsim.dev/v1
kind: NodeNetwork
metadata: {name: gw}
spec:
  devices:
    - {name: eth0, mac: "02:00:00:00:01:0c", addresses: [192.168.1.12/24, 192.168.1.50/24, 192.168.1.51/24, "fe80::c/64", "fd00:c0a8:1::12/64", "fd00:c0a8:1::50/64", "fd00:c0a8:1::51/64"]}
    - {name: eth1, mac: "02:00:00:00:02:0c", ifindex: 11, addresses: [198.51.100.12/24, 198.51.100.50/24, "2001:db8:198::12/64", "2001:db8:198::50/64"]}
  routes:
    - {to: default, via: 192.168.1.1, dev: eth0}
    - {to: default, via: 198.51.100.1, dev: eth1, table: 100}
    - {to: default, via: "fd00:c0a8:1::1", dev: eth0}
    - {to: default, via: "fe80::1", dev: eth1, table: 100}
  rules: [{from: 198.51.100.50/32, table: 100}, {from: "2001:db8:198::50/128", table: 100}]
${endpoint("lab/pod", "192.168.1.11", "10.0.1.10", "fd00:10:1::10", 20001, ["k8s:app=pod"])}${endpoint("lab/second", "192.168.1.11", "10.0.1.11", "fd00:10:1::11", 20002)}${endpoint("lab/remote", "192.168.1.13", "10.0.2.20", "fd00:10:2::20", 30001)}${policy("p", { selectors: "[{podSelector: {matchLabels: {app: pod}}}]", destinations: '[203.0.113.0/24, "2001:db8:113::/64"]' })}`;

/** Router addresses follow from the pod CIDRs; the recordings leave them out of the ipcache. The world is tested apart. */
const LEFT_OUT = /^(10\.0\.[123]\.1\/32|fd00:10:[123]::1\/128|0\.0\.0\.0\/0|::\/0) /;

function ipcacheSeenFrom({ tables }: CompiledControl, name: string): readonly string[] {
  const self = tables.nodes.findIndex((each) => each.name === name);
  const shown = (entry: IpcacheEntryOf<number | bigint>): string => {
    const own = entry.ownerNode === self;
    const tunnel = own || entry.isNode ? undefined : tables.nodes[entry.ownerNode]?.address;
    return `${formatPrefix(entry.prefix)} ${own && entry.isNode ? 1 : entry.identity} ${tunnel === undefined ? null : formatIpv4(tunnel)}`;
  };
  return [...tables.ipcache, ...tables.ipcache6].filter((entry) => !entry.ownerOnly || entry.ownerNode === self).map(shown);
}

function endpointsOf({ tables }: CompiledControl, name: string): readonly string[] {
  const table = tables.nodes.find((each) => each.name === name);
  const all: readonly LocalEndpointOf<number | bigint>[] = [...(table?.endpoints ?? []), ...(table?.endpoints6 ?? [])];
  return all.map(({ address, host, identity }) => `${formatAddress(address)} ${host} ${identity}`).sort();
}

function recordedMaps(side: "source" | "gateway"): z.output<typeof maps> {
  const line = readFileSync(recording, "utf8").split("\n").find((each) => each.includes('"name": "dualstack_mixed"'));
  return recorded.parse(JSON.parse(line ?? "")).maps[side];
}

describe.skipIf(absent !== "")(`the dual-stack laboratory as manifests${absent}`, () => {
  it.each([
    ["source", "src"],
    ["gateway", "gw"],
  ] as const)("gives the %s node's ipcache of both families", async (side, name) => {
    const wanted = recordedMaps(side).ipcache.map((each) => `${each.prefix} ${each.identity} ${each.tunnel_endpoint}`);
    const made = ipcacheSeenFrom(await compileText(LABORATORY), name);
    expect(made.filter((each) => !LEFT_OUT.test(each)).sort()).toEqual(wanted.filter((each) => !LEFT_OUT.test(each)).sort());
  });

  it("gives the gateway's endpoints of both families, routers included and link-local addresses not", async () => {
    const wanted = recordedMaps("gateway").endpoints.map(({ ip, host, identity }) => `${ip} ${host} ${identity}`);
    expect(endpointsOf(await compileText(LABORATORY), "gw")).toEqual([...wanted].sort());
  });

  it("gives the policy's keys and gateway; the egress address is the agent's, not the one the driver wrote", async () => {
    const compiled = await compileText(LABORATORY);
    const [six] = recordedMaps("gateway").policies;
    expect(entries6(compiled)).toEqual([`${six?.saddr} ${six?.dcidr} ${six?.gateway_ip} fd00:c0a8:1::12 2 p`]);
  });
});
