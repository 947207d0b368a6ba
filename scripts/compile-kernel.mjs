// One asc call for everything that runs as WebAssembly. asc sees mem.wasm.ts wherever the kernel imports mem.ts; everything
// else is the source that tsc compiles.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** --debug: names of functions, for profiles; the code is the same. */
const OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--importMemory", "--initialMemory", "1", "--maximumMemory", "32768",
  "--noExportMemory", "--zeroFilledMemory", "--debug"];
const SHARED = ["--sharedMemory", "--enable", "threads"];

/** Compiles `entry` into `out`, both relative to the working folder. False where asc refused, which it has explained by then.
 * `shared` false: for a memory of one thread, which wasm2c takes. */
export async function compileKernel(entry, out, shared = true) {
  const asc = (await import("assemblyscript/asc")).default;
  const { error, stderr } = await asc.main([entry, "-o", out, ...OPTIONS, ...(shared ? SHARED : [])], {
    readFile(name, base) {
      const path = join(base, name.replace(/src\/kernel\/mem\.ts$/, "src/kernel/mem.wasm.ts"));
      return existsSync(path) ? readFileSync(path, "utf8") : null;
    },
    writeFile(name, contents, base) {
      const path = resolve(base, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, contents);
    },
  });
  // asc says so where its last round made the code longer, at which it stops: nothing for a user to mend.
  const said = stderr.toString().replace(/^Last converge was suboptimal\.\n/m, "");
  if (said.trim()) process.stderr.write(said);
  if (error) process.stderr.write(`${entry} did not compile to WebAssembly: ${error.message}\n`);
  return !error;
}
