import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { pathOf } from "./recorded-files.ts";

const MAIN = fileURLToPath(new URL("../../dist/vectors/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "vectors-"));
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
  return { status, out: stdout, err: stderr };
}

describe.skipIf(!existsSync(MAIN))("npm run vectors (skipped unless built: npm run build)", () => {
  test.each(["ts", "wasm"])("ends with the counts and succeeds where all agrees, on the kernel %s", (kernel) => {
    const { status, out } = run(pathOf("udp.jsonl"), pathOf("icmp.jsonl"), "--kernel", kernel);
    expect(out.trimEnd().split("\n").at(-1)).toBe("9 cases, 42 steps, 42 passed, 0 failed, 0 skipped");
    expect(out).toMatch(/compared verdict 42, .*frame 39, .*conntrack [1-9][0-9]*, nat [1-9][0-9]*/);
    expect(status).toBe(0);
  });

  test("fails where a recording differs, and names step, field and both values", () => {
    const file = join(folder, "wrong.jsonl");
    writeFileSync(file, readFileSync(pathOf("udp.jsonl"), "utf8").replace('"out_mark": "0x4e210f00"', '"out_mark": "0x4e210f01"'));
    const { status, out } = run(file);
    expect(status).toBe(1);
    expect(out).toContain("step 1 (src from_container)\n  mark: out_mark\n    recorded 0x4e210f01\n    ours     0x4e210f00\n");
    expect(JSON.parse(run(file, "--json").out)).toMatchObject({ cases: 4, steps: 20, passed: 19, failed: 1, failures: [{ number: 1, hook: "from_container" }] });
  });

  test("tells what is wrong with the command line or a file, and ends with 2", () => {
    expect(run()).toMatchObject({ status: 2, out: "" });
    expect(run("x", "--kernel", "c").err).toContain('--kernel takes ts or wasm, not "c"');
    expect(run(join(folder, "none.jsonl"))).toMatchObject({ status: 2, err: expect.stringContaining("cannot be read") });
  });
});
