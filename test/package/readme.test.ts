import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const isBuilt = existsSync(join(root, "dist/bin/main.js"));
const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];
const textOf = (page: string): string => readFileSync(join(root, page), "utf8");
const node = (...args: string[]): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } => spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });

describe("the pages beside the code", () => {
  test.each(pages)("%s links to nothing that is not there", (page) => {
    const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target).filter((target) => !/^(https?:|#)/.test(target));
    expect(links.filter((target) => !existsSync(resolve(root, dirname(page), target.replace(/#.*$/, ""))))).toEqual([]);
  });

  test("architecture.md names files and folders of src that are there", () => {
    const named = [...textOf("docs/architecture.md").matchAll(/`((?:cli|cluster|control|kernel|engine|io|observe)\/[\w./-]+\.ts)`/g)].map(([, path = ""]) => path);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((path) => !existsSync(join(root, "src", path)))).toEqual([]);
    const folders = readdirSync(join(root, "src")).filter((name) => statSync(join(root, "src", name)).isDirectory());
    expect(folders.filter((name) => !textOf("docs/architecture.md").includes(`\`src/${name}\``))).toEqual([]);
  });

  test("the README's commands begin with the install, and each npm script they call exists", () => {
    const commands = node("scripts/readme-commands.mjs").stdout.trim().split("\n").map((line) => line.split("\t")[1] ?? "");
    expect(commands[0]).toBe("npm ci");
    const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
    const called = [...textOf("README.md").concat(textOf("CONTRIBUTING.md")).matchAll(/npm run ([\w-]+)/g)].map(([, name = ""]) => name);
    expect(called.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  test("the README has every exit code that the help has", () => {
    const help = readFileSync(join(root, "src/cli/exit-code.ts"), "utf8");
    const codes = [...help.matchAll(/^ {2}(\d) {2}/gm)].map(([, code]) => code);
    expect(codes).toEqual(["0", "1", "2", "3"]);
    expect([...textOf("README.md").matchAll(/^\| (\d) \|/gm)].map(([, code]) => code)).toEqual(codes);
  });

  test.skipIf(!isBuilt)("the README shows what the program prints (skipped unless built: npm run build)", () => {
    const { status, stderr } = node("scripts/readme-screen.mjs", "--check");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});
