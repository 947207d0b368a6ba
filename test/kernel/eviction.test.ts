// Maps of a few entries: equivalent to what the real maps were recorded to do (lru4), if not entry by entry. New flows
// are never dropped, the oldest go, both halves of a mapping together, and an evicted flow's replies reach the stack as
// they came.
import { beforeAll, describe, expect, test } from "vitest";
import {
  P_FRAME, P_IFINDEX, P_LEN, P_MARK, P_NODE, P_NOW, P_SHARD, P_SIZE, P_TO, P_WIRE_LEN, S_CT, S_NAT, T_EVICTED, T_LIVE, TO_TUNNEL,
} from "../../src/kernel/layout.ts";
import { MARK_EGW_DONE, VERDICT_OK, VERDICT_REDIRECT } from "../../src/kernel/verdict.ts";
import { FlowTables } from "../../src/vectors/flow-tables.ts";
import { LabMaps } from "../../src/vectors/lab-maps.ts";
import { type CaseMemory, LabMemory } from "../../src/vectors/lab-memory.ts";
import { labSettings } from "../../src/vectors/lab-settings.ts";
import type { RecordedCase } from "../../src/vectors/recording.ts";
import { recordings } from "../vectors/recorded-files.ts";

const GATEWAY = 1, FIRST_SPORT = 40_000, SPORT_AT = 34, DPORT_AT = 36, SOURCE_AT = 26;
const memory = new LabMemory("ts");
let template: RecordedCase;
let lab: CaseMemory;
let flows: FlowTables;

beforeAll(() => {
  const first = recordings("lru4.jsonl.gz")[0]?.recorded;
  if (first === undefined) throw new Error("no recordings of eviction");
  template = first;
});

function setUp(conntrack: number, nat: number): void {
  const settings = labSettings(template);
  if (typeof settings === "string") throw new Error(settings);
  lab = memory.fresh({ conntrack, nat, fragments: 1, flows: 1 });
  flows = new FlowTables(lab.arena, lab.shard, memory.kernel);
  lab.publish("gw", settings, new LabMaps(template.maps.gateway));
}

function frameOf(hook: string): Buffer {
  return Buffer.from(template.steps.find((step) => step.hook === hook)?.in_hex ?? "", "hex");
}

function run(hook: "toNetdev" | "fromNetdev", bytes: Buffer, mark: number): number {
  const { arena, packet, frame } = lab;
  arena.bytes.fill(0, packet, packet + P_SIZE);
  arena.bytes.set(bytes, frame);
  for (const [field, value] of [
    [P_FRAME, frame], [P_LEN, bytes.length], [P_WIRE_LEN, bytes.length], [P_MARK, mark], [P_IFINDEX, 10], [P_NOW, 1000], [P_NODE, lab.node("gw")],
    [P_SHARD, lab.shard],
  ] as const) arena.put32(packet + field, value);
  return memory.kernel[hook](packet);
}

function forward(sport: number): number {
  const frame = frameOf("to_netdev");
  frame.writeUInt16BE(sport, SPORT_AT);
  return run("toNetdev", frame, MARK_EGW_DONE);
}

function reply(port: number): number {
  const frame = frameOf("from_netdev");
  frame.writeUInt16BE(port, DPORT_AT);
  return run("fromNetdev", frame, 0);
}

const alive = (): number[] => flows.nat(GATEWAY).filter((entry) => entry.dir === "EGRESS").map((entry) => entry.sport).sort((a, b) => a - b);
const count = (table: number, field: number): number => lab.arena.get32(lab.shard + table + field);

describe.each([2, 4, 16, 64])("a NAT map of %d entries", (capacity) => {
  const flowsSent = capacity + 4, room = capacity / 2;

  test("takes every new flow and gives up the oldest, both halves together", () => {
    setUp(1024, capacity);
    for (let k = 0; k < flowsSent; k++) {
      expect(forward(FIRST_SPORT + k)).toBe(VERDICT_OK);
      expect(lab.arena.view.getUint32(lab.frame + SOURCE_AT)).toBe(0xc0a80132);
      expect(count(S_NAT, T_LIVE)).toBeLessThanOrEqual(capacity);
      const halves = flows.nat(GATEWAY);
      expect(halves.filter((entry) => entry.dir === "INGRESS").length).toBe(halves.filter((entry) => entry.dir === "EGRESS").length);
    }
    expect(alive()).toEqual(Array.from({ length: room }, (_, k) => FIRST_SPORT + flowsSent - room + k));
    expect(count(S_NAT, T_EVICTED)).toBe(2 * (flowsSent - room));
  });

  test("translates replies of the flows it has, and leaves those of evicted ones as they are", () => {
    setUp(1024, capacity);
    for (let k = 0; k < flowsSent; k++) forward(FIRST_SPORT + k);
    const evicted = frameOf("from_netdev");
    evicted.writeUInt16BE(FIRST_SPORT, DPORT_AT);
    expect(reply(FIRST_SPORT)).toBe(VERDICT_OK);
    expect(Buffer.from(lab.arena.bytes.subarray(lab.frame, lab.frame + evicted.length))).toEqual(evicted);
    expect(reply(FIRST_SPORT + flowsSent - 1)).toBe(VERDICT_REDIRECT);
    expect(lab.arena.get32(lab.packet + P_TO)).toBe(TO_TUNNEL);
  });

  test("gives an evicted flow that goes on its port again", () => {
    setUp(1024, capacity);
    for (let k = 0; k < flowsSent; k++) forward(FIRST_SPORT + k);
    expect(forward(FIRST_SPORT)).toBe(VERDICT_OK);
    expect(flows.nat(GATEWAY).find((entry) => entry.dir === "EGRESS" && entry.sport === FIRST_SPORT)?.to_port).toBe(FIRST_SPORT);
  });
});

test("a NAT map of one entry drops no flow and never mixes two up", () => {
  setUp(1024, 1);
  for (let k = 0; k < 6; k++) {
    expect(forward(FIRST_SPORT + (k % 3))).toBe(VERDICT_OK);
    expect(lab.arena.view.getUint32(lab.frame + SOURCE_AT)).toBe(0xc0a80132);
    expect(lab.arena.view.getUint16(lab.frame + SPORT_AT)).toBe(FIRST_SPORT + (k % 3));
  }
});

test("restoring the missing half of a mapping in a full map keeps the mapping", () => {
  setUp(1024, 3);
  expect(forward(FIRST_SPORT)).toBe(VERDICT_OK);
  flows.evict(GATEWAY, 1000, () => true, (entry) => entry.dir === "EGRESS");
  // Fill the rest with another flow's halves; all are now as young as each other.
  expect(forward(FIRST_SPORT + 1)).toBe(VERDICT_OK);
  for (let k = 0; k < 4; k++) {
    expect(forward(FIRST_SPORT)).toBe(VERDICT_OK);
    expect(lab.arena.view.getUint32(lab.frame + SOURCE_AT)).toBe(0xc0a80132);
    expect(lab.arena.view.getUint16(lab.frame + SPORT_AT)).toBe(FIRST_SPORT);
    flows.evict(GATEWAY, 1000, () => true, (entry) => entry.dir === "EGRESS" || entry.dport !== FIRST_SPORT);
    expect(forward(FIRST_SPORT + 2 + k)).toBe(VERDICT_OK);
  }
});

test.each([1, 2, 8])("a conntrack map of %d entries loses its oldest, which harms no flow whose mapping stays", (capacity) => {
  setUp(capacity, 1024);
  for (let k = 0; k < capacity + 4; k++) expect(forward(FIRST_SPORT + k)).toBe(VERDICT_OK);
  expect(count(S_CT, T_LIVE)).toBe(capacity);
  expect(count(S_CT, T_EVICTED)).toBe(4);
  expect(flows.conntrack(GATEWAY, 1000).map((entry) => entry.sport).sort((a, b) => a - b)).toEqual(Array.from({ length: capacity }, (_, k) => FIRST_SPORT + 4 + k));
  for (let k = 0; k < capacity + 4; k++) expect(reply(FIRST_SPORT + k)).toBe(VERDICT_REDIRECT);
});
