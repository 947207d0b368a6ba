// One build: tsc for everything, asc for the kernel a second time, the TypeScript kernel once more as one function of its memory,
// and a copy of it on the checked memory accessors for fuzzing. `--quick` leaves the WebAssembly kernel as it is; `--clean` begins with an empty dist/,
// so that nothing is packed whose source is gone.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bindKernel } from "./bind-kernel.mjs";
import { bundleCli } from "./bundle-cli.mjs";
import { compileKernel } from "./compile-kernel.mjs";
import { buildAddon, isUpToDate } from "../native-bindings/build.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);
const quick = process.argv.includes("--quick");

function compileTypeScript() {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const run = spawnSync(process.execPath, [tsc, "-p", root], { stdio: "inherit" });
  if (run.status !== 0) process.exit(run.status ?? 1);
}

function copyCheckedKernel() {
  const from = join("dist", "kernel"), to = join("dist", "kernel-checked");
  rmSync(to, { recursive: true, force: true });
  const copy = (dir) => {
    mkdirSync(join(to, dir), { recursive: true });
    for (const entry of readdirSync(join(from, dir), { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) copy(path);
      else if (/\.js(\.map)?$/.test(path)) copyFileSync(join(from, path.replace(/^mem\.js/, "mem.checked.js")), join(to, path));
    }
  };
  copy("");
}

process.chdir(root);
if (process.argv.includes("--clean")) rmSync("dist", { recursive: true, force: true });
compileTypeScript();
if (!quick || !existsSync(join("dist", "kernel", "kernel.wasm"))) {
  if (!(await compileKernel("src/kernel/index.ts", "dist/kernel/kernel.wasm"))) process.exit(1);
}
copyCheckedKernel();
await bindKernel("dist/kernel/index.js", "dist/kernel/bound.cjs");
await bundleCli();
chmodSync("dist/cli/main.js", 0o755);
// The install script has built it from the sources of then.
if (!isUpToDate()) console.error(buildAddon());
