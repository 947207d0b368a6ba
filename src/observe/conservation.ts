import type { RunResult } from "./run-result.ts";
import { sumTallies } from "./tally-sum.ts";

/** Every way in which the counters of a run fail to add up, as sentences; none in a sound run. */
export function brokenSums(result: RunResult): string[] {
  const outcomes = [result.forwarded, result.delivered, result.passed, result.dropped, result.ignored];
  const pairs: readonly (readonly [what: string, total: number, parts: number])[] = [
    ["received packets and the five outcomes", result.received.packets, sumTallies(outcomes).packets],
    ["received bytes and the five outcomes", result.received.bytes, sumTallies(outcomes).bytes],
    ["packets of all captures and received", sumTallies(result.captures).packets, result.received.packets],
    ["dropped packets and their reasons", result.dropped.packets, sumTallies(result.drops).packets],
    ["ignored packets and their reasons", result.ignored.packets, sumTallies(result.ignoredBy).packets],
    ["passed packets and their hooks", result.passed.packets, sumTallies(result.passes).packets],
  ];
  return pairs.filter(([, total, parts]) => total !== parts).map(([what, total, parts]) => `${what}: ${total} is not ${parts}`);
}
