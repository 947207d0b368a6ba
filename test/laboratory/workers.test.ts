// Several workers, each with a queue of every device: the same conversations leave the same flows as one worker's.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LabNetwork, says } from "../../scripts/lab/network.mjs";
import type { FlowLine } from "../../src/observe/flow-shape.ts";
import { download, manyConnections, seenAddress, SERVER, startServers, talkSlowly } from "./conversations.ts";
import { egwsimGateway, egwsimSource, type LiveEnding, type LiveNode } from "./live-nodes.ts";
import { liveIsMissing, titled } from "./skipping.ts";

const missing = liveIsMissing();
const WORKERS = [1, 2];
const SERVERS = Array.from({ length: 32 }, (_, k) => `203.0.113.${100 + k}`), PORTS = 4, ROUNDS = 25, ECHO_PORT = 7;

const UDP_ECHO = `
const servers = process.argv.slice(1);
let open = 0;
for (const address of servers) {
  const socket = require("node:dgram").createSocket("udp4");
  socket.on("message", (message, { port, address: to }) => socket.send(message, port, to));
  socket.bind(${ECHO_PORT}, address, () => { if (++open === servers.length) console.log("listening"); });
}`;

/** From so many ports to every server, so many datagrams each, the next one when the last has come back. */
const UDP_CLIENT = `
const servers = process.argv.slice(1);
let left = servers.length * ${PORTS};
for (let k = 0; k < ${PORTS}; k++) {
  const socket = require("node:dgram").createSocket("udp4"), rounds = new Map(servers.map((server) => [server, 0]));
  socket.on("message", (_message, { address }) => {
    const round = rounds.get(address) + 1;
    rounds.set(address, round);
    if (round < ${ROUNDS}) socket.send("round " + round, ${ECHO_PORT}, address);
    else if (--left === 0) { console.log("all came back"); process.exit(0); }
  });
  socket.bind(40000 + k, () => { for (const server of servers) socket.send("round 0", ${ECHO_PORT}, server); });
}
setTimeout(() => { console.log(left + " conversations did not end"); process.exit(1); }, 20000).unref();`;

/** Flows of the UDP conversations, without what depends on the order and the time of arrival. */
function echoFlows({ folder }: LiveEnding): string[] {
  const flows = readFileSync(join(folder, "flows.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as FlowLine);
  return flows.filter(({ protocol, before }) => protocol === "UDP" && before.destinationPort === ECHO_PORT)
    .map(({ firstPacket: _first, lastPacket: _last, firstTime: _began, lastTime: _ended, ...flow }) => JSON.stringify(flow)).sort();
}

/** Records of a classic capture. */
function recordsOf(path: string): number {
  const bytes = readFileSync(path);
  let count = 0;
  for (let at = 24; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) count++;
  return count;
}

describe.skipIf(missing !== "")(titled("egwsim tap --workers", missing), () => {
  const endings: (readonly LiveEnding[])[] = [], started: LiveNode[] = [];
  afterAll(() => {
    for (const node of started) node.forget();
  });

  describe.each(WORKERS)("%i", (workers) => {
    const lab = new LabNetwork();
    let source: LiveNode, gateway: LiveNode;

    beforeAll(async () => {
      lab.build();
      await startServers(lab);
      for (const address of SERVERS) lab.run("outside", `ip address add ${address}/32 dev lo`);
      await says(lab.start("outside", [process.execPath, "-e", UDP_ECHO, ...SERVERS]), "listening");
      const words = ["--workers", String(workers), "--write", "pod,flows"];
      source = await egwsimSource(lab, words);
      gateway = await egwsimGateway(lab, words);
      started.push(source, gateway);
      lab.waitFor("pod-a", `ping -c 1 -W 1 ${SERVER}`);
    });
    afterAll(() => lab.takeDown());

    it("opens a queue of each device for every worker, and gives up its rights on all threads", () => {
      const queues = lab.run("node", "sh -c", `ls -l /proc/${source.process.pid ?? 0}/fd | grep -c /dev/net/tun`);
      expect(Number(queues)).toBe(workers);
      for (const status of lab.run("node", "sh -c", `cat /proc/${source.process.pid ?? 0}/task/*/status`).split("Name:").slice(1)) expect(/CapEff:\s+(\w+)/.exec(status)?.[1]).toBe("0000000000000000");
    });

    it(`carries ${PORTS * SERVERS.length} conversations with ${SERVERS.length} servers`, () => {
      expect(lab.try("pod-a", `${process.execPath} -e`, UDP_CLIENT, ...SERVERS).stdout.trim()).toBe("all came back");
    });

    it("carries 20 MiB over TCP, and 300 connections at once", () => {
      const { hash, expected } = download(lab, 20 * 1024 * 1024);
      expect(hash).toBe(expected);
      expect(manyConnections(lab, 300)).toBe("300 echoed, 0 failed");
      expect([seenAddress(lab, "pod-a"), seenAddress(lab, "pod-b"), seenAddress(lab, "pod-a", "203.0.113.20")]).toEqual(["192.0.2.101", "192.0.2.102", "192.0.2.11"]);
    });

    it("takes manifests over on all workers while a conversation goes on", async () => {
      const talk = talkSlowly(lab, 40), done = says(talk, "40 of 40", 60);
      await says(talk, "5 of 40");
      const taken = [source, gateway].map(async ({ process: child }) => {
        const said = says(child, "manifests taken over: epoch 2");
        child.kill("SIGHUP");
        return await said;
      });
      await Promise.all(taken);
      await done;
    });

    it("ends with all packets accounted for, and every one of the pods in the capture", async () => {
      const nodes = await Promise.all([source.end(), gateway.end()]);
      endings.push(nodes);
      for (const { report } of nodes) {
        expect(report.timing.workers).toBe(workers);
        expect(report.conservation).toEqual({ holds: true, broken: [] });
        expect(report.live?.lost).toEqual({ queueFull: 0, refused: 0, unresolved: 0, noDevice: 0 });
        if (workers === 1) expect(report.live?.handedOver).toBe(0);
      }
      const [{ report, folder } = { report: null, folder: "" }] = nodes;
      expect(recordsOf(join(folder, "pod.pcap"))).toBe((report?.outcomes.forwarded.packets ?? 0) + (report?.outcomes.delivered.packets ?? 0));
    });
  });

  it("leaves the same flows whatever their number, ports and all", () => {
    const [one = [], ...others] = endings.map((nodes) => nodes.map(echoFlows));
    // A gateway knows a flow by its pod, and by its egress IP.
    expect(one.map((flows) => flows.length)).toEqual([PORTS * SERVERS.length, 2 * PORTS * SERVERS.length]);
    for (const flow of one.flat()) expect(flow).toContain(`"packets":${ROUNDS}`);
    for (const other of others) expect(other).toEqual(one);
    // All tunnel packets come in by one socket of the port: their outer ports are the source's socket's.
    expect(endings.at(-1)?.[1]?.report.live?.handedOver).toBeGreaterThan(0);
  });
});
