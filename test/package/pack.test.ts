// What `npm pack` puts into the tarball, and whether it runs where it is installed. It packs the built dist/ (npm test builds
// first) and leaves out prepack, which would empty dist/ under the other tests.
import { execFileSync, spawnSync, type SpawnSyncReturns } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const isBuilt = existsSync(join(root, "dist/kernel/kernel.wasm")) && existsSync(join(root, "dist/cli/main.js"));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string; scripts: Record<string, string> };
/** npm is a script file on Windows, which only a shell starts. */
const shell = process.platform === "win32";

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

describe.skipIf(!isBuilt)("the packed package (skipped unless built: npm run build)", () => {
  let folder = "";
  let packed: Packed;
  const run = (...args: string[]): SpawnSyncReturns<string> => spawnSync("npx", ["egwsim", ...args], { cwd: folder, encoding: "utf8", shell });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "egwsim-pack-"));
    const output = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: root, encoding: "utf8", shell, stdio: ["ignore", "pipe", "ignore"] });
    // npm before 12 prints a list, later ones an object by package name.
    const [first] = Object.values(JSON.parse(output) as Record<string, Packed>);
    if (first === undefined) throw new Error(`npm pack printed ${output}`);
    packed = first;
    const install = spawnSync("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", folder, join(folder, packed.filename)], { cwd: folder, encoding: "utf8", shell });
    if (install.status !== 0) throw new Error(`npm install of the tarball ended with ${String(install.status)}: ${install.stderr}`);
  });
  afterAll(() => {
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  });

  test("holds the program, both kernels, the bundled run and the pages, and nothing of the workshop", () => {
    const paths = packed.files.map(({ path }) => path);
    for (const wanted of ["dist/bin/main.js", "dist/bin/program.js", "dist/bin/work.js", "dist/bin/package.json", "dist/bin/worker.js", "dist/bin/third-party-licences.txt", "dist/cli/main.js", "dist/engine/worker.js", "dist/kernel/kernel.wasm", "dist/kernel/index.js", "dist/vectors/main.js", "fixtures/README.md", "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "docs/limits.md", "docs/architecture.md", "package.json"])
      expect(paths).toContain(wanted);
    for (const name of readdirSync(join(root, "fixtures/captures"))) expect(paths).toContain(`fixtures/captures/${name}`);
    expect(paths.filter((path) => /^(src|test|bench|scripts|node_modules|\.ci|dist-bench|dist\/kernel-checked|fixtures\/(edge|record|vectors))(\/|$)/.test(path))).toEqual([]);
    expect(paths.filter((path) => /\.test\.|checked|\.map$|\.tgz$|\.code-cache$|(^|\/)\.env/.test(path))).toEqual([]);
  });

  test("is compiled ahead for the Node that installs it", () => {
    expect(readdirSync(join(folder, "node_modules", "egwsim", "dist", "bin"))).toEqual(expect.arrayContaining(["program.code-cache", "work.code-cache"]));
  });

  test("stays small: below 1.5 MiB packed and 5 MiB unpacked", () => {
    console.info(`${packed.filename}: ${packed.size} bytes packed, ${packed.unpackedSize} unpacked, ${packed.files.length} files`);
    expect(packed.size).toBeLessThan(1.5 * 1024 * 1024);
    expect(packed.unpackedSize).toBeLessThan(5 * 1024 * 1024);
  });

  test("is packed from an empty dist/ when it is published", () => {
    expect(manifest.scripts["prepack"]).toBe("node scripts/build.mjs --clean");
  });

  test("answers with version and help from where it was installed", () => {
    expect(run("--version")).toMatchObject({ status: 0, stdout: `${manifest.version}\n` });
    const help = run("--help");
    expect(help.status).toBe(0);
    expect(help.stdout).toContain("replay");
    expect(help.stdout).toContain("generate");
  });

  test.each(["wasm", "ts"])("replays the bundled captures there on the kernel %s", (kernel) => {
    const bundled = join("node_modules", "egwsim", "fixtures");
    const { status, stdout } = run("replay", join(bundled, "captures"), "--cluster", join(bundled, "cluster"), "--out", `out-${kernel}`, "--kernel", kernel, "--format", "json");
    // The bundled model has faults on purpose: 1 is findings.
    expect(status).toBe(1);
    const report = JSON.parse(stdout) as { conservation: { holds: boolean }; outcomes: { forwarded: { packets: number } }; timing: { kernel: string } };
    expect(report.conservation.holds).toBe(true);
    expect(report.outcomes.forwarded.packets).toBeGreaterThan(0);
    expect(report.timing.kernel).toBe(kernel);
    expect(readdirSync(join(folder, `out-${kernel}`)).sort()).toEqual(["external.pcap", "flows.jsonl", "overlay.pcap", "pod.pcap", "report.json", "state.jsonl", "trace.pcapng"]);
  });

  test("makes a capture and replays it there", () => {
    expect(run("generate", "--out", "made", "--packets", "500", "--flows", "20", "--quiet")).toMatchObject({ status: 0, stdout: "" });
    expect(run("replay", join("made", "capture.pcap"), "--cluster", join("made", "cluster"), "--quiet").status).toBeLessThan(2);
  });
});
