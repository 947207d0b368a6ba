import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ASSUMPTION_RULES } from "../../src/control/assumptions.ts";

const page = readFileSync(new URL("../../docs/cluster-model.md", import.meta.url), "utf8");

function findingRules(): readonly string[] {
  const rules = new Set<string>();
  for (const folder of ["cluster", "control"]) {
    const path = fileURLToPath(new URL(`../../src/${folder}`, import.meta.url));
    for (const file of readdirSync(path, { recursive: true, encoding: "utf8" }).filter((each) => each.endsWith(".ts"))) {
      const text = readFileSync(new URL(`../../src/${folder}/${file}`, import.meta.url), "utf8");
      for (const [, rule] of text.matchAll(/\brule: "([a-z0-9-]+)"/g)) if (rule !== undefined) rules.add(rule);
    }
  }
  return [...rules];
}

describe("docs/cluster-model.md", () => {
  it.each(Object.keys(ASSUMPTION_RULES))("explains the assumption %s", (rule) => {
    expect(page).toContain(`| \`${rule}\` |`);
  });

  it("explains every finding", () => {
    const rules = findingRules();
    expect(rules.length).toBeGreaterThan(20);
    expect(rules.filter((rule) => !page.includes(`\`${rule}\``))).toEqual([]);
  });
});
