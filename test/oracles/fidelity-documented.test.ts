// docs/fidelity.md claims no recording that does not exist, and forgets none.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FILES, recordings } from "../vectors/recorded-files.ts";
import { trafficOf } from "./recorded-traffic.ts";

const DOCUMENT = readFileSync(new URL("../../docs/fidelity.md", import.meta.url), "utf8");
const HOOKS = ["from_container", "to_netdev", "from_overlay", "from_netdev"] as const;

/** The rows of a hook's table: traffic, and the recordings named for it. */
function rowsOf(hook: string): Map<string, readonly string[]> {
  const section = DOCUMENT.split(`### ${hook}\n`)[1]?.split("\n##")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| ")).map((line) => line.split("|").map((cell) => cell.trim())).slice(1);
  return new Map(rows.map(([, traffic = "", , files = ""]) => [traffic, files.split(", ")]));
}

const recorded = new Map(HOOKS.map((hook) => [hook, new Map<string, Set<string>>()] as const));
for (const file of FILES) {
  for (const { recorded: { steps } } of recordings(file)) {
    for (const { hook, in_hex } of steps) {
      const kinds = recorded.get(hook.replace("_eth1", "") as typeof HOOKS[number]), kind = trafficOf(Buffer.from(in_hex, "hex"));
      kinds?.set(kind, (kinds.get(kind) ?? new Set()).add(file.replace(/\.jsonl(\.gz)?$/, "")));
    }
  }
}

describe.each(HOOKS)("the table of %s", (hook) => {
  it("names for each kind of traffic the recordings that hold it", () => {
    const rows = rowsOf(hook), kinds = recorded.get(hook) ?? new Map<string, Set<string>>();
    expect(kinds.size).toBeGreaterThan(5);
    expect([...rows.keys()].sort()).toEqual([...kinds.keys()].sort());
    for (const [traffic, files] of rows) expect([...files].sort(), traffic).toEqual([...kinds.get(traffic) ?? []].sort());
  });
});

it("names test files that exist", () => {
  const named = [...DOCUMENT.matchAll(/`(test\/[\w/.-]+\.test\.ts)`/g)].map(([, path = ""]) => path);
  expect(named.length).toBeGreaterThan(8);
  for (const path of named) expect(() => readFileSync(new URL(`../../${path}`, import.meta.url)), path).not.toThrow();
});
