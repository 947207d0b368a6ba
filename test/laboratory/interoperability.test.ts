// Real programs through egwsim and the kernel's own vxlan device, on either end of the tunnel.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabNetwork } from "../../scripts/lab/network.mjs";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { formatAddress } from "../../src/cluster/cidr.ts";
import { dnsAnswer, download, iperfRate, learnedMtu, manyConnections, seenAddress, SERVER, SERVER6, SMALL_MTU, startServers } from "./conversations.ts";
import { egwsimGateway, egwsimSource, kernelGateway, kernelSource, type LiveNode, modelWith } from "./live-nodes.ts";
import { kernelRefuses, liveIsMissing, titled, toolIsMissing } from "./skipping.ts";

const LARGE = 100 * 1024 * 1024;
const EGRESS6 = "2001:db8:2::101", IN_GENEVE = ["geneve:eth:ethertype:ip", "geneve:eth:ethertype:ipv6"];
const missing = liveIsMissing();
const noVxlan = missing || toolIsMissing("ethtool") || kernelRefuses("ip link add v type vxlan external dstport 8472 && ip link set v up && ip route add 10.0.0.0/8 encap ip id 2 dst 10.0.0.1 dev v && nft add table ip t");
const model = modelWith((values) => values.replace("tunnelProtocol: vxlan", "tunnelProtocol: geneve"));
afterAll(() => model.forget());

/** VNI by address of a pod, of either family: its identity. */
async function identities(): Promise<Record<string, number>> {
  const { tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/lab")]), { semantics: "cilium-1.19" });
  return Object.fromEntries(tables.nodes.flatMap(({ endpoints, endpoints6 }) => [...endpoints, ...endpoints6])
    .filter(({ host }) => !host).map(({ address, identity }) => [formatAddress(address), identity]));
}

interface Pairing {
  readonly title: string;
  readonly missing: string;
  /** Starts both nodes; gives those that egwsim plays. */
  start(lab: LabNetwork): Promise<readonly LiveNode[]>;
  /** An address in an excluded network leaves the worker itself. */
  readonly workerIsOurs: boolean;
}

const PAIRINGS: readonly Pairing[] = [
  {
    title: "egwsim's source to the kernel's vxlan and nft", missing: noVxlan, workerIsOurs: true,
    start: async (lab) => {
      kernelGateway(lab);
      return [await egwsimSource(lab)];
    },
  },
  {
    title: "the kernel's vxlan to egwsim's gateway", missing: noVxlan, workerIsOurs: false,
    start: async (lab) => {
      kernelSource(lab, await identities());
      return [await egwsimGateway(lab)];
    },
  },
  { title: "egwsim to egwsim", missing, workerIsOurs: true, start: async (lab) => [await egwsimSource(lab), await egwsimGateway(lab)] },
  {
    title: "egwsim to egwsim in Geneve", missing, workerIsOurs: true,
    start: async (lab) => [await egwsimSource(lab, ["--write", "overlay"], model.path), await egwsimGateway(lab, ["--write", "overlay"], model.path)],
  },
];

describe.each(PAIRINGS)("$title", (pairing) => {
  describe.skipIf(pairing.missing !== "")(titled("carries", pairing.missing), () => {
    const lab = new LabNetwork(), workerIsTheKernels = pairing.workerIsOurs ? "" : "the kernel as the worker knows no policies";
    let nodes: readonly LiveNode[] = [];

    beforeAll(async () => {
      lab.build();
      await startServers(lab);
      nodes = await pairing.start(lab);
      lab.waitFor("pod-a", `ping -c 1 -W 1 ${SERVER}`);
    });
    afterAll(() => {
      lab.takeDown();
      for (const node of nodes) node.forget();
    });

    it.each([SERVER, SERVER6])("pings to %s, and every one comes back", (server) => {
      expect(lab.try("pod-a", `ping -c 20 -i 0.05 -W 2 ${server}`).stdout).toContain("20 packets transmitted, 20 received, 0% packet loss");
    });

    it("two policies' connections, which the server sees with two egress IPs", () => {
      expect([seenAddress(lab, "pod-a"), seenAddress(lab, "pod-b")]).toEqual(["192.0.2.101", "192.0.2.102"]);
    });

    it.skipIf(!pairing.workerIsOurs)(titled("an excluded destination with the worker's own address", workerIsTheKernels), () => {
      expect(seenAddress(lab, "pod-a", "203.0.113.20")).toBe("192.0.2.11");
    });

    it("100 MiB over TCP, every byte", () => {
      const { hash, expected } = download(lab, LARGE);
      expect(hash).toBe(expected);
    });

    it.skipIf(toolIsMissing("dig") !== "" || toolIsMissing("dnsmasq") !== "")(titled("a DNS question and its answer", toolIsMissing("dig") || toolIsMissing("dnsmasq")), async () => {
      expect(await dnsAnswer(lab)).toBe("192.0.2.77");
    });

    it.each([4, 6] as const)("datagrams of IPv%i that do not fit a link further on: the pod learns the path's MTU", (family) => {
      expect(learnedMtu(lab, family)).toBe(String(SMALL_MTU));
    });

    it("1,000 connections at once", () => {
      expect(manyConnections(lab, 1000)).toBe("1000 echoed, 0 failed");
    });

    it.skipIf(toolIsMissing("iperf3") !== "")(titled("iperf3", toolIsMissing("iperf3")), async () => {
      expect(await iperfRate(lab)).toBeGreaterThan(10);
    });

    it("a traced path: what expires at a node is dropped there without a word, as the programs do it; then the server answers", () => {
      const ping = (ttl: number): number | null => lab.try("pod-a", `ping -c 1 -W 1 -t ${ttl} ${SERVER}`).status;
      expect(ping(1)).not.toBe(0);
      expect(ping(64)).toBe(0);
    });

    it.skipIf(toolIsMissing("traceroute") !== "")(titled("traceroute to the end", toolIsMissing("traceroute")), () => {
      expect(lab.try("pod-a", `traceroute -n -I -w 1 -q 1 -m 5 ${SERVER}`).stdout).toMatch(new RegExp(`\\d+ +${SERVER.replaceAll(".", "\\.")}`));
    });

    it("IPv6 connections, which the server sees with the gateway's address of that family", () => {
      expect([seenAddress(lab, "pod-a", SERVER6), seenAddress(lab, "pod-b", SERVER6)]).toEqual([EGRESS6, EGRESS6]);
    });

    it.skipIf(!pairing.workerIsOurs)(titled("an excluded IPv6 destination with the worker's own address", workerIsTheKernels), () => {
      expect(seenAddress(lab, "pod-a", "2001:db8:113::20")).toBe("2001:db8:2::11");
    });

    it("20 MiB over TCP and IPv6, every byte, and 500 connections at once", () => {
      const { hash, expected } = download(lab, LARGE / 5, SERVER6);
      expect(hash).toBe(expected);
      expect(manyConnections(lab, 500, SERVER6)).toBe("500 echoed, 0 failed");
    });

    it.skipIf(toolIsMissing("dig") !== "" || toolIsMissing("dnsmasq") !== "")(titled("a DNS question over IPv6", toolIsMissing("dig") || toolIsMissing("dnsmasq")), async () => {
      expect(await dnsAnswer(lab, SERVER6)).toBe("192.0.2.77");
    });

    it.skipIf(toolIsMissing("iperf3") !== "")(titled("iperf3 over IPv6", toolIsMissing("iperf3")), async () => {
      expect(await iperfRate(lab, SERVER6)).toBeGreaterThan(10);
    });

    it.skipIf(toolIsMissing("traceroute") !== "")(titled("traceroute over IPv6: the pod's node says that it is there", toolIsMissing("traceroute")), () => {
      const { stdout } = lab.try("pod-a", `traceroute -6 -n -I -w 1 -q 1 -m 5 ${SERVER6}`);
      expect(stdout).toMatch(/^ 1 +fd00:244:1::1 /m);
      expect(stdout).toMatch(new RegExp(`\\d+ +${SERVER6} `));
    });

    it("and all packets are accounted for at the end, none lost on the wires", async () => {
      const endings = await Promise.all(nodes.map(async (node) => await node.end()));
      for (const { report, folder } of endings) {
        expect(report.conservation).toEqual({ holds: true, broken: [] });
        expect(report.live?.lost).toEqual({ queueFull: 0, refused: 0, unresolved: 0, noDevice: 0 });
        if (pairing.title.endsWith("Geneve") && toolIsMissing("tshark") === "") expect(dissected(join(folder, "overlay.pcap"))).toEqual(IN_GENEVE);
      }
    });
  });
});

/** Protocols of tunnel and tunnelled packets that tshark finds in a capture's first packets, pings of both families, and nothing malformed. */
function dissected(path: string): string[] {
  const { stdout } = spawnSync("tshark", ["-r", path, "-c", "200", "-T", "fields", "-e", "frame.protocols"], { encoding: "utf8" });
  const found = stdout.trim().split("\n").map((line) => (line.includes("malformed") ? "malformed" : (/:udp:(\w+:eth:ethertype:\w+)/.exec(line)?.[1] ?? line)));
  return [...new Set(found)].sort();
}
