// The native yardstick: the kernel's WebAssembly turned into C by wabt's wasm2c and compiled by cc -O3. What asc's code costs on
// the same work without an engine around it.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { B_SIZE, STREAM_COUNT, X_CURSORS, X_LIMITS } from "../../src/kernel/pipeline/layout-batch.ts";
import { PACKET_SETS, type PacketSet, type PreparedRun } from "./prepared-run.ts";

/** Where Debian's wabt puts the run time that its C code needs. */
const RUNTIME = ["/usr/share/wabt/wasm2c", "/usr/src/wasm2c", "/usr/local/share/wabt/wasm2c"];
const built = fileURLToPath(new URL("../../native/", import.meta.url));
const source = fileURLToPath(new URL("../../../bench/kernel/native/main.c", import.meta.url));

/** Builds it; the program's path, or why there is none. */
export function buildNative(): { readonly program: string } | { readonly reason: string } {
  const runtime = RUNTIME.find((folder) => existsSync(join(folder, "wasm-rt-impl.c")));
  if (runtime === undefined || spawnSync("wasm2c", ["--version"]).status !== 0) return { reason: "wasm2c is not installed (Debian: wabt)" };
  if (spawnSync("cc", ["--version"]).status !== 0) return { reason: "cc is not installed" };
  const translated = spawnSync("wasm2c", ["kernel.wasm", "-o", "kernel.c"], { cwd: built, encoding: "utf8" });
  if (translated.status !== 0) return { reason: `wasm2c refused the kernel: ${translated.stderr.trim()}` };
  const program = join(built, "kernel");
  const layout = [`-DDESCRIPTOR=${B_SIZE}`, `-DSTREAMS=${STREAM_COUNT}`, `-DCURSORS=${X_CURSORS}`, `-DLIMITS=${X_LIMITS}`];
  const compiled = spawnSync("cc", ["-O3", "-march=native", "-w", ...layout, "-o", program, source, "kernel.c", join(runtime, "wasm-rt-impl.c"), `-I${runtime}`, `-I${built}`, "-I/usr/include", "-I/usr/src/wasm2c", "-lm"], { cwd: built, encoding: "utf8" });
  return compiled.status === 0 ? { program } : { reason: `cc refused the translated kernel: ${compiled.stderr.trim().slice(0, 300)}` };
}

/** The native kernel on a run's memory as it was before the first pass, in a process of its own. */
export class NativeRun {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(program: string, run: PreparedRun, folder: string) {
    const image = join(folder, "image"), chunks = join(folder, "chunks");
    run.save(image, chunks);
    this.#process = spawn(program, [image, chunks, String(run.context), String(run.descriptors), ...run.streams.flat().map(String)]);
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** As PreparedRun.pass. */
  async pass(set: PacketSet): Promise<number[]> {
    this.#process.stdin.write(`${PACKET_SETS.indexOf(set)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error("the native kernel ended early");
    return value.split(" ").map(Number);
  }

  end(): void {
    this.#process.stdin.end();
  }
}
