// Devices, privileges and ways of emission: what a live run opens, gives up, and says when a device is not to be had or goes away.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ends, LabNetwork, says } from "../../scripts/lab/network.mjs";
import { download, seenAddress, SERVER, SERVER6, startServers } from "./conversations.ts";
import { egwsimGateway, egwsimSource, LiveNode } from "./live-nodes.ts";
import { liveIsMissing, titled, toolIsMissing } from "./skipping.ts";

const root = join(import.meta.dirname, "../..");
const missing = liveIsMissing();
const rawIsMissing = ((): string => {
  try {
    readFileSync(join(root, "node_modules/raw-socket/build/Release/raw.node"));
    return "";
  } catch {
    return "the optional package raw-socket is not built";
  }
})();

describe.skipIf(missing !== "")(titled("egwsim tap", missing), () => {
  let lab: LabNetwork;
  const started: LiveNode[] = [];
  const keep = (node: LiveNode): LiveNode => {
    started.push(node);
    return node;
  };

  beforeEach(() => {
    lab = new LabNetwork();
    lab.build();
  });
  afterEach(() => {
    lab.takeDown();
    for (const node of started.splice(0)) node.forget();
  });

  /** Runs to its end what cannot run. */
  const refusal = (...words: string[]): { status: number | null; stderr: string } =>
    lab.try("node", `${process.execPath} ${join(root, "dist/bin/main.js")} tap --cluster ${join(root, "fixtures/lab")} --duration 1`, ...words);

  it("goes on as nobody, without capabilities, on all threads", async () => {
    const { process: child } = keep(await egwsimSource(lab));
    for (const status of lab.run("node", "sh -c", `cat /proc/${child.pid}/task/*/status`).split("Name:").slice(1)) {
      expect(/Uid:\s+(\d+)\s+(\d+)\s+(\d+)/.exec(status)?.slice(1)).toEqual(["65534", "65534", "65534"]);
      expect(/Groups:\s*(.*)/.exec(status)?.[1]?.trim()).toBe("65534");
      expect(/CapEff:\s+(\w+)/.exec(status)?.[1]).toBe("0000000000000000");
    }
  });

  it("says which right is missing where it is not root", () => {
    const { status, stderr } = lab.try("node", "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all",
      process.execPath, join(root, "dist/bin/main.js"), "tap", "--role", "source", "--pods", "tap:egw-pods", "--cluster", join(root, "fixtures/lab"));
    expect(status).toBe(2);
    expect(stderr).toMatch(/tap:egw-pods: \S+ failed: E(PERM|ACCES)/);
    expect(stderr).toContain("sudo");
  });

  it("names the device that is not there, busy or no TAP, and the call", () => {
    expect(refusal("--role", "gateway", "--outside", "packet:eth9").stderr).toMatch(/packet:eth9: if_nametoindex failed: ENODEV/);
    expect(refusal("--role", "gateway", "--node", "worker", "--outside", "tap:eth1").stderr).toMatch(/tap:eth1: TUNSETIFF failed: EINVAL/);
    // The gateway's address is not on this node.
    expect(refusal("--role", "gateway", "--outside", "packet:eth1").stderr).toMatch(/udp:172\.31\.60\.21:8472: bind failed: EADDRNOTAVAIL/);
  });

  it("makes a TAP with MTU, MAC and address, and takes it away at the end, unless it is to stay", async () => {
    const wish = "tap:egw-pods,mtu=1400,mac=02:00:00:00:00:77,address=10.9.8.7/24";
    const node = keep(await LiveNode.start(lab, "node", ["--role", "source", "--pods", wish]));
    const shown = lab.run("node", "ip address show egw-pods");
    expect(shown).toMatch(/UP.* mtu 1400/);
    expect(shown).toContain("02:00:00:00:00:77");
    expect(shown).toContain("10.9.8.7/24");
    await node.end();
    expect(lab.try("node", "ip link show egw-pods").status).not.toBe(0);
    await keep(await LiveNode.start(lab, "node", ["--role", "source", "--pods", "tap:egw-stays,persist"])).end();
    expect(lab.try("node", "ip link show egw-stays").status).toBe(0);
  });

  it.each([
    ["eth1", "1", "packet:eth1", "the device went down or away"], ["egw-pods", "1", "tap:egw-pods", "the device was deleted"],
    ["eth1", "3", "packet:eth1", "the device went down or away"], ["egw-pods", "3", "tap:egw-pods", "the device was deleted"],
  ])("ends with the report and a message when %s goes away under %s workers", async (device, workers, title, message) => {
    const node = keep(await LiveNode.start(lab, "node", ["--role", "source", "--pods", "tap:egw-pods", "--outside", "packet:eth1", "--workers", workers]));
    const told = says(node.process, message);
    const ended = new Promise<number | null>((resolve) => node.process.once("exit", resolve));
    lab.run("node", `ip link delete ${device}`);
    const said = await told;
    expect(said).toContain(title);
    expect(said).toContain('"conservation"');
    expect(await ended).toBe(2);
  });

  it("shares the tunnel's port among its own workers and with nobody else", async () => {
    keep(await egwsimSource(lab, ["--workers", "2"]));
    for (const workers of ["1", "2"]) expect(refusal("--role", "source", "--pods", "tap:other", "--workers", workers).stderr).toMatch(/udp:172\.31\.60\.11:8472: bind failed: EADDRINUSE/);
  });

  it("plays a whole cluster between two devices, gateway and all", async () => {
    await startServers(lab);
    const node = keep(await LiveNode.start(lab, "node", ["--role", "both", "--pods", "tap:egw-pods", "--outside", "packet:eth1"]));
    lab.run("node", "ip link set egw-pods master br-pods");
    lab.waitFor("pod-a", `ping -c 1 -W 1 ${SERVER}`);
    expect([seenAddress(lab, "pod-a"), seenAddress(lab, "pod-b"), seenAddress(lab, "pod-a", "203.0.113.20")]).toEqual(["192.0.2.101", "192.0.2.102", "192.0.2.11"]);
    expect([seenAddress(lab, "pod-b", SERVER6), seenAddress(lab, "pod-a", "2001:db8:113::20")]).toEqual(["2001:db8:2::101", "2001:db8:2::11"]);
    const { report, folder } = await node.end();
    expect(report.conservation.holds).toBe(true);
    expect(report.live?.lost).toEqual({ queueFull: 0, refused: 0, unresolved: 0, noDevice: 0 });
    expect(report.policyUse.map(({ policy, gateway }) => [policy, gateway]).sort()).toEqual([["policy-a", "gateway"], ["policy-b", "gateway"], ["policy-ipv6", "gateway"]]);
    const sources = toolIsMissing("tshark") === "" ? tcpSources(join(folder, "external.pcap"), "ipv6") : null;
    if (sources !== null) expect(sources).toEqual(["2001:db8:113::10", "2001:db8:113::20", "2001:db8:2::101", "2001:db8:2::11"]);
    const flows = readFileSync(join(folder, "flows.jsonl"), "utf8").trim().split("\n");
    for (const policy of ["policy-a", "policy-b", "policy-ipv6"]) expect(flows.filter((line) => line.includes(`"${policy}"`)).length).toBeGreaterThan(0);
    expect(report.files).toEqual(expect.arrayContaining(["pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng", "flows.jsonl"]));
  });

  it("carries the tunnel as frames of a device of its own", async () => {
    await startServers(lab);
    for (const namespace of ["node", "gateway"] as const) lab.run(namespace, "ip address flush dev eth0");
    const nodes = [await egwsimSource(lab, ["--emit", "tap", "--tunnel-device", "packet:eth0"]), await egwsimGateway(lab, ["--emit", "tap", "--tunnel-device", "packet:eth0"])].map(keep);
    lab.waitFor("pod-a", `ping -c 1 -W 1 ${SERVER}`);
    expect([seenAddress(lab, "pod-a"), seenAddress(lab, "pod-a", SERVER6)]).toEqual(["192.0.2.101", "2001:db8:2::101"]);
    const { hash, expected } = download(lab, 1_000_000);
    expect(hash).toBe(expected);
    for (const { report } of await Promise.all(nodes.map(async (node) => await node.end()))) {
      expect(report.conservation.holds).toBe(true);
      expect(report.live?.sides.find(({ side }) => side === "tunnel")?.sent.packets).toBeGreaterThan(0);
    }
  });

  it.skipIf(rawIsMissing !== "" || toolIsMissing("tcpdump") !== "")(titled("emits by raw-socket, with the source port that the datapath drew", rawIsMissing || toolIsMissing("tcpdump")), async () => {
    await startServers(lab);
    const sniffed = lab.start("gateway", ["tcpdump", "-n", "-l", "-c", "3", "-i", "eth0", "udp", "and", "src", "172.31.60.11"]);
    const seen = says(sniffed, "172.31.60.21.8472");
    seen.catch(() => undefined);
    const nodes = [await egwsimSource(lab, ["--emit", "raw"]), await egwsimGateway(lab, ["--emit", "raw"])].map(keep);
    lab.waitFor("pod-a", `ping -c 1 -W 1 ${SERVER}`);
    const port = Number(/172\.31\.60\.11\.(\d+) > 172\.31\.60\.21\.8472/.exec(await seen)?.[1]);
    expect(port).toBeGreaterThanOrEqual(32_768);
    expect([seenAddress(lab, "pod-a"), seenAddress(lab, "pod-b"), seenAddress(lab, "pod-b", SERVER6)]).toEqual(["192.0.2.101", "192.0.2.102", "2001:db8:2::101"]);
    const [source] = await Promise.all(nodes.map(async (node) => await node.end()));
    expect(source?.report.live).toMatchObject({ emission: "raw", lost: { queueFull: 0, refused: 0 } });
    await ends(sniffed);
  });
});

/** Source addresses of a capture's TCP packets of a family, as tshark finds them; none whose checksum is wrong. */
function tcpSources(path: string, family: "ip" | "ipv6"): string[] {
  const words = ["-r", path, "-o", "tcp.check_checksum:TRUE", "-Y", `${family} && tcp`, "-T", "fields", "-e", `${family}.src`, "-e", "tcp.checksum.status"];
  const lines = spawnSync("tshark", words, { encoding: "utf8" }).stdout.trim().split("\n").map((line) => line.split("\t"));
  return [...new Set(lines.map(([source, status]) => (status === "1" ? source ?? "" : `${source} with a wrong checksum`)))].sort();
}
