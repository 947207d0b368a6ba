import * as typescriptKernel from "../kernel/index.ts";
import { attach } from "../kernel/mem.ts";
import { wasmKernelOn } from "./wasm-kernel.ts";

/** The kernel's functions; every argument and result is a 32-bit integer. */
export type Kernel = typeof typescriptKernel;
export type KernelKind = "ts" | "wasm";

/** A kernel working on `memory`. The TypeScript build keeps one memory per thread: a later call moves it. `wasmUrl` is for
 * callers that do not run from the built output. */
export function kernelOn(memory: WebAssembly.Memory, kind: KernelKind, wasmUrl?: URL): Kernel {
  if (kind === "wasm") return wasmKernelOn(memory, wasmUrl);
  attach(memory.buffer);
  return typescriptKernel;
}
