import type { Arena } from "./image/arena.ts";
import { type Kernel, kernelOn } from "./kernel-instance.ts";
import type { KernelBuild } from "./replay-options.ts";
import { wasmKernelOn } from "./wasm-kernel.ts";

/** The kernel as the main thread uses it for its own part: taking records in, putting streams in order. */
export class MainKernel {
  readonly #arena: Arena;
  readonly #build: KernelBuild;
  #wasm: Kernel | null = null;

  constructor(arena: Arena, build: KernelBuild) {
    this.#arena = arena;
    this.#build = build;
  }

  /** Of the TypeScript build there is one per thread, which is told each time what memory it works on. */
  get(): Kernel {
    if (this.#build === "ts") return kernelOn(this.#arena.memory, "ts");
    this.#wasm ??= wasmKernelOn(this.#arena.memory);
    return this.#wasm;
  }
}
