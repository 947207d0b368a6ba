// What a short run loads, and that the code caches change nothing but its time. Counts, which no busy machine stretches.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "dist", "bin");
const REPLAY = ["replay", join(ROOT, "fixtures/captures"), "--cluster", join(ROOT, "fixtures/cluster"), "--format", "json"];
const UNBUILT = existsSync(join(BIN, "main.js")) ? "" : "npm run build has not run";

/** Node's own modules that take milliseconds and that a start can do without. */
const SLOW_TO_LOAD = ["child_process", "crypto", "http", "net", "perf_hooks", "readline", "stream", "tty", "worker_threads", "zlib"];

const scratch = mkdtempSync(join(tmpdir(), "egwsim-start-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Loaded first; tells at the end which files of ours were read, which modules Node made of files, and whether threads were started. */
const SPY = join(scratch, "spy.cjs");
writeFileSync(SPY, `
const fs = require("node:fs"), path = require("node:path"), { readFileSync } = fs, read = new Set();
fs.readFileSync = (file, ...rest) => { read.add(path.basename(String(file))); return readFileSync(file, ...rest); };
process.on("exit", () => {
  const modules = Object.keys(require.cache).filter((file) => file !== __filename).map((file) => path.basename(file));
  fs.writeSync(2, "\\nloaded " + JSON.stringify({ read: [...read], modules, builtin: process.moduleLoadList.filter((name) => /^NativeModule [^/]*$/.test(name)).map((name) => name.slice(13)) }));
});
`);

interface Loaded {
  readonly read: readonly string[];
  readonly modules: readonly string[];
  readonly builtin: readonly string[];
}

function loadedBy(args: readonly string[]): Loaded {
  const { stderr } = spawnSync(process.execPath, ["--require", SPY, join(BIN, "main.js"), ...args], { encoding: "utf8" });
  return JSON.parse(stderr.slice(stderr.lastIndexOf("loaded ") + "loaded ".length)) as Loaded;
}

/** Standard output, standard error and exit code of the bundle in `bin`. */
function run(args: readonly string[], bin = BIN, flags: readonly string[] = []): readonly [unknown, string, string] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, join(bin, "main.js"), ...args], { encoding: "utf8" });
  return [status, stdout.replace(/"timing": \{[^}]*\}/, ""), stderr];
}

/** A copy of the built program with code caches of its own. */
function copyWith(name: string, cache: (file: string) => void): string {
  const root = join(scratch, name), bin = join(root, "dist", "bin");
  mkdirSync(join(root, "dist"), { recursive: true });
  cpSync(BIN, bin, { recursive: true });
  cpSync(join(ROOT, "dist", "kernel"), join(root, "dist", "kernel"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(root, "package.json"));
  for (const file of readdirSync(bin)) if (file.endsWith(".code-cache")) cache(join(bin, file));
  return bin;
}

describe.skipIf(UNBUILT !== "")(UNBUILT === "" ? "a start" : `a start (skipped: ${UNBUILT})`, { timeout: 60_000 }, () => {
  it("for --help reads the commands' bundle and nothing that works", () => {
    const { read, modules, builtin } = loadedBy(["--help"]);
    expect(read.filter((file) => file !== "package.json").sort()).toEqual(["main.js", "program.code-cache", "program.js"]);
    expect(modules).toEqual(["main.js"]);
    expect(builtin.filter((name) => SLOW_TO_LOAD.includes(name))).toEqual([]);
  });

  it("for a short replay reads two bundles and the kernel, and starts no thread", () => {
    const { read, modules, builtin } = loadedBy(REPLAY);
    expect(read.filter((file) => /\.(js|wasm|code-cache)$/.test(file)).sort()).toEqual(["kernel.wasm", "main.js", "program.code-cache", "program.js", "work.code-cache", "work.js"]);
    expect(modules).toEqual(["main.js"]);
    expect(builtin.filter((name) => SLOW_TO_LOAD.includes(name) && name !== "zlib" && name !== "stream")).toEqual([]);
    expect(loadedBy([...REPLAY, "--workers", "1"]).modules.filter((file) => file !== "main.js").length).toBeGreaterThan(5);
  });

  it.each([
    ["no code cache", (file: string): void => rmSync(file)],
    ["an empty one", (file: string): void => writeFileSync(file, "")],
    ["one of something else", (file: string): void => writeFileSync(file, Buffer.alloc(100_000, 7))],
    ["one that ends early", (file: string): void => writeFileSync(file, readFileSync(file).subarray(0, 50_000))],
  ])("says the same with %s", (name, cache) => {
    const bin = copyWith(name.replaceAll(" ", "-"), cache);
    for (const args of [["--help"], ["replay", "--help"], REPLAY, ["replay", "nowhere.pcap"]]) expect(run(args, bin)).toEqual(run(args));
  });

  it("takes no code cache of another bundle of the same length", () => {
    const bin = copyWith("another-bundle", () => undefined), program = join(bin, "program.js"), text = readFileSync(program, "latin1");
    // As a build would: another text of the same length, under its own digest.
    const changed = text.replace(/^\/\*[0-9a-f]{16}\*\//, "/*0123456789abcdef*/").replace("A userspace stand-in", "A userspace STAND-IN");
    expect([changed.length, changed === text]).toEqual([text.length, false]);
    writeFileSync(program, changed, "latin1");
    const help = run(["--help"]);
    expect(run(["--help"], bin)).toEqual([help[0], help[1].replace("A userspace stand-in", "A userspace STAND-IN"), help[2]]);
  });

  it("says the same under flags that the code cache was not made with", () => {
    for (const args of [["--help"], REPLAY]) expect(run(args, BIN, ["--stack-size=900"])).toEqual(run(args));
  });
});
