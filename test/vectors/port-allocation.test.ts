// Source ports under pressure: allocations and success rates of the real programs (port_stats.json) against ours.
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import {
  P_FRAME, P_IFINDEX, P_LEN, P_MARK, P_NODE, P_NOW, P_SHARD, P_SIZE, P_WIRE_LEN, S_RETRIES, S_SEED,
} from "../../src/kernel/layout.ts";
import { DROP_NAT_NO_MAPPING, MARK_EGW_DONE, VERDICT_OK } from "../../src/kernel/verdict.ts";
import { FlowTables } from "../../src/vectors/flow-tables.ts";
import { LabMaps } from "../../src/vectors/lab-maps.ts";
import { type CaseMemory, LabMemory } from "../../src/vectors/lab-memory.ts";
import { labSettings } from "../../src/vectors/lab-settings.ts";
import { seeded } from "../kernel/seeded.ts";
import { pathOf, recordedCaseOf, WASM, WASM_IS_BUILT } from "./recorded-files.ts";

interface PortStats {
  readonly n: number;
  readonly retries_hist: Readonly<Record<string, number>>;
  readonly [fill: `fill_${string}`]: string;
}
const STATS = JSON.parse(readFileSync(pathOf("port_stats.json"), "utf8")) as PortStats;
const FIRST_PORT = 32768, PORTS = 32768;
const EGRESS_IP = "192.168.1.50", REMOTE = "203.0.113.10", REMOTE_PORT = 443, TCP = 6;
const GATEWAY_INDEX = 1;
/** Pods' ports below the range, so that each flow draws. */
const LOWEST_SPORT = 1024;
/** How far a measured count may lie from the mean of our runs, in standard deviations of both together. */
const SIGMAS = 4;

const memory = WASM_IS_BUILT ? new LabMemory("wasm", WASM) : new LabMemory("ts");
const template = recordedCaseOf("tcp.jsonl.gz", "tcp_lifecycle").recorded;
const syn = template.steps.find((step) => step.node === "gw" && step.hook === "to_netdev");

let lab: CaseMemory;
let flows: FlowTables;

function setUp(seed: number): void {
  const settings = labSettings(template);
  if (typeof settings === "string") throw new Error(settings);
  lab = memory.fresh({ conntrack: 8192, nat: 70_000, fragments: 16, flows: 16 });
  flows = new FlowTables(lab.arena, lab.shard, memory.kernel);
  lab.publish("gw", settings, new LabMaps(template.maps.gateway));
  lab.arena.put32(lab.shard + S_SEED, seed);
}

/** A SYN of the pod with this source port through the gateway's to-netdev. */
function send(sport: number): number {
  const { arena, packet, frame } = lab;
  const bytes = Buffer.from(syn?.in_hex ?? "", "hex");
  bytes.writeUInt16BE(sport, 34);
  arena.bytes.fill(0, packet, packet + P_SIZE);
  arena.bytes.set(bytes, frame);
  for (const [field, value] of [
    [P_FRAME, frame], [P_LEN, bytes.length], [P_WIRE_LEN, bytes.length], [P_MARK, MARK_EGW_DONE], [P_IFINDEX, 10], [P_NOW, 1000],
    [P_NODE, lab.node("gw")], [P_SHARD, lab.shard],
  ] as const) arena.put32(packet + field, value);
  return memory.kernel.toNetdev(packet);
}

/** Takes `share` of the ports of (egress IP, remote end), chosen at random, and counts how many of 400 flows get one. */
function successes(share: number, seed: number): number {
  setUp(seed);
  const random = seeded(seed);
  const ports = Array.from({ length: PORTS }, (_, k) => FIRST_PORT + k);
  for (let k = ports.length - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1)), port = ports[k] ?? 0;
    ports[k] = ports[other] ?? 0;
    ports[other] = port;
  }
  const free = ports.slice(Math.round(share * PORTS));
  flows.prefill(GATEWAY_INDEX, {
    dir: "INGRESS", saddr: REMOTE, daddr: EGRESS_IP, sport: REMOTE_PORT, nexthdr: TCP, to_addr: "10.9.9.9", to_port: 1,
    dports: [FIRST_PORT, FIRST_PORT + PORTS - 1], except_ports: free,
  });
  let got = 0;
  for (let k = 0; k < 400; k++) {
    const verdict = send(LOWEST_SPORT + k);
    if (verdict === VERDICT_OK) got++;
    else expect(verdict).toBe(DROP_NAT_NO_MAPPING);
  }
  return got;
}

function meanAndVariance(samples: readonly number[]): { mean: number; variance: number } {
  const mean = samples.reduce((sum, each) => sum + each, 0) / samples.length;
  return { mean, variance: samples.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (samples.length - 1) };
}

describe("as many of 400 flows get a port as with the real programs", () => {
  test.each([0.5, 0.75, 0.9, 0.95, 0.99])("at %d of all ports taken", (share) => {
    const measured = Number(STATS[`fill_${share}`]?.split("/")[0]);
    const runs = Array.from({ length: 8 }, (_, seed) => successes(share, 101 + seed));
    const { mean, variance } = meanAndVariance(runs);
    expect(Math.abs(measured - mean), `measured ${measured}, ours ${runs.join(" ")}`).toBeLessThanOrEqual(SIGMAS * Math.sqrt(variance * (1 + 1 / runs.length)) + 1);
  }, 30_000);
});

describe("allocations into an empty range", () => {
  beforeEach(() => setUp(7));

  test("all differ, stay in the range, and collide as often as the real ones", () => {
    for (let k = 0; k < STATS.n; k++) expect(send(LOWEST_SPORT + k)).toBe(VERDICT_OK);
    const ports = flows.nat(GATEWAY_INDEX).filter((entry) => entry.dir === "EGRESS").map((entry) => entry.to_port);
    expect(new Set(ports).size).toBe(STATS.n);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(FIRST_PORT);
    expect(Math.max(...ports)).toBeLessThanOrEqual(FIRST_PORT + PORTS - 1);

    const collided = STATS.n - lab.arena.get32(lab.shard + S_RETRIES);
    const theirs = Object.entries(STATS.retries_hist).reduce((sum, [tries, count]) => sum + (tries === "0" ? 0 : count), 0);
    const all = Object.values(STATS.retries_hist).reduce((sum, count) => sum + count, 0);
    const share = theirs / all;
    expect(Math.abs(collided - share * STATS.n)).toBeLessThanOrEqual(SIGMAS * Math.sqrt(2 * STATS.n * share * (1 - share)));
  });

  test("a port in the range is kept while it is free", () => {
    expect(send(40_000)).toBe(VERDICT_OK);
    expect(flows.nat(GATEWAY_INDEX).map((entry) => entry.to_port)).toEqual([40_000, 40_000]);
  });
});
