// While nothing was evicted, no two live flows share egress IP, port, remote end and protocol: told by what left the
// gateway, and by flows.jsonl's records. Port ranges are narrow, so that the search collides, walks and gives up.
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DatapathTables } from "../../src/control/tables.ts";
import { captureOfFrames, echo, ethernet, ICMP, ICMP6, SYN, TCP, tcp, udp } from "../e2e/packets.ts";
import { CLUSTER, DUAL_STACK, replay, Scratch, tablesOf, UNBUILT } from "../e2e/replayed.ts";
import { readFile } from "../io/read-records.ts";
import { seeded, settings } from "./seed.ts";
import { type Ends, FOURTH, SIXTH, tupleOf } from "./traffic.ts";
import { formatAddress } from "../../src/cluster/cidr.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());
const REASON = UNBUILT === "" ? "" : ` (skipped: ${UNBUILT})`;
const ETH = 14, SECOND = 1_700_000_000, STEP = 100_000, FIRST_PORT = 40_000;

const openingOf = ({ pods, remotes }: Ends) => fc.record({
  protocol: fc.constantFrom("tcp", "udp", "echo"), pod: fc.constantFrom(...pods), remote: fc.constantFrom(...remotes.slice(0, 3)), remotePort: fc.constantFrom(53, 443),
  port: fc.oneof(fc.integer({ min: FIRST_PORT - 5, max: FIRST_PORT + 12 }), fc.integer({ min: 1, max: 65_535 })),
});

/** Outside tuple of every packet that left, by its time. */
async function leftOf(folder: string): Promise<Map<number, string>> {
  return new Map((await readFile(join(folder, "external.pcap"))).records.map(({ nsec, frame }) => [nsec, tupleOf(frame.subarray(ETH))]));
}

describe.skipIf(UNBUILT !== "").each([["IPv4", CLUSTER, FOURTH], ["IPv6", DUAL_STACK, SIXTH]] as const)(`ports given out to %s, ${seeded}${REASON}`, { timeout: 120_000 }, (_, cluster, ends) => {
  const opening = openingOf(ends);
  let tables: DatapathTables;
  beforeAll(async () => { tables = await tablesOf(cluster); });

  it("are never shared by two live flows, however few there are", async () => {
    let refused = 0, moved = 0, flowsSeen = 0;
    await fc.assert(fc.asyncProperty(
      fc.array(opening, { minLength: 2, maxLength: 300, size: "max" }), fc.constantFrom(1, 2, 9, 100, 25_536), fc.nat({ max: 0xffffffff }), async (openings, ports, seed) => {
        const lastPort = FIRST_PORT + ports - 1, folder = scratch.place();
        const config = { ...tables.config, snatMinPort: FIRST_PORT, snatMaxPort: lastPort };
        const packets = openings.map(({ protocol, pod, remote, port, remotePort }) => {
          const ends = { from: pod, to: remote };
          return Buffer.from(protocol === "tcp" ? tcp(ends, port, remotePort, SYN) : protocol === "udp" ? udp(ends, port, remotePort, 1) : echo(ends, port));
        });
        const capture = scratch.file("openings.pcap", captureOfFrames(packets.map((packet, k) => ({ sec: SECOND, nsec: k * STEP, frame: ethernet(packet) }))));
        const { result, flows } = await replay({ ...tables, config }, [capture], { outDir: folder, write: new Set(["external"]), seed });
        expect(result.evictions).toEqual({ conntrack: 0, nat: 0 });
        // Nothing but the search itself drops anything: 167, no mapping for NAT.
        expect(result.drops.filter(({ code }) => code !== 167)).toEqual([]);
        expect(result.forwarded.packets + result.dropped.packets).toBe(packets.length);
        refused += result.dropped.packets;

        const left = await leftOf(folder), owners = new Map<string, string>(), outside = new Map<string, string>();
        expect(left.size).toBe(result.forwarded.packets);
        for (const [k, packet] of packets.entries()) {
          const translated = left.get(k * STEP), inside = tupleOf(packet);
          if (translated === undefined) continue;
          expect(owners.get(translated) ?? inside, translated).toBe(inside);
          expect(outside.get(inside) ?? translated, inside).toBe(translated);
          owners.set(translated, inside);
          outside.set(inside, translated);
          const [protocol, , port] = translated.split(" ").map(Number), own = Number(inside.split(" ")[2]);
          if (protocol !== ICMP && protocol !== ICMP6) expect(port !== undefined && port >= FIRST_PORT && port <= lastPort, translated).toBe(true);
          if (port !== own) moved++;
        }
        const live = flows.filter(({ translated }) => translated !== null);
        const keys = new Set(live.map(({ protocol, destination, destinationPort, translated }) => [
          protocol, formatAddress(translated?.source ?? 0), translated?.sourcePort, formatAddress(destination), destinationPort,
        ].join(" ")));
        expect([...keys].sort()).toEqual([...owners.keys()].sort());
        expect(live.length).toBe(owners.size);
        flowsSeen += live.length;
        // All ports of an end in use are told as such.
        const fullest = result.snatPorts.filter(({ protocol }) => protocol === TCP).reduce((most, { inUse }) => Math.max(most, inUse), 0);
        expect(fullest).toBeLessThanOrEqual(ports);
      }), settings(30));
    for (const count of [refused, moved, flowsSeen]) expect(count).toBeGreaterThan(100);
  });
});
