// Look-ups and changes of the kernel's tables. Were find() to slow down, every hook would: each packet does six to ten.
import { wireWord } from "../../../src/engine/image/arena.ts";
import { writePolicyTable } from "../../../src/engine/image/policy-image.ts";
import { writePrefixTable } from "../../../src/engine/image/prefix-table.ts";
import { writeShard } from "../../../src/engine/image/shard-image.ts";
import { SeededRandom } from "../../../src/generate/random.ts";
import { S_CT } from "../../../src/kernel/layout.ts";
import { BUILDS, type Build, type TestBed } from "../test-bed.ts";
import type { Question } from "../question.ts";

const ROUNDS = 4096;
const PREFIXES = 10_000;
const POLICY_PODS = 1000, POLICY_PREFIXES = 16;
const FLOWS = 100_000, CAPACITY = 131_072;

export function tableQuestions(bed: TestBed): Question[] {
  return [baseline(bed), prefixLookup(bed), policyLookup(bed), ...conntrack(bed)];
}

const asked = (name: string, parameters: string, run: (build: Build) => number): Question => ({
  name, parameters, operations: ROUNDS, builds: BUILDS, run: (build) => run(build === "ts" ? "ts" : "wasm"),
});

function baseline(bed: TestBed): Question {
  const random = new SeededRandom(1), words = bed.words(Array.from({ length: ROUNDS }, () => random.word()));
  return asked("baseline", "loop and one load", (build) => bed.loops(build).loopBaseline(words, ROUNDS));
}

function prefixLookup(bed: TestBed): Question {
  const random = new SeededRandom(2), record = bed.arena.take(64);
  const prefixes = Array.from({ length: PREFIXES }, () => ({ prefix: { address: random.word(), bits: 8 + random.below(25) }, value: record }));
  const table = writePrefixTable(bed.arena, prefixes);
  const addresses = bed.words(Array.from({ length: ROUNDS }, () => random.word()));
  return asked("prefix look-up", `${PREFIXES.toLocaleString("en-US")} prefixes`, (build) => bed.loops(build).loopPrefix(table, addresses, ROUNDS));
}

function policyLookup(bed: TestBed): Question {
  const random = new SeededRandom(3), firstPod = 0x0a000000;
  const destinations = Array.from({ length: POLICY_PREFIXES }, () => ({ address: random.word(), bits: 8 + random.below(17) }));
  const table = writePolicyTable(bed.arena, Array.from({ length: POLICY_PODS }, (_, pod) => destinations.map((destination) =>
    ({ source: firstPod + pod, destination, gatewayIp: 0xc0a80101, egressIp: 0xc0a80164, gatewayNode: 0, policy: 0, use: 0 }))).flat());
  const pairs = bed.words(Array.from({ length: ROUNDS }, () => {
    const { address } = destinations[random.below(POLICY_PREFIXES)] ?? { address: 0 };
    return [wireWord(firstPod + random.below(POLICY_PODS)), wireWord(address)];
  }).flat());
  return asked("policy look-up", `${POLICY_PODS.toLocaleString("en-US")} pods, ${POLICY_PREFIXES} prefixes each`, (build) => bed.loops(build).loopPolicy(table, pairs, ROUNDS));
}

function conntrack(bed: TestBed): Question[] {
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
    asked("conntrack find, hit", size, (build) => bed.loops(build).loopFind(table, hits, ROUNDS)),
    asked("conntrack find, miss", size, (build) => bed.loops(build).loopFind(table, misses, ROUNDS)),
    asked("conntrack insert and remove", size, (build) => bed.loops(build).loopInsertRemove(table, misses, ROUNDS)),
  ];
}
