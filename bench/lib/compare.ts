// Two results side by side: how many times as long, or as fast, B is as A. The spread is what the extremes of both would give.
import { readFileSync } from "node:fs";
import type { Spread } from "./median.ts";
import type { BenchResults } from "./results.ts";
import { table } from "./tables.ts";

interface Row {
  readonly what: string;
  readonly unit: "ns" | "packets/s";
  readonly spread: Spread;
}

export function readResults(path: string): BenchResults {
  const results = JSON.parse(readFileSync(path, "utf8")) as Partial<BenchResults> & { format: string };
  if (!results.format.startsWith("egwsim-bench/")) throw new Error(`${path} holds no results of this bench`);
  // Format 1 had single parts and replays only; up to 2 peers had no start and no ratio to the C loop.
  const known = { paths: [], peers: [], growth: [], memory: [], skipped: [], loadBefore: null, ...results } as unknown as BenchResults;
  return { ...known, peers: known.peers.map((each) => ({ ...{ packets: 0, rounds: 0, timesLoop: null, startSeconds: null }, ...each })) };
}

function rows({ micro, paths, replay, peers, growth }: BenchResults): Row[] {
  return [
    ...micro.map((each): Row => ({ what: `${each.name}, ${each.parameters}, ${each.build}`, unit: "ns", spread: each })),
    ...paths.map((each): Row => ({ what: `${each.path}, ${each.build}`, unit: "ns", spread: each.nanoseconds })),
    ...replay.map((each): Row => ({ what: `replay ${each.frames}, ${each.packets}, ${each.kernel}, ${each.workers} workers, ${each.write}`, unit: "packets/s", spread: each.packetsPerSecond })),
    ...peers.map((each): Row => ({ what: `${each.who}, ${each.frames}`, unit: "packets/s", spread: each.packetsPerSecond })),
    ...growth.map((each): Row => ({ what: `${each.curve} ${each.x}, ${each.path}`, unit: "ns", spread: each.nanoseconds })),
  ];
}

const three = (value: number): string => value.toPrecision(3);

/** Rows that both have; a ratio above 1 means longer for times, faster for rates. */
export function comparison(a: BenchResults, b: BenchResults): string {
  const before = new Map(rows(a).map((row) => [row.what, row]));
  const shared = rows(b).flatMap((row) => {
    const old = before.get(row.what);
    if (old === undefined) return [];
    const ratio = row.spread.median / old.spread.median, least = row.spread.min / old.spread.max, most = row.spread.max / old.spread.min;
    return [[row.what, row.unit, three(old.spread.median), three(row.spread.median), `${three(ratio)} (${three(least)}–${three(most)})`]];
  });
  const about = `A: ${a.commit}, ${a.date}, ${a.machine.cpu}, Node.js ${a.machine.node}\nB: ${b.commit}, ${b.date}, ${b.machine.cpu}, Node.js ${b.machine.node}\n`;
  return `${about}\n${table(["what", "unit", "A", "B", "B / A (of the extremes)"], shared)}\n\n${shared.length} rows in both; ${rows(a).length - shared.length} only in A, ${rows(b).length - shared.length} only in B\n`;
}
