// Services translated packet by packet, in whole replays: requests and answers as a capture at the pods shows them.
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { drawBackend } from "../../src/kernel/datapath/backend-draw.ts";
import { wirePort } from "../../src/engine/image/arena.ts";
import { drawWord } from "../../src/engine/service-book.ts";
import { formatAddress } from "../../src/observe/ip-text.ts";
import type { FlowLine } from "../../src/observe/flow-shape.ts";
import { ACK, addressBytes, captureAt, captureOf, type Ends, filler, fragments, isSix, PSH_ACK, SYN, SYN_ACK, tcp, TCP, UDP, udp, udpDatagram } from "./packets.ts";
import { FIXTURES, replayInto, replay, Scratch, tablesOf, UNBUILT, type Written } from "./replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const MODEL = join(FIXTURES, "cluster-services");
const SEED = 1;
/** The same pods, services and servers in either family. `unreachable`: ICMP type and code of a port that cannot be reached. */
const FAMILIES = [
  {
    name: "IPv4", CLIENT: "10.244.1.10", API: "10.96.0.10", PAYMENTS: "10.96.0.20", STICKY: "10.96.0.30", GONE: "10.96.0.40", api1: "10.244.1.20",
    api2: "10.244.2.20", outside: "203.0.113.10", loopback: "169.254.42.1", policy: "partners", egressIp: "192.168.60.100", unreachable: [3, 3],
  },
  {
    name: "IPv6", CLIENT: "fd00:10:244:1::10", API: "fd00:10:96::10", PAYMENTS: "fd00:10:96::20", STICKY: "fd00:10:96::30", GONE: "fd00:10:96::40",
    api1: "fd00:10:244:1::20", api2: "fd00:10:244:2::20", outside: "2001:db8:113::10", loopback: "fe80::1", policy: "partners-6",
    egressIp: "fd00:c0a8:3c::33", unreachable: [1, 4],
  },
] as const;
const REPLY = { ttl: 62 };
const ends = (from: string, to: string): Ends => ({ from, to });

/** A connection as a capture at the client shows it: the service's address in both directions. */
function conversation(client: string, service: string, port: number, clientPort: number): Uint8Array[] {
  const out = ends(client, service), back = ends(service, client);
  return [
    tcp(out, clientPort, port, SYN), tcp(back, port, clientPort, SYN_ACK, 0, REPLY), tcp(out, clientPort, port, ACK),
    tcp(out, clientPort, port, PSH_ACK, 120), tcp(back, port, clientPort, PSH_ACK, 80, REPLY),
  ];
}

/** The backend that the draw gives a client's connection. */
function drawn({ services }: DatapathTables, client: string, service: string, port: number, clientPort: number, protocol = TCP, seed = SEED): string {
  const { entries, backends } = isSix(service) ? services.ipv6 : services.ipv4, word = (address: string): number => drawWord(isSix(address), addressBytes(address), 0);
  const entry = entries.find((each) => formatAddress(each.address) === service && each.port === port && each.protocol === protocol) ?? expect.fail("no such service");
  const ports = wirePort(clientPort) | (wirePort(port) << 16);
  const slot = drawBackend(seed, word(client), word(service), ports, protocol, entry.affinitySeconds > 0, entry.slots.length);
  const backend = backends.find(({ id }) => id === entry.slots[slot]) ?? expect.fail("no such backend");
  return formatAddress(backend.address);
}

const linesOf = (written: Written): FlowLine[] => written.file("flows.jsonl").toString("utf8").trim().split("\n").map((line) => JSON.parse(line) as FlowLine);

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "services" : `services (skipped: ${UNBUILT})`, { timeout: 60_000 }, () => {
  let tables: DatapathTables;
  beforeAll(async () => {
    tables = await tablesOf(MODEL);
  });

  const run = async (packets: readonly Uint8Array[], words = {}): Promise<Written> =>
    await replayInto(scratch.place(), [scratch.file("packets.pcap", captureOf(packets))], MODEL, { seed: String(SEED), ...words });

  describe.each(FAMILIES)("of $name", ({ CLIENT, API, PAYMENTS, STICKY, GONE, api1, api2, outside, loopback, policy, egressIp, unreachable }) => {
    it("with backends outside go through the gateway, and every answer comes out at the pod with the service's address", async () => {
      const ports = Array.from({ length: 30 }, (_, k) => 41_000 + k);
      const written = await run(ports.flatMap((port) => conversation(CLIENT, PAYMENTS, 443, port)));
      const { report } = written, lines = linesOf(written);
      expect(report.outcomes).toMatchObject({ received: { packets: 150 }, forwarded: { packets: 90 }, delivered: { packets: 60 }, dropped: { packets: 0 } });
      expect(report.replies).toMatchObject({ restored: 60, identical: 60, different: 0 });
      expect(report.policyUse).toMatchObject([{ policy, gateway: "gateway", egressIp, flows: 30 }]);
      for (const [k, line] of lines.entries()) {
        const backend = drawn(tables, CLIENT, PAYMENTS, 443, ports[k] ?? 0);
        expect(line).toMatchObject({
          before: { destination: PAYMENTS, destinationPort: 443 }, after: { source: egressIp, destination: backend, destinationPort: 8443 },
          service: { name: "shop/payments", backend: { address: backend, port: 8443, pod: null } }, forward: { packets: 3 }, reply: { packets: 2 },
        });
      }
      expect(new Set(lines.map(({ service }) => service?.backend?.address)).size).toBe(3);
      expect(report.services).toMatchObject({ translation: "per-packet", objects: 4, untranslatedFlows: 0 });
      expect(report.services.use.reduce((sum, { flows }) => sum + flows, 0)).toBe(30);
    });

    it("with backends inside reach their pods, on the client's node and on another", async () => {
      const ports = Array.from({ length: 12 }, (_, k) => 42_000 + k);
      const written = await run(ports.flatMap((port) => conversation(CLIENT, API, 80, port))), lines = linesOf(written);
      expect(written.report.outcomes).toMatchObject({ received: { packets: 60 }, delivered: { packets: 60 } });
      expect(written.report.replies).toMatchObject({ restored: 24, identical: 24, different: 0 });
      expect(new Set(lines.map(({ service }) => service?.backend?.pod))).toEqual(new Set(["shop/api-1", "shop/api-2"]));
    });

    it("belong to one flow when the backend's own packets are in the capture too", async () => {
      const port = Array.from({ length: 40 }, (_, k) => 43_000 + k).find((each) => drawn(tables, CLIENT, API, 80, each) === api2) ?? expect.fail("no port leads there");
      const written = await run([
        tcp(ends(CLIENT, API), port, 80, SYN), tcp(ends(api2, CLIENT), 8080, port, SYN_ACK), tcp(ends(CLIENT, API), port, 80, ACK),
      ]);
      expect(written.report.outcomes).toMatchObject({ delivered: { packets: 3 } });
      expect(linesOf(written)).toMatchObject([{ forward: { packets: 2 }, reply: { packets: 1 }, service: { backend: { pod: "shop/api-2" } } }]);
    });

    it("lead a pod back to itself by the service loopback, and the answer too", async () => {
      const pod = api1, delivered = { ttl: 63 };
      const alone = readFileSync(join(MODEL, "model.yaml"), "utf8").replace(/^- \{addresses: \["?(10\.244\.2\.20|fd00:10:244:2::20)"?\], conditions: \{ready: true\}\}\n/gm, "");
      const capture = scratch.file("itself.pcap", captureOf([
        tcp(ends(pod, API), 41_000, 80, SYN), tcp(ends(loopback, pod), 41_000, 8080, SYN, 0, delivered),
        tcp(ends(pod, loopback), 8080, 41_000, SYN_ACK), tcp(ends(API, pod), 80, 41_000, SYN_ACK, 0, delivered),
      ]));
      const written = await replayInto(scratch.place(), [capture], scratch.file("alone.yaml", alone));
      expect(written.report.outcomes).toMatchObject({ received: { packets: 4 }, delivered: { packets: 4 } });
      expect(written.report.replies).toMatchObject({ restored: 1, identical: 1 });
      expect(linesOf(written)[0]).toMatchObject({ pod: "shop/api-1", service: { name: "shop/api", backend: { pod: "shop/api-1" } } });
    });

    it("with session affinity send all connections of a client to one backend", async () => {
      const lines = linesOf(await run(Array.from({ length: 20 }, (_, k) => tcp(ends(CLIENT, STICKY), 44_000 + k, 443, SYN))));
      expect(new Set(lines.map(({ service }) => service?.backend?.address))).toEqual(new Set([drawn(tables, CLIENT, STICKY, 443, 44_000)]));
    });

    it("without a backend are answered with port unreachable, or dropped where the agent is told to", async () => {
      const packet = tcp(ends(CLIENT, GONE), 45_000, 80, SYN);
      const answered = await run([packet]), model = readFileSync(join(MODEL, "model.yaml"), "utf8");
      expect(linesOf(answered)).toMatchObject([{ verdict: "delivered", after: null, service: { name: "shop/gone", backend: null } }]);
      const sent = answered.file("pod.pcap");
      expect(sent.includes(Buffer.concat([addressBytes(GONE), addressBytes(CLIENT), Uint8Array.from(unreachable)]))).toBe(true);
      const dropping = scratch.file("dropping.yaml", model.replace("data:\n", "data:\n  service-no-backend-response: drop\n"));
      const { report } = await replayInto(scratch.place(), [scratch.file("one.pcap", captureOf([packet]))], dropping);
      expect(report.drops).toMatchObject([{ code: 158, hook: "from-container", packets: 1 }]);
      expect(report.drops[0]?.cure).toContain("backend");
    });

    it("keep later fragments with the first one, whose ports they lack", async () => {
      const out = ends(CLIENT, PAYMENTS), pieces = fragments(out, UDP, udpDatagram(out, 46_000, 53, filler(2000)), 1000, 77);
      expect(pieces.length).toBe(3);
      const { report } = await run(pieces, { workers: "2" });
      expect(report.outcomes.forwarded.packets).toBe(pieces.length);
    });

    it("get an answer back into the backend's form by the flow's record when the connection's entries are collected", async () => {
      const backend = drawn(tables, CLIENT, PAYMENTS, 53, 46_500, UDP), day = 86_400, first = 1_700_000_000;
      const packets = [udp(ends(CLIENT, PAYMENTS), 46_500, 53), udp(ends(PAYMENTS, CLIENT), 53, 46_500, 10, REPLY)];
      const capture = scratch.file("late.pcap", captureAt(packets.map((packet, k) => ({ at: first + k * day, packet }))));
      const written = await replayInto(scratch.place(), [capture], MODEL);
      expect(written.report).toMatchObject({ replies: { restored: 1, identical: 0 }, outcomes: { forwarded: { packets: 1 }, passed: { packets: 1 } } });
      expect(written.file("external.pcap").includes(Buffer.concat([addressBytes(backend), addressBytes(egressIp)]))).toBe(true);
    });

    it("that sockets translate are left alone, and the report says so", async () => {
      const model = readFileSync(join(MODEL, "model.yaml"), "utf8").replace('bpf-lb-sock-hostns-only: "true"', 'bpf-lb-sock-hostns-only: "false"');
      const capture = scratch.file("socket.pcap", captureOf([tcp(ends(CLIENT, PAYMENTS), 47_000, 443, SYN), tcp(ends(CLIENT, outside), 47_001, 8443, SYN)]));
      const written = await replayInto(scratch.place(), [capture], scratch.file("socket.yaml", model));
      expect(written.report.services).toMatchObject({ translation: "socket", untranslatedFlows: 1, use: [] });
      expect(written.out).toContain("translated at the socket");
      expect(linesOf(written)).toMatchObject([
        { after: { destination: PAYMENTS }, service: { name: "shop/payments", backend: null }, policy: null },
        { after: { destination: outside }, service: null, policy },
      ]);
    });
  });

  it("give the same bytes for any number of workers, either kernel and a collection in between", async () => {
    const packets = Array.from({ length: 200 }, (_, k) => {
      const { CLIENT, API, PAYMENTS, STICKY, GONE } = FAMILIES[(k >> 2) % 2] ?? FAMILIES[0];
      return conversation(CLIENT, [API, PAYMENTS, STICKY, GONE][k % 4] ?? API, [80, 443, 443, 80][k % 4] ?? 80, 48_000 + k);
    }).flat();
    const digests = new Set<string>();
    for (const [workers, kernel] of [["1", "wasm"], ["3", "wasm"], ["4", "ts"]] as const) {
      const written = await run(packets, { workers, kernel, "trace-packets": "all" }), { timing: _timing, ...report } = written.report;
      expect(report.conservation.broken).toEqual([]);
      const hash = createHash("sha256").update(JSON.stringify(report));
      for (const name of ["pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng", "flows.jsonl"]) hash.update(written.file(name));
      digests.add(hash.digest("hex"));
    }
    expect(digests.size).toBe(1);
  });

  it.each(FAMILIES)("draw other backends with another seed, $name", async ({ CLIENT, PAYMENTS }) => {
    const capture = scratch.file("seeds.pcap", captureOf(Array.from({ length: 16 }, (_, k) => tcp(ends(CLIENT, PAYMENTS), 49_000 + k, 443, SYN))));
    const chosen = async (seed: number): Promise<string> => (await replay(tables, [capture], { seed })).flows.map(({ service }) => service?.backend?.address).join();
    expect(await chosen(1)).toBe(await chosen(1));
    expect(await chosen(1)).not.toBe(await chosen(2));
  });
});
