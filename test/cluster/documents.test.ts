import { describe, expect, it } from "vitest";
import { jsonDocument } from "../../src/cluster/json-document.ts";
import { formatPath } from "../../src/cluster/origin.ts";
import { yamlDocuments, yamlValue } from "../../src/cluster/yaml-document.ts";

describe("places in documents", () => {
  const yaml = "# first\na: 1\n---\nitems:\n  - name: x\n    labels:\n      app: web\n  - name: y\n";

  it("finds values and keys of the second YAML document", () => {
    const [, second] = yamlDocuments("f.yaml", yaml).documents;
    expect(second?.locate(["items", 0, "labels", "app"])).toEqual({ file: "f.yaml", line: 7, column: 12 });
    expect(second?.locate(["items", 0, "labels", "app"], true)).toEqual({ file: "f.yaml", line: 7, column: 7 });
    expect(second?.locate(["items", 1])).toEqual({ file: "f.yaml", line: 8, column: 5 });
  });

  it("points at the nearest ancestor of what is missing", () => {
    const [, second] = yamlDocuments("f.yaml", yaml).documents;
    expect(second?.locate(["items", 1, "labels", "app"])).toEqual({ file: "f.yaml", line: 8, column: 5 });
  });

  it("finds the same places in a text too large to keep its syntax trees", () => {
    const shapes = [
      yaml,
      "apiVersion: v1\nitems:\n- a: {b: [1, 2]}\n  c:\n    d: |\n      text\n    e: 1\n- a: 2\nkind: List\n",
      "- x: 1\n  y:\n  - 2\n  - z: 3\n-   x: 4\n    y: 5\n",
      "{items: [{a: 1}, {b: {c: 2}}], kind: List}\n",
    ];
    const paths = [
      [], ["kind"], ["items"], ["items", 0, "labels", "app"], ["items", 1, "name"], ["items", 0, "a", "b", 1], ["items", 0, "c", "e"],
      ["items", 1, "b", "c"], [0, "y", 1, "z"], [1, "y"], [1, "missing"], ["missing"],
    ];
    const padding = `${"# padding".padEnd(99, ".")}\n`.repeat(11_000);
    for (const shape of shapes) {
      const large = yamlDocuments("f.yaml", padding + shape).documents;
      expect(padding.length).toBeGreaterThan(1 << 20);
      for (const [index, small] of yamlDocuments("f.yaml", shape).documents.entries()) {
        for (const path of paths) {
          for (const atKey of [false, true]) {
            const { line, column } = small.locate(path, atKey);
            expect({ shape, path, at: large[index]?.locate(path, atKey) }).toEqual({ shape, path, at: { file: "f.yaml", line: line + 11_000, column } });
          }
        }
      }
    }
  });

  it("finds values and keys in JSON, however it is laid out", () => {
    const text = '{ "a\\"b": [1, {"c": "}]"}],\n  "d": {"e": [ ],\n "f": null}, "g": -1.5e3}';
    const document = jsonDocument("f.json", text, JSON.parse(text));
    expect(document.locate(['a"b', 1, "c"])).toEqual({ file: "f.json", line: 1, column: 21 });
    expect(document.locate(["d", "f"])).toEqual({ file: "f.json", line: 3, column: 7 });
    expect(document.locate(["g"], true)).toEqual({ file: "f.json", line: 3, column: 14 });
    expect(document.locate(["d", "missing"])).toEqual({ file: "f.json", line: 2, column: 8 });
  });

  it("says where YAML is broken", () => {
    const { documents, problems } = yamlDocuments("f.yaml", "a: 1\n---\nb: [1, 2\nc: 3\n");
    expect(documents).toHaveLength(1);
    expect(problems[0]?.at?.line).toBeGreaterThanOrEqual(3);
    expect(problems[0]?.message).toContain("broken YAML");
  });

  it("refuses a key that comes twice", () => {
    const { problems } = yamlDocuments("f.yaml", "a: 1\nb: 2\na: 3\n");
    expect(problems.map(({ at }) => at?.line)).toEqual([3]);
  });

  it("stops an alias bomb", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 9; level++) lines.push(`a${level}: &a${level} [${Array(10).fill(`*a${level - 1}`).join(", ")}]`);
    const { documents, problems } = yamlDocuments("bomb.yaml", lines.join("\n"));
    expect(documents).toHaveLength(0);
    expect(problems[0]?.message).toContain("YAML aliases");
  });

  it("reads a text inside a manifest, or says what is wrong with it", () => {
    expect(yamlValue("a: [1, 2]")).toEqual({ value: { a: [1, 2] }, fault: null });
    expect(yamlValue("a: [1, 2").fault).not.toBeNull();
    expect(yamlValue("")).toEqual({ value: null, fault: null });
  });

  it("writes paths as one would type them", () => {
    expect(formatPath(["spec", "selectors", 0, "matchLabels", "app.kubernetes.io/name"])).toBe(
      'spec.selectors[0].matchLabels["app.kubernetes.io/name"]',
    );
  });
});
