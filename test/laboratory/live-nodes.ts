// The two nodes of the laboratory, played by egwsim or by the kernel's own vxlan device.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ends, type LabNetwork, type Namespace, says, type Started } from "../../scripts/lab/network.mjs";
import type { Report } from "../../src/observe/report-shape.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const VXLAN_PORT = 8472;

export interface LiveEnding {
  readonly code: number | null;
  readonly report: Report;
  /** Folder of its captures. */
  readonly folder: string;
}

/** Descriptors that a process has open. */
export function openDescriptors(pid: number): number { return readdirSync(`/proc/${pid}/fd`).length; }

/** Resident memory in MiB. */
export function residentMemory(pid: number): number { return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024; }

/** An egwsim that stands in for a node. */
export class LiveNode {
  readonly process: Started;
  readonly #folder: string;

  private constructor(process: Started, folder: string) {
    this.process = process;
    this.#folder = folder;
  }

  static async start(lab: LabNetwork, namespace: Namespace, words: readonly string[], cluster = join(root, "fixtures/lab")): Promise<LiveNode> {
    // Written by whom egwsim goes on as.
    const folder = mkdtempSync(join(tmpdir(), "egwsim-live-"));
    chmodSync(folder, 0o777);
    const node = new LiveNode(lab.start(namespace, [process.execPath, join(root, "dist/bin/main.js"), "tap", "--cluster", cluster, "--out", folder, "--format", "json", ...words]), folder);
    await says(node.process, "ready");
    return node;
  }

  async end(): Promise<LiveEnding> {
    const { code, stdout, stderr } = await ends(this.process);
    if (stdout === "") throw new Error(`no report: ${stderr}`);
    return { code, report: JSON.parse(stdout) as Report, folder: this.#folder };
  }

  forget(): void { rmSync(this.#folder, { recursive: true, force: true }); }
}

export async function egwsimSource(lab: LabNetwork, more: readonly string[] = [], cluster?: string): Promise<LiveNode> {
  const node = await LiveNode.start(lab, "node", ["--role", "source", "--pods", "tap:egw-pods", "--outside", "packet:eth1", "--write", "none", ...more], cluster);
  lab.run("node", "ip link set egw-pods master br-pods");
  return node;
}

export async function egwsimGateway(lab: LabNetwork, more: readonly string[] = [], cluster?: string): Promise<LiveNode> {
  return await LiveNode.start(lab, "gateway", ["--role", "gateway", "--outside", "packet:eth1", "--write", "none", ...more], cluster);
}

/** The kernel as the gateway: a vxlan device that takes any VNI, nft for SNAT. Frames that egwsim encapsulates bear the MAC of the
 * route's next hop, so that is the device's. */
export function kernelGateway(lab: LabNetwork): void {
  const vxlan = `ip link add vxlan0 address 02:fe:c0:00:02:01 type vxlan external dstport ${VXLAN_PORT} local 172.31.60.21`;
  for (const command of [
    vxlan, "ip link set vxlan0 arp off", "ip link set vxlan0 up mtu 1450", "ip address add 192.0.2.21/24 dev eth1", "ip address add 192.0.2.101/24 dev eth1", "ip address add 192.0.2.102/24 dev eth1",
    "ip route add default via 192.0.2.1", "ip route add 10.244.1.0/24 encap ip id 2 dst 172.31.60.11 dev vxlan0",
    "nft add table ip egress", "nft add chain ip egress out { type nat hook postrouting priority 100 ; }",
    "nft add rule ip egress out ip saddr 10.244.1.10 snat to 192.0.2.101", "nft add rule ip egress out ip saddr 10.244.1.11 snat to 192.0.2.102",
  ]) lab.run("gateway", command);
  for (const device of ["eth1", "vxlan0"]) lab.enableIpv6("gateway", device);
  for (const command of [
    "ip address add 2001:db8:2::101/64 dev eth1 nodad", "ip route add default via fe80::1 dev eth1", "ip route add fd00:244:1::/64 encap ip id 2 dst 172.31.60.11 dev vxlan0",
    "nft add table ip6 egress", "nft add chain ip6 egress out { type nat hook postrouting priority 100 ; }",
    "nft add rule ip6 egress out ip6 saddr fd00:244:1::/64 snat to 2001:db8:2::101",
  ]) lab.run("gateway", command.replace(/^ip (address|route)/, "ip -6 $1"));
  forwards(lab, "gateway");
}

/** The kernel as the worker: pods by a bridge, their traffic by a vxlan device with the pod's identity, by its address, as VNI. */
export function kernelSource(lab: LabNetwork, identities: Readonly<Record<string, number>>): void {
  for (const command of [
    // Replies bear the MAC of the gateway's device, at which they arrived.
    `ip link add vxlan0 address 02:00:c0:00:02:15 type vxlan external dstport ${VXLAN_PORT} local 172.31.60.11`, "ip link set vxlan0 arp off", "ip link set vxlan0 up mtu 1450",
    "ip address add 169.254.1.1/32 dev br-pods", "ip route add 10.244.1.10/32 dev br-pods", "ip route add 10.244.1.11/32 dev br-pods",
  ]) lab.run("node", command);
  for (const device of ["br-pods", "vxlan0"]) lab.enableIpv6("node", device);
  lab.run("node", "ip -6 address add fd00:244:1::1/64 dev br-pods nodad");
  let table = 100;
  for (const [address, identity] of Object.entries(identities)) {
    const ip = address.includes(":") ? "ip -6" : "ip -4";
    lab.run("node", `${ip} route add default encap ip id ${identity} dst 172.31.60.21 dev vxlan0 table ${++table}`);
    lab.run("node", `${ip} rule add from ${address} lookup ${table}`);
  }
  lab.run("node", "ip rule add to 10.244.1.0/24 lookup main priority 1");
  lab.run("node", "ip -6 rule add to fd00:244:1::/64 lookup main priority 1");
  forwards(lab, "node");
}

function forwards(lab: LabNetwork, namespace: Namespace): void {
  // A veth carries what a card would cut: encapsulated super-frames of 64 KiB, which no wire has.
  lab.run(namespace, "ethtool -K eth0 tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off");
  lab.run(namespace, "sh -c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done");
}

/** The laboratory's model, with other values where `change` makes them so. */
export function modelWith(change: (values: string) => string = (values) => values): { readonly path: string; forget(): void } {
  const folder = mkdtempSync(join(tmpdir(), "egwsim-model-"));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "cluster.yaml"), readFileSync(join(root, "fixtures/lab/cluster.yaml")));
  writeFileSync(join(folder, "values.yaml"), change(readFileSync(join(root, "fixtures/lab/values.yaml"), "utf8")));
  return { path: folder, forget: () => rmSync(folder, { recursive: true, force: true }) };
}
