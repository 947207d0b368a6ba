// The command line as few files instead of hundreds of modules, for a quick start: loading modules was half of a short run
// (235 of 460 ms for a replay of 787 packets, 150 when bundled). The built modules stay beside it; both run the same code.
// Without white space, and with zod as a namespace so that its locales fall away: 1.0 instead of 1.9 MB, 1000 packets in 415 instead
// of 452 ms (medians of 21 interleaved runs). Names stay, for stack traces.
import { build } from "esbuild";
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LICENCE_FILES = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license"];
// Some of the packages are CommonJS and ask for Node's own modules by require().
const REQUIRE = 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);';

// commander loads Node's child_process, and with it net and dgram, for commands that are programs of their own. There are none here:
// loaded on demand it costs nothing (`--help` 8 ms over an empty program instead of 13, minimum of 41 interleaved runs).
const CHILD_PROCESS_ON_DEMAND = {
  name: "child_process on demand",
  setup(bundler) {
    bundler.onResolve({ filter: /^node:child_process$/ }, ({ importer }) => (importer.includes("commander") ? { path: "child_process", namespace: "on-demand" } : undefined));
    bundler.onLoad({ filter: /^child_process$/, namespace: "on-demand" }, () => ({ contents: 'exports.spawn = (...all) => require("node:child_process").spawn(...all);' }));
  },
};

/** Bundles dist/cli/main.js and the workers into dist/bin. Piscina stays a package: it starts threads from its files. */
export async function bundleCli() {
  rmSync(join("dist", "bin"), { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: { main: "dist/cli/main.js", worker: "dist/engine/worker.js", "live-worker": "dist/live/live-worker.js" }, outdir: "dist/bin", bundle: true, splitting: true, format: "esm",
    platform: "node", target: "node20", external: ["piscina"], banner: { js: REQUIRE }, legalComments: "none", minifyWhitespace: true, plugins: [CHILD_PROCESS_ON_DEMAND], metafile: true, logLevel: "error",
  });
  chmodSync(join("dist", "bin", "main.js"), 0o755);
  const packages = new Set(Object.keys(metafile.inputs).flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  writeFileSync(join("dist", "bin", "third-party-licences.txt"), [...packages].sort().map(notice).join("\n"));
}

/** Licence text of a bundled package, which has to go where its code goes. */
function notice(name) {
  const folder = join("node_modules", name), { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = LICENCE_FILES.map((each) => join(folder, each)).find((each) => existsSync(each));
  if (file === undefined) throw new Error(`${name} has no licence file to bundle`);
  return `${name} ${version} (${license})\n\n${readFileSync(file, "utf8").trim()}\n`;
}
