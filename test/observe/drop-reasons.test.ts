import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { DROP_REASONS, dropReason } from "../../src/observe/drop-reasons.ts";

const FACTS = fileURLToPath(new URL("../../../shared/docs/cilium-egress-facts.md", import.meta.url));

test("every number from 130 to 205 has one text and one name", () => {
  expect([...DROP_REASONS.keys()]).toEqual(Array.from({ length: 76 }, (_, index) => 130 + index));
  expect(new Set([...DROP_REASONS.values()].map((reason) => reason.text)).size).toBe(76);
  for (const reason of DROP_REASONS.values()) expect(reason.name).toMatch(/^[A-Z][A-Z0-9_]+$/);
});

test("a number that Cilium does not know is printed as it is", () => {
  expect(dropReason(250)).toEqual({ code: 250, text: "250", name: "DROP_REASON_UNKNOWN" });
});

test.skipIf(!existsSync(FACTS))("the table is that of the fact sheet, line by line (skipped: no folder ../shared)", () => {
  const section = readFileSync(FACTS, "utf8").split("### 2.11")[1]?.split("```")[1] ?? "";
  const rows = section.split("\n").filter((line) => /^\d{3} /.test(line));
  expect(rows).toHaveLength(75);
  for (const row of rows) {
    const { code, text, name } = dropReason(Number(row.slice(0, 3)));
    expect(row.replace(/ \((deprecated|names disagree.*)\)$/, "").replace(/ +/g, " ").trim()).toBe(`${code} ${text} ${name}`);
  }
});
