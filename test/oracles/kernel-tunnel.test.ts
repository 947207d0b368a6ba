// The Linux kernel as judge, in a network namespace of its own: a real tunnel device takes apart what the replay
// encapsulates, and a real TCP/IP stack talks with a pod through the replay's SNAT.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hardTraffic6 } from "../e2e/hard-traffic6.ts";
import { addressText, captureAt } from "../e2e/packets.ts";
import { CLUSTER, DUAL_STACK, FIXTURES, replayInto, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";
import { readFile } from "../io/read-records.ts";
import { kernelLacks, namespaceIsMissing, NetworkNamespace } from "./network-namespace.ts";

const REASON = UNBUILT !== "" ? UNBUILT : namespaceIsMissing();
const ETH = 14, IP_SOURCE = ETH + 12, IP_DESTINATION = ETH + 16, UDP_DPORT = ETH + 22, VNI = ETH + 20 + 8 + 4, OUTER = 50;
const SECONDS = 3;
/** The identity of what is outside, which replies travel under. */
const WORLD = 2;

const scratch = new Scratch();
afterAll(() => scratch.remove());

interface Tunnelled {
  readonly frame: Buffer;
  readonly destination: string;
  readonly mac: string;
  readonly vni: number;
}

async function overlayOf(folder: string): Promise<Tunnelled[]> {
  return (await readFile(join(folder, "overlay.pcap"))).records.map((record) => {
    const frame = Buffer.from(record.frame);
    return {
      frame, destination: addressText(frame.readUInt32BE(IP_DESTINATION)), vni: frame.readUIntBE(VNI, 3),
      mac: frame.subarray(0, 6).toString("hex").replace(/..(?=.)/g, "$&:"),
    };
  });
}

/** What the kernel's tunnel device makes of the frames, in the place of each of their nodes in turn. */
async function decapsulated(namespace: NetworkNamespace, device: string, frames: readonly Tunnelled[]): Promise<Buffer[]> {
  await namespace.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
  await namespace.pair("wire", "peer");
  await namespace.run(`ethtool -K ${device} rx off tx off gro off`);
  await namespace.run(`ip link set ${device} mtu 9000 up`);
  await namespace.watch(device);
  const inner: Buffer[] = [];
  for (const node of new Set(frames.map(({ destination }) => destination))) {
    const to = frames.filter(({ destination }) => destination === node), mac = to[0]?.mac ?? "";
    expect(to.every((each) => each.mac === mac)).toBe(true);
    await namespace.run(`ip link set wire address ${mac}`);
    await namespace.run(`ip address replace ${node}/24 dev wire`);
    await namespace.send("peer", to.map(({ frame }) => frame));
    inner.push(...await namespace.take(device, to.length, SECONDS));
    await namespace.run("ip address flush dev wire");
  }
  return inner;
}

/** In the order in which decapsulated() sends them: node after node. */
function byNode(frames: readonly Tunnelled[]): Tunnelled[] {
  return [...new Set(frames.map(({ destination }) => destination))].flatMap((node) => frames.filter(({ destination }) => destination === node));
}

interface VniCounts {
  readonly vnis: readonly { readonly vni: number; readonly stats: { readonly rx_pkts: number; readonly rx_drops: number; readonly rx_errors: number } }[];
}

describe.skipIf(REASON !== "")(REASON === "" ? "the kernel's tunnel devices" : `the kernel's tunnel devices (skipped: ${REASON})`, { timeout: 30_000 }, () => {
  let namespace: NetworkNamespace;
  let vxlan: Tunnelled[] = [];
  beforeEach(() => { namespace = new NetworkNamespace(); });
  afterEach(async () => await namespace.close());
  beforeAll(async () => {
    const { folder } = await replayInto(scratch.place(), [join(FIXTURES, "captures")], CLUSTER);
    vxlan = await overlayOf(folder);
  });

  it("take every VXLAN frame apart into the inner frame it was made from", async () => {
    expect(vxlan.length).toBeGreaterThan(300);
    await namespace.run("ip link add vx type vxlan external dstport 8472");
    const inner = await decapsulated(namespace, "vx", vxlan);
    expect(inner.length).toBe(vxlan.length);
    for (const [k, { frame }] of byNode(vxlan).entries()) expect(inner[k]?.equals(frame.subarray(OUTER)), `frame ${k}`).toBe(true);
  });

  it("take those with IPv6 packets apart likewise, over the same IPv4 wires", async () => {
    const { folder } = await replayInto(scratch.place(), [scratch.file("hard6.pcap", captureAt(hardTraffic6(120)))], DUAL_STACK);
    const frames = await overlayOf(folder), sixth = frames.filter(({ frame }) => frame.readUInt16BE(OUTER + 12) === 0x86dd);
    expect([sixth.length > 150, frames.length > sixth.length]).toEqual([true, true]);
    await namespace.run("ip link add vx type vxlan external dstport 8472");
    const inner = await decapsulated(namespace, "vx", frames);
    expect(inner.length).toBe(frames.length);
    for (const [k, { frame }] of byNode(frames).entries()) expect(inner[k]?.equals(frame.subarray(OUTER)), `frame ${k}`).toBe(true);
  });

  const unfiltered = REASON !== "" ? REASON : kernelLacks("vxlan", "external", "vnifilter", "dstport", "8472");
  it.skipIf(unfiltered !== "")(`count them under the VNI of the pod's identity, replies under 2${unfiltered === "" ? "" : ` (skipped: ${unfiltered})`}`, async () => {
    const pods = new Map((await tablesOf(CLUSTER)).nodes.flatMap(({ endpoints }) => endpoints.filter(({ host }) => !host).map(({ address, identity }) => [address, identity])));
    const expected = new Map<number, number>();
    for (const { frame } of vxlan) {
      const vni = pods.get(frame.readUInt32BE(OUTER + IP_SOURCE)) ?? WORLD;
      expected.set(vni, (expected.get(vni) ?? 0) + 1);
    }
    expect(expected.get(WORLD)).toBeGreaterThan(50);
    expect(expected.size).toBeGreaterThan(3);
    await namespace.run("ip link add vx type vxlan external vnifilter dstport 8472");
    // One that nobody uses shows that the kernel tells them apart.
    for (const vni of [...expected.keys(), 4_000_000]) await namespace.run(`bridge vni add vni ${vni} dev vx`);
    await decapsulated(namespace, "vx", vxlan);
    const [counts] = JSON.parse(await namespace.run("bridge -j -s vni show dev vx")) as VniCounts[];
    const counted = counts?.vnis.map(({ vni, stats }) => [vni, stats.rx_pkts, stats.rx_drops + stats.rx_errors]) ?? [];
    expect(new Map(counted.map(([vni = 0, packets = 0]) => [vni, packets]))).toEqual(new Map([...expected, [4_000_000, 0]]));
    expect(counted.every(([, , lost]) => lost === 0)).toBe(true);
  });

  const noGeneve = REASON !== "" ? REASON : kernelLacks("geneve", "external");
  it.skipIf(noGeneve !== "")(`take every Geneve frame apart likewise${noGeneve === "" ? "" : ` (skipped: ${noGeneve})`}`, async () => {
    const cluster = scratch.place(), config = join(cluster, "cilium-config.yaml");
    cpSync(CLUSTER, cluster, { recursive: true });
    writeFileSync(config, `${readFileSync(config, "utf8").replace(/^ *tunnel-protocol:.*\n/m, "").trimEnd()}\n  tunnel-protocol: geneve\n`);
    const { folder } = await replayInto(scratch.place(), [join(FIXTURES, "captures")], cluster);
    const geneve = await overlayOf(folder);
    expect(geneve.map(({ frame }) => frame.readUInt16BE(UDP_DPORT)).every((port) => port === 6081)).toBe(true);
    expect(geneve.map(({ frame, vni }) => [frame.readUInt32BE(IP_SOURCE), vni])).toEqual(vxlan.map(({ frame, vni }) => [frame.readUInt32BE(IP_SOURCE), vni]));
    await namespace.run("ip link add gn type geneve external");
    const inner = await decapsulated(namespace, "gn", geneve);
    expect(inner.length).toBe(geneve.length);
    for (const [k, { frame }] of byNode(geneve).entries()) expect(inner[k]?.equals(frame.subarray(OUTER)), `frame ${k}`).toBe(true);
  });
});
