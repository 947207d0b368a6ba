// Puts the questions to benny, one suite each with a case per build, and turns its samples into nanoseconds.
import benny from "benny";
import { spreadOf } from "../lib/median.ts";
import { baseline } from "./cases/baseline.ts";
import { checksums } from "./cases/checksum.ts";
import { encapsulations } from "./cases/encapsulation.ts";
import { handOverQuestions } from "./cases/hand-over.ts";
import { hashTable } from "./cases/hash-table.ts";
import { parsing } from "./cases/parse.ts";
import { policyLookup } from "./cases/policy-lookup.ts";
import { prefixLookups } from "./cases/prefix-lookup.ts";
import { translations } from "./cases/snat.ts";
import type { Answer, Question } from "./question.ts";
import { TestBed } from "./test-bed.ts";

/** Seconds; a case runs at least ten samples whatever that takes. */
const MAX_TIME = 0.4, MIN_SAMPLES = 10;

export async function runMicro(): Promise<Answer[]> {
  const bed = new TestBed();
  const answers: Answer[] = [];
  const questions = [
    baseline(bed), ...parsing(bed), ...checksums(bed), ...hashTable(bed), ...prefixLookups(bed), policyLookup(bed), ...encapsulations(bed),
    ...translations(bed), ...handOverQuestions(bed),
  ];
  for (const question of questions) answers.push(...(await ask(question)));
  return answers;
}

async function ask(question: Question): Promise<Answer[]> {
  const { name, parameters, operations, builds } = question;
  // The builds must agree before it is worth knowing which one is faster.
  const sums = builds.map((build) => question.run(build));
  if (new Set(sums).size !== 1) throw new Error(`${name} (${parameters}): the builds differ: ${sums.join(", ")}`);
  const cases = builds.map((build) => benny.add(build, () => { question.run(build); }));
  const summary = await benny.suite(`${name}, ${parameters}`, ...cases, benny.configure({ cases: { maxTime: MAX_TIME, minTime: 0.02, minSamples: MIN_SAMPLES } }));
  return summary.results.map((result) => {
    const { median, min, max } = spreadOf(result.details.sampleResults.map((seconds) => (seconds * 1e9) / operations));
    return { name, parameters, build: result.name, median, min, max, samples: result.details.sampleResults.length };
  });
}
