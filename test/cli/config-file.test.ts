import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseConfig } from "../../src/cli/config-document.ts";
import { loadConfigFile } from "../../src/cli/config-file.ts";
import { failureOf, failureText } from "../../src/cli/failure.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "egwsim-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function faultOf(text: string): string {
  try {
    parseConfig(text, "egwsim.config.yaml", "");
  } catch (error) {
    return failureText(failureOf(error), false);
  }
  return "";
}

test("names, lists, numbers and flags are read with the place where they stand", () => {
  const settings = parseConfig("cluster: [./a, ./b]\nworkers: 2\nquiet: true\nforce: false\n", "c.yaml", "");
  expect(settings.get("cluster")).toEqual({ value: ["./a", "./b"], subject: "cluster", at: { file: "c.yaml", line: 1, column: 10 } });
  expect(settings.get("workers")?.value).toEqual(["2"]);
  expect(settings.get("quiet")?.value).toBe(true);
  expect(settings.has("force")).toBe(false);
});

test("an unknown key is an error with line and column and the key that was probably meant", () => {
  expect(faultOf("workers: 2\nworkrs: 3\n")).toMatchInlineSnapshot(`
    "egwsim: cannot run this
      egwsim.config.yaml:2:1: "workrs" is no option of egwsim replay
        did you mean workers?
    \`egwsim replay --help\` lists the options and what they take.
    "
  `);
  expect(faultOf("config: other.yaml\n")).toContain('egwsim.config.yaml:1:1: "config" is no option');
});

test.each([
  ["workers: [1, 2]\n", "egwsim.config.yaml:1:10: workers: one value is wanted, not a list"],
  ["quiet: yes please\n", "egwsim.config.yaml:1:8: quiet: true or false is wanted"],
  ["out: {a: 1}\n", "egwsim.config.yaml:1:6: out: a text or a number is wanted"],
  ["cluster: [a, [b]]\n", "egwsim.config.yaml:1:10: cluster: a list of texts is wanted"],
  ["- cluster\n", "egwsim.config.yaml:1:1: a defaults file is a mapping"],
  ["out: a\nout: b\n", "egwsim.config.yaml:2:1:"],
  ["out: 'a\n", "egwsim.config.yaml:"],
  ["out: *nowhere\n", "egwsim.config.yaml:1:"],
])("%j is refused with its place", (text, expected) => {
  expect(faultOf(text)).toContain(expected);
});

test("an empty file and a missing one give no settings, a missing one that was named is an error", async () => {
  expect(parseConfig("# nothing yet\n", "c.yaml", "").size).toBe(0);
  expect((await loadConfigFile(null, folder)).size).toBe(0);
  await expect(loadConfigFile("other.yaml", folder)).rejects.toThrow("other.yaml: there is no such file");
});

test("paths in it are relative to it, not to the working folder", async () => {
  mkdirSync(join(folder, "conf"));
  writeFileSync(join(folder, "conf", "c.yaml"), `cluster: [models, ${JSON.stringify(join(folder, "abs"))}]\nout: result\nsemantics: intent\n`);
  const settings = await loadConfigFile(join("conf", "c.yaml"), folder);
  expect(settings.get("cluster")?.value).toEqual([join("conf", "models"), join(folder, "abs")]);
  expect(settings.get("out")?.value).toEqual([join("conf", "result")]);
  expect(settings.get("semantics")?.value).toEqual(["intent"]);
  writeFileSync(join(folder, "egwsim.config.yaml"), "cluster: models\n");
  expect((await loadConfigFile(null, folder)).get("cluster")?.value).toEqual(["models"]);
});
