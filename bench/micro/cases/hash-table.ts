// Look-ups and changes of the tables that packets change. Were find() to slow down, every hook would: each walk does six to ten.
import { writeShard } from "../../../src/engine/image/shard-image.ts";
import { SeededRandom } from "../../../src/generate/random.ts";
import { S_CT } from "../../../src/kernel/layout.ts";
import { ofBuilds, type Question, ROUNDS } from "../question.ts";
import type { TestBed } from "../test-bed.ts";

const FLOWS = 100_000, CAPACITY = 131_072;

export function hashTable(bed: TestBed): Question[] {
  const shard = writeShard(bed.arena, { conntrack: CAPACITY, nat: 256, fragments: 256, flows: 256 }, 1), table = shard + S_CT;
  const random = new SeededRandom(4);
  // TCP, forward direction, as conntrack's keys are laid out; the last word tells the flows apart beyond doubt.
  const keyOf = (flow: number): number[] => [6 << 8, random.word() | 0, random.word() | 0, flow];
  const known = Array.from({ length: FLOWS }, (_, flow) => keyOf(flow));
  for (const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] of known) if (bed.insert(table, k0, k1, k2, k3) === 0) throw new Error("the table is too small for the bench");
  const hits = bed.words(Array.from({ length: ROUNDS }, () => known[random.below(FLOWS)] ?? []).flat());
  const misses = bed.words(Array.from({ length: ROUNDS }, (_, k) => keyOf(FLOWS + k)).flat());
  const size = `${FLOWS.toLocaleString("en-US")} entries`;
  return [
    ofBuilds("conntrack find, hit", size, (build) => bed.loops(build).loopFind(table, hits, ROUNDS)),
    ofBuilds("conntrack find, miss", size, (build) => bed.loops(build).loopFind(table, misses, ROUNDS)),
    ofBuilds("conntrack insert and remove", size, (build) => bed.loops(build).loopInsertRemove(table, misses, ROUNDS)),
  ];
}
