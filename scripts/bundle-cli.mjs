// The command line as few files instead of hundreds of modules, for a quick start: loading modules was half of a short run
// (235 of 460 ms for a replay of 787 packets). Three bundles, so that --help reads little: main.js, which loads the others; program.js,
// the commands and their options; work.js, all that a command imports when it runs. They are CommonJS, because Node.js 20 takes
// code caches only for scripts (src/cli/bundle-loader.ts). The built modules stay beside them; both run the same code.
// Without white space, and with zod as a namespace so that its locales fall away. Names stay, for stack traces.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const LICENCE_FILES = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license"];
const BIN = join("dist", "bin");
const OPTIONS = {
  bundle: true, format: "cjs", platform: "node", target: "node20", external: ["piscina", "./program.js", "./work.js"], legalComments: "none", minifyWhitespace: true, charset: "ascii",
  supported: { "dynamic-import": false }, metafile: true, logLevel: "error",
  banner: { js: '"use strict";const importMetaUrl=require("node:url").pathToFileURL(__filename).href;' }, define: { "import.meta.url": "importMetaUrl" },
};

// What a short run may do without is loaded when its first function is asked for. In ms of a replay of 1,000 packets: crypto 15, net
// (with streams; for child_process, and for isIPv6) 10, fs/promises with readline 7, ip-num 6, picocolors
// (with streams, because it looks at standard output) 5, worker_threads and zlib 2 each.
const LATE = ["node:child_process", "node:crypto", "node:fs/promises", "node:net", "node:worker_threads", "node:zlib", "ip-num", "picocolors"];
const LATE_LOADING = {
  name: "late loading",
  setup(bundler) {
    bundler.onResolve({ filter: new RegExp(`^(${LATE.join("|")})$`) }, ({ path, namespace }) => (namespace === "late" ? undefined : { path, namespace: "late" }));
    bundler.onLoad({ filter: /./, namespace: "late" }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter((name) => name !== "default");
      return { contents: names.map((name) => `Object.defineProperty(exports, "${name}", { enumerable: true, get: () => require("${path}").${name} });`).join("\n"), resolveDir: process.cwd() };
    });
  },
};

// Built, the TypeScript kernel is bound to its memory (bind-kernel.mjs): its modules, which sources use instead, stay out (170 kB).
const BOUND_KERNEL = {
  name: "bound kernel",
  setup(bundler) {
    bundler.onResolve({ filter: /\/kernel\/(index|memory)\.js$/ }, ({ path, importer }) => (/kernel-instance\.js$/.test(importer) ? { path, namespace: "bound" } : undefined));
    bundler.onLoad({ filter: /./, namespace: "bound" }, () => ({ contents: "module.exports = {};" }));
  },
};

/** Turns the modules that a bundle imports on demand into parts of other bundles; `told` gets their paths. */
function onDemand(contentsFor, told = new Set()) {
  return {
    name: "parts of other bundles",
    setup(bundler) {
      bundler.onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
        if (kind !== "dynamic-import") return undefined;
        const module = relative("dist", resolve(resolveDir, path)).replaceAll("\\", "/");
        told.add(module);
        return { path: module, namespace: "part" };
      });
      bundler.onLoad({ filter: /./, namespace: "part" }, ({ path }) => ({ contents: contentsFor(path), resolveDir: resolve("dist") }));
    },
  };
}

const PART_OF_WORK = (bundle) => (module) => `module.exports = ${bundle("./work.js")}.parts[${JSON.stringify(module)}]();`;

/** Bundles dist/cli/main.js and the workers into dist/bin. Piscina stays a package: it starts threads from its files. */
export async function bundleCli() {
  rmSync(BIN, { recursive: true, force: true });
  const parts = new Set(["cli/failure-report.js"]), required = (name) => `require(${JSON.stringify(name)})`;
  const program = await build({ ...OPTIONS, entryPoints: { program: "dist/cli/program.js" }, outdir: BIN, plugins: [LATE_LOADING, BOUND_KERNEL, onDemand(PART_OF_WORK(required), parts)] });
  const index = `export const parts = {${[...parts].map((module) => `${JSON.stringify(module)}: () => require("./${module}")`).join(", ")}};`;
  const work = await build({ ...OPTIONS, stdin: { contents: index, resolveDir: "dist" }, outfile: join(BIN, "work.js"), plugins: [LATE_LOADING, BOUND_KERNEL] });
  const loaded = (name) => `require("./cli/bundle-loader.js").bundles.load(${JSON.stringify(name)})`;
  const main = await build({
    ...OPTIONS, entryPoints: { main: "dist/cli/main.js" }, outdir: BIN,
    plugins: [BOUND_KERNEL, onDemand((module) => (module === "cli/program.js" ? `module.exports = ${loaded("./program.js")};` : PART_OF_WORK(loaded)(module)))],
  });
  const others = await build({ ...OPTIONS, entryPoints: { worker: "dist/engine/worker.js", "live-worker": "dist/live/live-worker.js", "code-cache": "dist/cli/code-cache.js" }, outdir: BIN, plugins: [BOUND_KERNEL] });
  for (const name of ["program.js", "work.js"]) stamp(join(BIN, name));
  writeFileSync(join(BIN, "package.json"), '{"type":"commonjs"}\n');
  chmodSync(join(BIN, "main.js"), 0o755);
  const inputs = [program, work, main, others].flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const packages = new Set(inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  writeFileSync(join(BIN, "third-party-licences.txt"), [...packages].sort().map(notice).join("\n"));
  spawnSync(process.execPath, [join(BIN, "code-cache.js")], { stdio: "inherit" });
}

/** Puts a digest of the bundle's text before it, by which its code cache is known. */
function stamp(file) {
  const text = readFileSync(file, "latin1");
  writeFileSync(file, `/*${createHash("sha256").update(text).digest("hex").slice(0, 16)}*/${text}`, "latin1");
}

/** Licence text of a bundled package, which has to go where its code goes. */
function notice(name) {
  const folder = join("node_modules", name), { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = LICENCE_FILES.map((each) => join(folder, each)).find((each) => existsSync(each));
  if (file === undefined) throw new Error(`${name} has no licence file to bundle`);
  return `${name} ${version} (${license})\n\n${readFileSync(file, "utf8").trim()}\n`;
}
