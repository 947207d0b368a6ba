import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const FILES = ["src/kernel", "src/kernel/pipeline"].flatMap((folder) => readdirSync(folder).filter((name) => name.startsWith("layout")).map((name) => join(folder, name)));

/** Structures whose fields are spread over several files, by the prefix of their offsets. Records of other kinds lie in one file. */
const SPREAD = [/^P_/, /^N_/, /^EP_/, /^S_/, /^F6?_/];
/** Bytes of the flow record's fields (all others have 4); what IPv6 adds lies behind those of IPv4. */
const FLOW_BYTES: ReadonlyMap<string, number> = new Map([
  ...["F_LAST", "F_FWD_PACKETS", "F_FWD_BYTES", "F_REPLY_PACKETS", "F_REPLY_BYTES", "F_FIRST", "F_DROP_PACKETS", "F_DROP_BYTES", "F_FIRST_DROP"].map((name) => [name, 8] as const),
  ["F6_NAT_ADDR", 16], ["F6_BACKEND", 16], ["F6_TAIL", 32],
]);
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

  it("give every field of a flow record its own bytes, IPv6's behind IPv4's", () => {
    const fields = offsets.filter(({ name }) => /^F6?_/.test(name) && !NO_FIELD.test(name)).map(({ name, offset }) => ({ name, offset, end: offset + (FLOW_BYTES.get(name) ?? 4) }));
    const size = (name: string): number => offsets.find((each) => each.name === name)?.offset ?? 0;
    fields.sort((a, b) => a.offset - b.offset);
    expect(fields.length).toBeGreaterThan(FLOW_BYTES.size);
    for (const [k, { name, offset }] of fields.entries()) expect(offset, name).toBeGreaterThanOrEqual(fields[k - 1]?.end ?? 0);
    expect(Math.max(...fields.filter(({ name }) => name.startsWith("F_")).map(({ end }) => end))).toBeLessThanOrEqual(size("F_STRIDE"));
    expect(Math.max(...fields.map(({ end }) => end))).toBeLessThanOrEqual(size("F6_STRIDE"));
  });

  it("find the fields", () => {
    for (const prefix of ["P_", "N_", "S_"]) expect(new Set(offsets.filter(({ name }) => name.startsWith(prefix)).map(({ file }) => file)).size).toBeGreaterThan(1);
  });
});
