// One build: tsc for everything, asc for the kernel a second time, and a copy of the TypeScript kernel on the checked
// memory accessors for fuzzing. `--quick` leaves the WebAssembly kernel as it is.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);
const quick = process.argv.includes("--quick");

function compileTypeScript() {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const run = spawnSync(process.execPath, [tsc, "-p", root], { stdio: "inherit" });
  if (run.status !== 0) process.exit(run.status ?? 1);
}

/** asc sees mem.wasm.ts wherever the kernel imports mem.ts; everything else is the same source. */
async function compileWebAssembly() {
  const asc = (await import("assemblyscript/asc")).default;
  const out = join("dist", "kernel", "kernel.wasm");
  const result = await asc.main(
    ["src/kernel/index.ts", "-o", out, "-O3", "--converge", "--noAssert", "--runtime", "stub", "--importMemory", "--sharedMemory",
      "--enable", "threads,simd", "--initialMemory", "1", "--maximumMemory", "32768", "--noExportMemory", "--zeroFilledMemory"],
    {
      readFile(name, base) {
        const path = join(base, name.replace(/src\/kernel\/mem\.ts$/, "src/kernel/mem.wasm.ts"));
        return existsSync(path) ? readFileSync(path, "utf8") : null;
      },
      writeFile(name, contents, base) {
        const path = resolve(base, name);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, contents);
      },
    },
  );
  const said = result.stderr.toString();
  if (said.trim()) process.stderr.write(said);
  if (result.error) {
    process.stderr.write(`the WebAssembly kernel did not compile: ${result.error.message}\n`);
    process.exit(1);
  }
}

function copyCheckedKernel() {
  const from = join("dist", "kernel"), to = join("dist", "kernel-checked");
  rmSync(to, { recursive: true, force: true });
  const copy = (dir) => {
    mkdirSync(join(to, dir), { recursive: true });
    for (const entry of readdirSync(join(from, dir), { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) copy(path);
      else if (path.endsWith(".js")) copyFileSync(join(from, path === "mem.js" ? "mem.checked.js" : path), join(to, path));
    }
  };
  copy("");
}

process.chdir(root);
compileTypeScript();
if (!quick || !existsSync(join("dist", "kernel", "kernel.wasm"))) await compileWebAssembly();
copyCheckedKernel();
if (existsSync("dist/cli/main.js")) chmodSync("dist/cli/main.js", 0o755);
