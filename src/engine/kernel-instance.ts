import { readFileSync } from "node:fs";
import * as typescriptKernel from "../kernel/index.ts";
import { attach } from "../kernel/mem.ts";

/** The kernel's functions; every argument and result is a 32-bit integer. */
export type Kernel = typeof typescriptKernel;
export type KernelKind = "ts" | "wasm";

const wasmFile = new URL("../kernel/kernel.wasm", import.meta.url);

/** A kernel working on `memory`. The TypeScript build keeps one memory per thread: a later call moves it. `wasmUrl` is for
 * callers that do not run from the built output. */
export function kernelOn(memory: WebAssembly.Memory, kind: KernelKind, wasmUrl: URL = wasmFile): Kernel {
  if (kind === "ts") {
    attach(memory.buffer);
    return typescriptKernel;
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasmUrl)), { env: { memory } });
  return instance.exports as unknown as Kernel;
}
