// The kernel's own egress gateway, as one would set it up without Cilium: a node that marks pods' packets by an nft map, routes
// them by rules and tables, and puts them into VXLAN; a gateway that takes them out and translates by nft. Namespaces with veth
// between them; a sender of frames drives it from the same core, and counters at both ends say what arrived.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { formatIpv4, formatIpv4Prefix } from "../../src/cluster/cidr.ts";
import { compileC } from "../lib/compile-c.ts";
import { Namespaces, namespacesAreMissing } from "./namespaces.ts";
import type { Found, Measured, PeerInput } from "./peer.ts";
import { gatewaysOf, type PolicyGroup, policyGroups } from "./policy-groups.ts";

const WHO = "Linux kernel: policy routing, vxlan, nft SNAT; one core, no files";
const WIRE_MAC = "02:fe:00:00:00:01", NODE_MAC = "02:fe:00:00:00:02", GATEWAY_MAC = "02:fe:00:00:00:03";
/** The gateway as the node's routes into the tunnel see it: one address, for the destination is in each route's encapsulation. */
const NEXT_HOP = "192.0.2.1";
/** Where the node stands in its underlay. */
const NODE_BITS = 16, NODE_HOST = 0xff01;
const PORT = 8472, FIRST_TABLE = 100;

export function linuxKernel(folder: string): Found {
  const missing = kernelIsMissing();
  if (missing !== "") return { what: WHO, why: missing };
  const sender = join(folder, "send-capture"), refused = compileC("peers/send-capture.c", sender, "-O2", "-D_GNU_SOURCE");
  if (refused !== "") return { what: WHO, why: `its sender: ${refused}` };
  return { peer: { who: WHO, startsWithin: false, measure: async (input) => measured(input, sender) } };
}

function kernelIsMissing(): string {
  const missing = namespacesAreMissing();
  if (missing !== "") return missing;
  for (const [program, package_] of [["nft", "nftables"], ["taskset", "util-linux"]] as const)
    if (spawnSync(program, ["--version"]).error !== undefined) return `${program} is not installed (Debian: ${package_})`;
  const both = "ip link add v type vxlan external dstport 8472 && nft 'add table ip t; add chain ip t c { type nat hook postrouting priority 100; }'";
  const tried = spawnSync("unshare", ["-n", "sh", "-c", both], { encoding: "utf8" });
  return tried.status === 0 ? "" : `the kernel has no vxlan or no nft NAT: ${tried.stderr.trim().slice(0, 200)}`;
}

function measured(input: PeerInput, sender: string): Measured {
  const spaces = new Namespaces(), before = performance.now();
  try {
    setUp(spaces, policyGroups(input.tables));
    const startSeconds = (performance.now() - before) / 1000;
    const said = spaces.run("pods", ["taskset", "-c", "0", sender, input.capture, "node", WIRE_MAC]);
    const [taken = 0, seconds = 0, cpuSeconds = 0] = said.split(" ").map(Number);
    const arrived = spaces.received("outside", "gateway") + spaces.received("outside", "node");
    if (taken !== input.packets || arrived !== taken)
      throw new Error(`${input.packets} packets were to be sent, the kernel took ${taken}, ${arrived} arrived`);
    return { seconds, cpuSeconds, startSeconds, output: "all arrived, by counters" };
  } finally {
    spaces.remove();
  }
}

function setUp(spaces: Namespaces, groups: readonly PolicyGroup[]): void {
  const gateways = gatewaysOf(groups), underlay = ((gateways[0] ?? 0) & ~0xffff) >>> 0;
  const mapOf = (value: (group: PolicyGroup) => string): string => groups.flatMap((group) => group.pods.map(({ address }) => `${formatIpv4(address)} : ${value(group)}`)).join(", ");
  for (const name of ["pods", "node", "gateway", "outside"]) spaces.add(name);
  spaces.wire("pods", "node", "node", "pods", WIRE_MAC);
  spaces.wire("node", "underlay", "gateway", "underlay", WIRE_MAC);
  for (const name of ["node", "gateway"]) {
    spaces.wire(name, "world", "outside", name, WIRE_MAC);
    const mac = name === "node" ? NODE_MAC : GATEWAY_MAC;
    spaces.run(name, ["ip", "link", "add", "tunnel", "address", mac, "mtu", "8950", "type", "vxlan", "external", "dstport", String(PORT)]);
    spaces.run(name, ["ip", "link", "set", "tunnel", "up"]);
    spaces.run(name, ["ip", "route", "add", "default", "dev", "world"]);
  }
  spaces.run("node", ["ip", "address", "add", `${formatIpv4(underlay + NODE_HOST)}/${NODE_BITS}`, "dev", "underlay"]);
  for (const gateway of gateways) spaces.run("gateway", ["ip", "address", "add", `${formatIpv4(gateway)}/${NODE_BITS}`, "dev", "underlay"]);
  spaces.run("node", ["ip", "neighbour", "add", NEXT_HOP, "lladdr", GATEWAY_MAC, "dev", "tunnel", "nud", "permanent"]);
  for (const { number } of groups) spaces.run("node", ["ip", "rule", "add", "fwmark", String(number), "lookup", String(FIRST_TABLE + number)]);
  const routes = groups.flatMap(({ number, vni, entries }) => entries.map(({ destination, gateway }) => {
    const into = `encap ip id ${vni} dst ${formatIpv4(gateway)} via ${NEXT_HOP} dev tunnel onlink`;
    return `route add ${formatIpv4Prefix(destination)} ${into} table ${FIRST_TABLE + number}\n`;
  }));
  spaces.run("node", ["ip", "-batch", "-"], routes.join(""));
  spaces.run("node", ["nft", "-f", "-"], `table ip egress {
    map group_of { type ipv4_addr : mark; elements = { ${mapOf(({ number }) => String(number))} }; }
    chain mark_pods { type filter hook prerouting priority raw; meta mark set ip saddr map @group_of; }
  }`);
  // The tunnel's own datagrams are kept out of conntrack: an operator who measures does that.
  spaces.run("gateway", ["nft", "-f", "-"], `table ip egress {
    map egress_of { type ipv4_addr : ipv4_addr; elements = { ${mapOf(({ egressIp }) => formatIpv4(egressIp))} }; }
    chain tunnel { type filter hook prerouting priority raw; udp dport ${PORT} notrack; }
    chain translate { type nat hook postrouting priority srcnat; snat to ip saddr map @egress_of; }
  }`);
}
