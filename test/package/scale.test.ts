// docs/scale.md holds the latest figures that were measured, and none that somebody typed.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { aboutCompile, type CompileResults } from "../../bench/lib/results.ts";
import { compileTable } from "../../bench/lib/tables.ts";

const folder = new URL("../../bench/results/compile/", import.meta.url);
const page = readFileSync(new URL("../../docs/scale.md", import.meta.url), "utf8");
const results = JSON.parse(readFileSync(new URL(readdirSync(folder).filter((name) => name.endsWith(".json")).sort().at(-1) ?? "", folder), "utf8")) as CompileResults;

test("the table is that of the latest results", () => {
  expect(page).toContain(`${aboutCompile(results)}\n\n${compileTable(results.compile)}\n`);
});

test("the largest cluster compiles in less than a gigabyte, and the default map overflows there", () => {
  const largest = results.compile.filter(({ pods, policies }) => pods === 50_000 && policies === 1_000);
  expect(largest.map(({ command }) => command)).toEqual(["status", "bpf egress list", "bpf ipcache list", "endpoint list", "get cegp", "explain", "status"]);
  for (const { command, peakBytes } of largest) expect(peakBytes, command).toBeLessThan(2 ** 30);
  expect(largest.map(({ mapMax, lost }) => mapMax === null && lost > 0)).toEqual([false, false, false, false, false, false, true]);
});
