// The Internet checksum of a header and of a whole packet.
import { SeededRandom } from "../../../src/generate/random.ts";
import { ofBuilds, type Question, ROUNDS } from "../question.ts";
import { LARGE_FRAME } from "../sample-packet.ts";
import type { TestBed } from "../test-bed.ts";

export function checksums(bed: TestBed): Question[] {
  return [20, LARGE_FRAME - 34].map((length) => checksum(bed, length));
}

function checksum(bed: TestBed, length: number): Question {
  const at = bed.arena.take(2048, 64), random = new SeededRandom(6);
  for (let k = 0; k < length; k++) bed.arena.bytes[at + k] = random.below(256);
  return ofBuilds("checksum", `${length.toLocaleString("en-US")} bytes`, (build) => bed.loops(build).loopChecksum(at, length, ROUNDS));
}
