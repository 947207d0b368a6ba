import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const FILES = ["src/kernel", "src/kernel/pipeline"].flatMap((folder) => readdirSync(folder).filter((name) => name.startsWith("layout")).map((name) => join(folder, name)));

/** Structures whose fields are spread over several files, by the prefix of their offsets. Records of other kinds lie in one file. */
const SPREAD = [/^P_/, /^N_/, /^EP_/, /^S_/, /^F6?_/];
/** Sizes and ends, which are no fields. */
const NO_FIELD = /_(SIZE|ROOM|STRIDE|END|TAIL)$/;

describe("the layout files", () => {
  const offsets = FILES.flatMap((file) => [...readFileSync(file, "utf8").matchAll(/^export const ([A-Z][A-Z0-9]*_[A-Z0-9_]*): i32 = (\d+);/gm)]
    .map(([, name = "", offset = ""]) => ({ file, name, offset: Number(offset) })));

  it.each(SPREAD)("give no two fields of %s the same offset", (prefix) => {
    const fields = offsets.filter(({ name }) => prefix.test(name) && !NO_FIELD.test(name));
    const shared = fields.filter(({ name, offset }) => fields.some((other) => other.offset === offset && other.name !== name));
    expect(shared).toEqual([]);
  });

  it("find the fields", () => {
    for (const prefix of ["P_", "N_", "S_"]) expect(new Set(offsets.filter(({ name }) => name.startsWith(prefix)).map(({ file }) => file)).size).toBeGreaterThan(1);
  });
});
