import type { Tally } from "./run-result.ts";

export const NO_TALLY: Tally = { packets: 0, bytes: 0 };

export function addTally(a: Tally, b: Tally): Tally {
  return { packets: a.packets + b.packets, bytes: a.bytes + b.bytes };
}

export function sumTallies(tallies: Iterable<Tally>): Tally {
  let packets = 0, bytes = 0;
  for (const tally of tallies) {
    packets += tally.packets;
    bytes += tally.bytes;
  }
  return { packets, bytes };
}
