// Longest prefix match: what ipcache and routes cost, each of which every walk asks.
import { writePrefixTable } from "../../../src/engine/image/prefix-table.ts";
import { SeededRandom } from "../../../src/generate/random.ts";
import { ofBuilds, type Question, ROUNDS } from "../question.ts";
import type { TestBed } from "../test-bed.ts";

const SIZES = [100, 10_000, 500_000];

export function prefixLookups(bed: TestBed): Question[] {
  return SIZES.map((size) => prefixLookup(bed, size));
}

function prefixLookup(bed: TestBed, size: number): Question {
  const random = new SeededRandom(2), record = bed.arena.take(64);
  const prefixes = Array.from({ length: size }, () => ({ prefix: { address: random.word(), bits: 8 + random.below(25) }, value: record }));
  const table = writePrefixTable(bed.arena, prefixes);
  const addresses = bed.words(Array.from({ length: ROUNDS }, () => random.word()));
  return ofBuilds("prefix look-up", `${size.toLocaleString("en-US")} prefixes`, (build) => bed.loops(build).loopPrefix(table, addresses, ROUNDS));
}
