// What the loop around each of the other questions costs.
import { SeededRandom } from "../../../src/generate/random.ts";
import { ofBuilds, type Question, ROUNDS } from "../question.ts";
import type { TestBed } from "../test-bed.ts";

export function baseline(bed: TestBed): Question {
  const random = new SeededRandom(1), words = bed.words(Array.from({ length: ROUNDS }, () => random.word()));
  return ofBuilds("baseline", "loop and one load", (build) => bed.loops(build).loopBaseline(words, ROUNDS));
}
