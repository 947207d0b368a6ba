import { createRequire } from "node:module";
import { setFlagsFromString } from "node:v8";
import * as typescriptKernel from "../kernel/index.ts";
import { attach } from "../kernel/memory.ts";
import { wasmKernelOn } from "./wasm-kernel.ts";

/** The kernel's functions; every argument and result is a 32-bit integer. */
export type Kernel = typeof typescriptKernel;
export type KernelKind = "ts" | "wasm";

/** Bytecode that V8 lets a function take in by inlining (its default: 920): enough that no call is left on a packet's way. Measured:
 * docs/speed.md. */
const INLINED_BYTECODE = 2000;

const isSource = import.meta.url.endsWith(".ts");
const bound = new WeakMap<ArrayBufferLike, Kernel>();

/** The built kernel is made for its memory (scripts/bind-kernel.mjs). */
function boundKernelOn(memory: ArrayBufferLike): Kernel {
  const known = bound.get(memory);
  if (known !== undefined) return known;
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTECODE}`);
  // Loaded anew for each memory: of two kernels that one function made V8 takes neither's memory for a constant, and each packet
  // on its way takes 1,241 ns instead of 381 (npm run bench -- --only paths).
  const require = createRequire(import.meta.url), file = require.resolve("../kernel/bound.cjs");
  delete require.cache[file];
  const { boundKernel } = require(file) as { boundKernel(memory: ArrayBufferLike): Kernel };
  const kernel = boundKernel(memory);
  bound.set(memory, kernel);
  return kernel;
}

/** A kernel working on `memory`. From sources, as tests run it, there is one TypeScript kernel per thread: a later call moves it.
 * `wasmUrl` is for callers that do not run from the built output. */
export function kernelOn(memory: WebAssembly.Memory, kind: KernelKind, wasmUrl?: URL): Kernel {
  if (kind === "wasm") return wasmKernelOn(memory, wasmUrl);
  if (!isSource) return boundKernelOn(memory.buffer);
  attach(memory.buffer);
  return typescriptKernel;
}
