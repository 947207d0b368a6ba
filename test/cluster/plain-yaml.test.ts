import fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import type { PathSegment, SourceDocument } from "../../src/cluster/origin.ts";
import { plainYamlDocuments } from "../../src/cluster/plain-yaml-document.ts";
import { yamlDocuments } from "../../src/cluster/yaml-document.ts";

const FILE = "f.yaml";

/** Every path of a value, the value's own first. */
function* pathsOf(value: unknown, path: readonly PathSegment[] = []): Generator<readonly PathSegment[]> {
  yield path;
  if (typeof value !== "object" || value === null) return;
  const keys: readonly PathSegment[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  for (const key of keys) yield* pathsOf((value as Record<PathSegment, unknown>)[key], [...path, key]);
}

function expectSame(text: string, plain: readonly SourceDocument[]): void {
  const { documents, problems } = yamlDocuments(FILE, text);
  expect({ text, problems }).toEqual({ text, problems: [] });
  expect({ text, values: plain.map(({ value }) => value) }).toEqual({ text, values: documents.map(({ value }) => value) });
  for (const [number, document] of documents.entries()) {
    for (const path of pathsOf(document.value)) {
      for (const atKey of [false, true]) {
        expect({ text, path, atKey, at: plain[number]?.locate(path, atKey) }).toEqual({ text, path, atKey, at: document.locate(path, atKey) });
      }
    }
  }
}

const SCALARS = [
  "web", "10.0.0.0/8", "1", "-0", "007", "1.50", "1.", ".5", "1e3", "0x1f", "0o17", "12345678901234567890", "1_000", "true", "True", "no", "null", "~", "NULL",
  ".inf", ".nan", "a: b", "a:b", "a:", "a #b", "a#b", "'it''s'", '"x\\ny"', '"x"', "'a' # c", "v # c", "{}", "[]", "{} # c", "[1]", "{a: 1}", "|", "|-", ">", "&a x", "*a", "!!str 1",
  "2024-01-01", "02:00:ac:10:00:0a", "fd00::1/64", "::1", "- x", "-x", "? x", "---", "%x", "@x", "`x", "\"a", "'a", "x  ", "é", "<<", "=", "(a)", "a, b", "a]", "-", ":", "?",
];
const KEYS = ["a", "b", "app", "kubernetes.io/name", '"quoted"', "'single'", "true", "null", "1", "x y", "k8s:app", "<<", "__proto__", "-k", "a"];
const scalar = fc.constantFrom(...SCALARS);
const key = fc.constantFrom(...KEYS);
const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(key, scalar).map(([k, v]) => `${k}: ${v}`) },
  { weight: 4, arbitrary: key.map((k) => `${k}:`) },
  { weight: 3, arbitrary: fc.tuple(key, scalar).map(([k, v]) => `- ${k}: ${v}`) },
  { weight: 2, arbitrary: scalar.map((v) => `- ${v}`) },
  { weight: 1, arbitrary: fc.constantFrom("-", "- - x", "-   a: 1", "# comment", "", "   ", "---", "--- # c", "...", "text", "- - a: 1", "- # c", "a: |", "b: |-", "- |", "a :", "--- a: 1") },
);
const text = fc.tuple(
  fc.array(fc.tuple(fc.constantFrom(0, 0, 0, 0, 2, 2, 2, 4, 4, 1, 3, 6), line), { minLength: 1, maxLength: 9 }), fc.boolean(),
).map(([lines, ended]) => lines.map(([indent, content]) => " ".repeat(indent) + content).join("\n") + (ended ? "\n" : ""));

describe("the reader of plain YAML", () => {
  it("gives the yaml package's values and places, or refuses", () => {
    let read = 0;
    fc.assert(fc.property(text, (yaml) => {
      const plain = plainYamlDocuments(FILE, yaml);
      if (plain === null) return;
      read++;
      expectSame(yaml, plain);
    }), { numRuns: 20_000 });
    expect(read).toBeGreaterThan(500);
  });

  it("reads most of what the yaml package prints without folding", () => {
    const word = fc.string({ unit: fc.constantFrom(..."abzAZ019 .:/#-_'\"\n{,é"), maxLength: 8 });
    const manifest = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, word, fc.integer(), fc.boolean(), fc.constant(null), fc.array(tie("value"), { maxLength: 3 }), tie("object")),
      object: fc.dictionary(fc.stringMatching(/^[a-z]{1,2}[a-z0-9.:\/-]{0,3}[a-z0-9]$/), tie("value"), { maxKeys: 4 }),
    })).object;
    let read = 0;
    let printed = 0;
    fc.assert(fc.property(fc.array(manifest, { maxLength: 3 }), fc.boolean(), (manifests, indentSeq) => {
      const yaml = manifests.map((each) => stringify(each, { lineWidth: 0, indentSeq })).join("---\n");
      const plain = plainYamlDocuments(FILE, yaml);
      printed++;
      if (plain === null) return;
      read++;
      expectSame(yaml, plain);
    }), { numRuns: 3000 });
    expect(read / printed).toBeGreaterThan(0.5);
  });

  it("reads what kubectl prints, and gives the yaml package's values and places", () => {
    const folder = "fixtures/cluster";
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
    expect(files.length).toBeGreaterThan(8);
    for (const name of files) {
      const yaml = readFileSync(join(folder, name), "utf8");
      const plain = plainYamlDocuments(FILE, yaml);
      expect({ name, plain: plain !== null }).toEqual({ name, plain: true });
      expectSame(yaml, plain ?? []);
    }
  });

  it("finds the same places in a text too large to keep them", () => {
    const shape = "apiVersion: v1\nitems:\n- a:\n    b:\n    - 1\n    - 2\n  c: 3\n-   d: |\n      text\n    e:\n- - 1\n  - f: 4\nkind: List\n---\n- x: 1\n- y:\n  - 2\n";
    const padding = `${"# padding".padEnd(99, ".")}\n`.repeat(11_000);
    const small = plainYamlDocuments(FILE, shape) ?? [];
    const large = plainYamlDocuments(FILE, padding + shape) ?? [];
    expect(small).toHaveLength(2);
    for (const [number, { value, locate }] of small.entries()) {
      for (const path of [...pathsOf(value), ["missing"], ["items", 7], ["items", 0, "missing"]]) {
        for (const atKey of [false, true]) {
          const at = locate(path, atKey);
          expect({ path, atKey, at: large[number]?.locate(path, atKey) }).toEqual({ path, atKey, at: { ...at, line: at.line + 11_000 } });
        }
      }
    }
  });

  it.each([
    ["a tab", "a:\n\tb: 1\n"],
    ["a key given twice", "a: 1\na: 2\n"],
    ["a key that is no string", "1: a\n"],
    ["text that goes on below", "a: one\n  two\n"],
    ["an anchor", "a: &x 1\nb: *x\n"],
    ["a flow collection", "a: [1, 2]\n"],
    ["folded text", "a: >\n  b\n"],
    ["a carriage return", "a: 1\r\nb: 2\r\n"],
    ["nesting without end", "- ".repeat(100_000)],
  ])("refuses %s", (_, yaml) => {
    expect(plainYamlDocuments(FILE, yaml)).toBeNull();
  });
});
