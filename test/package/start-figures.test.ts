// The README holds the latest figures of a start that were measured, and none that somebody typed.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { aboutStart, startTable, type StartResults } from "../../bench/start/figures.ts";

const folder = new URL("../../bench/results/start/", import.meta.url);
const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const results = JSON.parse(readFileSync(new URL(readdirSync(folder).filter((name) => name.endsWith(".json")).sort().at(-1) ?? "", folder), "utf8")) as StartResults;

test("the table is that of the latest results", () => {
  expect(readme).toContain(`${aboutStart(results)}\n\n${startTable(results.start)}\n`);
});

test("--help takes less than a tenth of a second and a thousand packets less than half of one, Node's own start included, in the best round", () => {
  const [, help, replay] = results.start.map(({ milliseconds }) => milliseconds.min);
  expect(help).toBeLessThan(100);
  expect(replay).toBeLessThan(500);
});
