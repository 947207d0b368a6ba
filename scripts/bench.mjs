// npm run bench: builds the bench with the kernel's two compilers and runs it against what `npm run build` left in dist/.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bindKernel } from "./bind-kernel.mjs";
import { compileKernel } from "./compile-kernel.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
const run = (...args) => {
  const { status, error } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
};

run(tsc, "-p", "bench");
if (!(await compileKernel("bench/micro/kernel/loops.ts", "dist-bench/loops.wasm"))) process.exit(1);
if (!(await compileKernel("src/kernel/index.ts", "dist-bench/native/kernel.wasm", false))) process.exit(1);
await bindKernel("dist-bench/src/kernel/index.js", "dist-bench/src/kernel/bound.cjs");
await bindKernel("dist-bench/bench/micro/kernel/loops.js", "dist-bench/loops.cjs");
run("dist-bench/bench/run.js", ...process.argv.slice(2));
