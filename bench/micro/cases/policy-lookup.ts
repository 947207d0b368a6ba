// The egress policy of a packet: a hash of the pod's address, then the prefixes that its policies share.
import { wireWord } from "../../../src/engine/image/arena.ts";
import { writePolicyTable } from "../../../src/engine/image/policy-image.ts";
import { SeededRandom } from "../../../src/generate/random.ts";
import { ofBuilds, type Question, ROUNDS } from "../question.ts";
import type { TestBed } from "../test-bed.ts";

const POLICY_PODS = 1000, POLICY_PREFIXES = 16;

export function policyLookup(bed: TestBed): Question {
  const random = new SeededRandom(3), firstPod = 0x0a000000;
  const destinations = Array.from({ length: POLICY_PREFIXES }, () => ({ address: random.word(), bits: 8 + random.below(17) }));
  const table = writePolicyTable(bed.arena, Array.from({ length: POLICY_PODS }, (_, pod) => destinations.map((destination) =>
    ({ source: firstPod + pod, destination, gatewayIp: 0xc0a80101, egressIp: 0xc0a80164, gatewayNode: 0, policy: 0, use: 0 }))).flat());
  const pairs = bed.words(Array.from({ length: ROUNDS }, () => {
    const { address } = destinations[random.below(POLICY_PREFIXES)] ?? { address: 0 };
    return [wireWord(firstPod + random.below(POLICY_PODS)), wireWord(address)];
  }).flat());
  const size = `${POLICY_PODS.toLocaleString("en-US")} pods, ${POLICY_PREFIXES} prefixes each`;
  return ofBuilds("policy look-up", size, (build) => bed.loops(build).loopPolicy(table, pairs, ROUNDS));
}
