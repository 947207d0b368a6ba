// SNAT at the gateway: of a flow that has its mapping; and of a new one, whose port is harder to find the more of one destination's
// ports are taken (what a gateway does shortly before drop 167).
import { wirePort, wireWord } from "../../../src/engine/image/arena.ts";
import { writeShard } from "../../../src/engine/image/shard-image.ts";
import { SeededRandom } from "../../../src/generate/random.ts";
import { ST_EGRESS_GATEWAY } from "../../../src/kernel/datapath/snat.ts";
import { P_SHARD, P_SNAT_ADDR, P_SNAT_FLAGS, P_SNAT_MAX, P_SNAT_MIN, S_NAT, TUPLE_IN } from "../../../src/kernel/layout.ts";
import { ofBuilds, type Question, ROUNDS } from "../question.ts";
import { FIRST_PORT, frame, LAST_PORT, packetOf, POD, REMOTE, SMALL_FRAME, UDP } from "../sample-packet.ts";
import type { TestBed } from "../test-bed.ts";

const EGRESS_IP = 0xc0a80164, HEADERS = 14 + 20 + 8, RANGE = LAST_PORT - FIRST_PORT + 1;
/** Shares of the ports that are taken. */
const FILLED = [0, 0.5, 0.9, 0.99];

export function translations(bed: TestBed): Question[] {
  return [established(bed), ...FILLED.map((share) => portAllocation(bed, share))];
}

function established(bed: TestBed): Question {
  const { packet, template, ports } = gatewayPacket(bed, 9);
  return ofBuilds("SNAT of an established flow", `${ROUNDS.toLocaleString("en-US")} flows`, (build) =>
    bed.loops(build).loopSnat(packet, template, HEADERS, ports, ROUNDS, 1));
}

function portAllocation(bed: TestBed, share: number): Question {
  const { packet, template, ports, shard } = gatewayPacket(bed, 7), random = new SeededRandom(10), taken = new Set<number>();
  while (taken.size < Math.floor(RANGE * share)) taken.add(FIRST_PORT + random.below(RANGE));
  // The reverse halves alone are what a search meets.
  for (const port of taken) {
    const half = bed.insert(shard + S_NAT, (UDP << 8) | TUPLE_IN, wireWord(EGRESS_IP), wireWord(REMOTE), wirePort(port) | (wirePort(443) << 16));
    if (half === 0) throw new Error("the NAT table is too small for the bench");
  }
  return ofBuilds("SNAT port for a new flow", `${Math.round(share * 100)} % of the ports taken`, (build) => {
    const found = bed.loops(build).loopSnat(packet, template, HEADERS, ports, ROUNDS, 0);
    if (found === 0) throw new Error("no flow was given a port");
    return found;
  });
}

/** A packet at a gateway with tables of its own. Source ports lie below the range: each flow needs a draw. */
function gatewayPacket(bed: TestBed, seed: number): Readonly<Record<"packet" | "template" | "ports" | "shard", number>> {
  const { arena } = bed, random = new SeededRandom(seed), sent = frame(SMALL_FRAME, POD, 40_000);
  const packet = packetOf(bed, sent), template = arena.take(sent.length, 64);
  const shard = writeShard(arena, { conntrack: 256, nat: 2 * RANGE + 2, fragments: 256, flows: 256 }, 1);
  arena.bytes.set(sent, template);
  arena.put32(packet + P_SHARD, shard);
  arena.put32(packet + P_SNAT_ADDR, wireWord(EGRESS_IP));
  arena.put32(packet + P_SNAT_MIN, FIRST_PORT);
  arena.put32(packet + P_SNAT_MAX, LAST_PORT);
  arena.put32(packet + P_SNAT_FLAGS, ST_EGRESS_GATEWAY);
  return { packet, template, shard, ports: bed.words(Array.from({ length: ROUNDS }, () => wirePort(1024 + random.below(FIRST_PORT - 1024)))) };
}
