// What a run may cost: time for the small ones, memory for the big ones.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { runGenerate } from "../../src/generate/generate.ts";
import { Scratch, UNBUILT } from "./replayed.ts";

const scratch = new Scratch();
afterAll(() => scratch.remove());

const MAIN = fileURLToPath(new URL("../../dist/bin/main.js", import.meta.url));
/** Prints the process's peak in KiB when it ends; worker threads load it too and see the same process. */
const PEAK = `data:text/javascript,process.on("exit",()=>process.stderr.write("peak "+process.resourceUsage().maxRSS+" KiB\\n"))`;
/** Runs at most, where none of them kept to its limit: other tests run beside this one. */
const MOST_RUNS = 15;
/** Node's own bare start takes 40 ms on an idle machine of today; where it takes longer, everything does. */
const BARE_START_MS = 40;

function milliseconds(args: readonly string[]): number {
  const start = performance.now(), { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const took = performance.now() - start;
  expect([0, 1], stderr).toContain(status);
  return took;
}

/** Expects one of some runs to take less than `limit` ms, stretched as Node's bare start is just before it: load comes and goes. */
function expectBelow(limit: (bare: number) => number, args: readonly string[]): void {
  const rounds: { readonly took: number; readonly allowed: number; readonly bare: number }[] = [];
  do {
    const bare = milliseconds(["-e", "0"]);
    rounds.push({ took: milliseconds(args), allowed: limit(bare), bare });
  } while (rounds.length < MOST_RUNS && rounds.every(({ took, allowed }) => took >= allowed));
  const best = rounds.reduce((one, other) => (other.took / other.allowed < one.took / one.allowed ? other : one));
  expect(best.took, `Node's bare start took ${best.bare.toFixed(0)} ms`).toBeLessThan(best.allowed);
}

const stretched = (bare: number): number => Math.max(1, bare / BARE_START_MS);

function peakMiB(args: readonly string[]): number {
  const { status, stderr } = spawnSync(process.execPath, ["--import", PEAK, MAIN, ...args], { encoding: "utf8" });
  expect([0, 1], stderr).toContain(status);
  const peaks = [...stderr.matchAll(/peak (\d+) KiB/g)].map(([, kib]) => Number(kib) / 1024);
  expect(peaks.length).toBeGreaterThan(0);
  return Math.max(...peaks);
}

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "the cost" : `the cost (skipped: ${UNBUILT})`, { timeout: 60_000 }, () => {
  it("of a thousand packets is less than half a second, start-up and all files included", async () => {
    const { capture, cluster } = await runGenerate({ out: scratch.place(), packets: 1000, flows: 50, pods: 10, nodes: 3, gateways: 1 });
    expectBelow((bare) => 500 * stretched(bare), [MAIN, "replay", capture, "--cluster", cluster, "--out", scratch.place(), "--force"]);
  });

  it("of --help is less than a tenth of a second beyond Node's own start", () => {
    expectBelow((bare) => bare + 100 * stretched(bare), [MAIN, "--help"]);
  });

  it("in memory does not grow with the capture", async () => {
    const settings = { flows: 2000, frameSize: 64, seed: 3 } as const;
    const small = await runGenerate({ out: scratch.place(), packets: 200_000, ...settings });
    const large = await runGenerate({ out: scratch.place(), packets: 1_000_000, ...settings });
    expect(statSync(large.capture).size).toBeGreaterThan(4.9 * statSync(small.capture).size);
    const peaks = [small, large].map(({ capture, cluster }) => peakMiB(["replay", capture, "--cluster", cluster, "--workers", "2", "--out", scratch.place(), "--force", "--write", "external,flows"]));
    expect(Math.abs((peaks[1] ?? 0) - (peaks[0] ?? 0))).toBeLessThan(60);
    expect(Math.max(...peaks)).toBeLessThan(250);
  });
});
