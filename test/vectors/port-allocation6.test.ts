// Source ports of IPv6 flows: allocations of the real programs (port_stats6.json) against ours.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { P_FRAME, P_IFINDEX, P_LEN, P_MARK, P_NODE, P_NOW, P_SHARD, P_WIRE_LEN } from "../../src/kernel/layout.ts";
import { MARK_EGW_DONE, VERDICT_OK } from "../../src/kernel/verdict.ts";
import { LabMaps } from "../../src/vectors/lab-maps.ts";
import { LabMemory, roomFor } from "../../src/vectors/lab-memory.ts";
import { labSettings } from "../../src/vectors/lab-settings.ts";
import { pathOf, recordedCaseOf } from "./recorded-files.ts";

interface PortStats6 {
  readonly n: number;
  readonly min: number;
  readonly max: number;
  readonly distinct: number;
  readonly below_32768: number;
}
const STATS = JSON.parse(readFileSync(pathOf("port_stats6.json"), "utf8")) as PortStats6;
const FIRST_PORT = 32768, LAST_PORT = 65535, SPORT_AT = 14 + 40;
/** Below the range, so that each flow draws. */
const LOWEST_SPORT = 1024;
/** The chance that none of n uniform draws falls within so many ports of an end of the range is below one in a million. */
const WITHIN = (n: number): number => Math.ceil((LAST_PORT - FIRST_PORT + 1) * (14 / n));

test("as many flows as were recorded draw as many distinct ports over the whole range", () => {
  const memory = new LabMemory("ts"), { recorded } = recordedCaseOf("tcp6.jsonl.gz", "tcp6_lifecycle"), settings = labSettings(recorded);
  if (typeof settings === "string") throw new Error(settings);
  const lab = memory.fresh(roomFor(settings)), { arena, packet, frame } = lab;
  lab.publish("src", settings, new LabMaps(recorded.maps.source));
  lab.publish("gw", settings, new LabMaps(recorded.maps.gateway));
  const opener = Buffer.from(recorded.steps.find((step) => step.node === "gw" && step.hook === "to_netdev")?.in_hex ?? "", "hex");
  const ports = Array.from({ length: STATS.n }, (_, k) => {
    lab.clearPacket();
    arena.bytes.set(opener, frame);
    arena.view.setUint16(frame + SPORT_AT, LOWEST_SPORT + k, false);
    const fields = [
      [P_FRAME, frame], [P_LEN, opener.length], [P_WIRE_LEN, opener.length], [P_MARK, MARK_EGW_DONE], [P_IFINDEX, 10], [P_NOW, 1000], [P_NODE, lab.node("gw")],
      [P_SHARD, lab.shard],
    ] as const;
    for (const [field, value] of fields) arena.put32(packet + field, value);
    expect(memory.kernel.toNetdev(packet)).toBe(VERDICT_OK);
    return arena.view.getUint16(frame + SPORT_AT, false);
  });
  expect(new Set(ports).size).toBe(STATS.distinct);
  expect(ports.filter((port) => port < FIRST_PORT)).toHaveLength(STATS.below_32768);
  for (const lowest of [Math.min(...ports), STATS.min]) expect(lowest - FIRST_PORT).toBeLessThan(WITHIN(STATS.n));
  for (const highest of [Math.max(...ports), STATS.max]) expect(LAST_PORT - highest).toBeLessThan(WITHIN(STATS.n));
});
