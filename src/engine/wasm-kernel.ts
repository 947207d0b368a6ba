import { readFileSync } from "node:fs";
import type { Kernel } from "./kernel-instance.ts";

const wasmFile = new URL(import.meta.url.endsWith(".ts") ? "../../dist/kernel/kernel.wasm" : "../kernel/kernel.wasm", import.meta.url);

/** The WebAssembly build on `memory`; by itself, so that a worker that runs it need not load the other build's modules.
 * `url` is for callers that do not run from the built output. */
export function wasmKernelOn(memory: WebAssembly.Memory, url: URL = wasmFile): Kernel {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(url)), { env: { memory } });
  return instance.exports as unknown as Kernel;
}
