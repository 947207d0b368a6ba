// docs/cilium-facts.md names a test or a recorded case for each fact: they exist.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { recordings } from "../vectors/recorded-files.ts";

const page = readFileSync(new URL("../../docs/cilium-facts.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| (\d[\d.]*) \| (.+) \| (.+?) \|$/gm)].map(([, fact = "", , holder = ""]) => ({ fact, holder }));
const holders = rows.map(({ holder }) => holder);

const isNamed = (file: string, title: string): boolean => {
  const text = readFileSync(new URL(`../${file}.test.ts`, import.meta.url), "utf8");
  return [`"${title}"`, `'${title}'`, `\`${title}\``].some((quoted) => text.includes(quoted));
};

describe("docs/cilium-facts.md", () => {
  it("has every part of the three sections", () => {
    const facts = new Set(rows.map(({ fact }) => fact));
    for (let part = 1; part <= 13; part++) expect(facts.has(`1.${part}`), `1.${part}`).toBe(true);
    for (let part = 1; part <= 8; part++) expect(facts.has(`3.${part}`), `3.${part}`).toBe(true);
    for (let part = 1; part <= 3; part++) expect(facts.has(`4.${part}`), `4.${part}`).toBe(true);
  });

  it.each(holders.filter((holder) => /^(control|cluster|inspect)\//.test(holder)))("names a test that there is: %s", (holder) => {
    const [, file = "", title = ""] = /^(\S+): (.+)$/.exec(holder) ?? [];
    expect(isNamed(file, title), holder).toBe(true);
  });

  it.each(holders.filter((holder) => holder.startsWith("vectors ")))("names a recorded case that there is: %s", (holder) => {
    const [, file = "", name = ""] = /^vectors (\S+): (\S+)$/.exec(holder) ?? [];
    expect([...recordings(file)].some(({ recorded }) => recorded.name === name)).toBe(true);
  });

  it("has no other kind of row but what is not modelled", () => {
    const others = holders.filter((holder) => !/^(control|cluster|inspect)\/|^vectors /.test(holder));
    expect(others).toEqual(["not modelled: a model has no time ([limits.md](limits.md))"]);
  });
});
