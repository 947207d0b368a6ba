import type { Arena } from "./image/arena.ts";
import type { Kernel, kernelOn } from "./kernel-instance.ts";
import type { KernelBuild } from "./replay-options.ts";
import { wasmKernelOn } from "./wasm-kernel.ts";

/** The TypeScript build, loaded only where it runs: it is as large as the rest of a replay's code. null: the WebAssembly one runs. */
export async function typescriptKernel(build: KernelBuild): Promise<typeof kernelOn | null> {
  return build === "ts" ? (await import("./kernel-instance.ts")).kernelOn : null;
}

/** The kernel as the main thread uses it for its own part: taking records in, putting streams in order. */
export class MainKernel {
  readonly #arena: Arena;
  readonly #typescript: typeof kernelOn | null;
  #wasm: Kernel | null = null;

  /** `typescript`: what typescriptKernel() gave. */
  constructor(arena: Arena, typescript: typeof kernelOn | null) {
    this.#arena = arena;
    this.#typescript = typescript;
  }

  /** Of the TypeScript build there is one per thread, which is told each time what memory it works on. */
  get(): Kernel {
    if (this.#typescript !== null) return this.#typescript(this.#arena.memory, "ts");
    this.#wasm ??= wasmKernelOn(this.#arena.memory);
    return this.#wasm;
  }
}
