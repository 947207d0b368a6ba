// Real programs through egwsim and the kernel's own vxlan device, on either end of the tunnel.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabNetwork } from "../../scripts/lab/network.mjs";
import { loadCluster } from "../../src/cluster/load.ts";
import { compileTables } from "../../src/control/compile.ts";
import { formatIpv4 } from "../../src/observe/ip-text.ts";
import { dnsAnswer, download, iperfRate, learnedMtu, manyConnections, seenAddress, SERVER, SMALL_MTU, startServers } from "./conversations.ts";
import { egwsimGateway, egwsimSource, kernelGateway, kernelSource, type LiveNode, modelWith } from "./live-nodes.ts";
import { kernelRefuses, liveIsMissing, titled, toolIsMissing } from "./skipping.ts";

const LARGE = 100 * 1024 * 1024;
const missing = liveIsMissing();
const noVxlan = missing || toolIsMissing("ethtool") || kernelRefuses("ip link add v type vxlan external dstport 8472 && ip link set v up && ip route add 10.0.0.0/8 encap ip id 2 dst 10.0.0.1 dev v && nft add table ip t");
const GENEVE = "tunnelProtocol: geneve\nroutingMode: tunnel\negressGateway: {enabled: true}\nbpf: {masquerade: true}\n";
const model = modelWith(GENEVE);
afterAll(() => model.forget());

/** VNI by address of a pod: its identity. */
async function identities(): Promise<Record<string, number>> {
  const { tables } = compileTables(await loadCluster([join(import.meta.dirname, "../../fixtures/lab")]), { semantics: "cilium-1.19" });
  return Object.fromEntries(tables.nodes.flatMap(({ endpoints }) => endpoints.filter(({ host }) => !host).map(({ address, identity }) => [formatIpv4(address), identity])));
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
    const lab = new LabNetwork();
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

    it("pings, and every one comes back", () => {
      expect(lab.try("pod-a", `ping -c 20 -i 0.05 -W 2 ${SERVER}`).stdout).toContain("20 packets transmitted, 20 received, 0% packet loss");
    });

    it("two policies' connections, which the server sees with two egress IPs", () => {
      expect([seenAddress(lab, "pod-a"), seenAddress(lab, "pod-b")]).toEqual(["192.0.2.101", "192.0.2.102"]);
    });

    it.skipIf(!pairing.workerIsOurs)("an excluded destination with the worker's own address", () => {
      expect(seenAddress(lab, "pod-a", "203.0.113.20")).toBe("192.0.2.11");
    });

    it("100 MiB over TCP, every byte", () => {
      const { hash, expected } = download(lab, LARGE);
      expect(hash).toBe(expected);
    });

    it.skipIf(toolIsMissing("dig") !== "" || toolIsMissing("dnsmasq") !== "")(titled("a DNS question and its answer", toolIsMissing("dig") || toolIsMissing("dnsmasq")), async () => {
      expect(await dnsAnswer(lab)).toBe("192.0.2.77");
    });

    it("datagrams that do not fit a link further on: the pod learns the path's MTU", () => {
      expect(learnedMtu(lab)).toBe(String(SMALL_MTU));
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

    it.skip(titled("IPv6", "the engine does not route it yet: live frames of it are ignored and counted"), () => undefined);

    it("and all packets are accounted for at the end, none lost on the wires", async () => {
      const endings = await Promise.all(nodes.map(async (node) => await node.end()));
      for (const { report, folder } of endings) {
        expect(report.conservation).toEqual({ holds: true, broken: [] });
        expect(report.live?.lost).toEqual({ queueFull: 0, refused: 0, unresolved: 0, noDevice: 0 });
        if (pairing.title.endsWith("Geneve") && toolIsMissing("tshark") === "") expect(dissected(join(folder, "overlay.pcap"))).toEqual(["geneve"]);
      }
    });
  });
});

/** Protocols of the tunnel that tshark finds in a capture's first packets, and nothing malformed. */
function dissected(path: string): string[] {
  const { stdout } = spawnSync("tshark", ["-r", path, "-c", "200", "-T", "fields", "-e", "frame.protocols"], { encoding: "utf8" });
  const tunnels = stdout.trim().split("\n").map((line) => (line.includes("malformed") ? "malformed" : (/:udp:(\w+):/.exec(line)?.[1] ?? line)));
  return [...new Set(tunnels)];
}
