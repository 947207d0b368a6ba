// One memory with both kernels' loops on it: both see the same tables, so that only the build differs.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Arena, sharedMemory } from "../../src/engine/image/arena.ts";
import { attach } from "../../src/kernel/memory.ts";
import { insert } from "../../src/kernel/table/dynamic.ts";
import type * as typescriptLoops from "./kernel/loops.ts";

export type Loops = typeof typescriptLoops;
export type Build = "ts" | "wasm";
export const BUILDS: readonly Build[] = ["wasm", "ts"];

const MEMORY_BYTES = 256 * 1024 * 1024;
const wasmFile = new URL("../../loops.wasm", import.meta.url), boundFile = fileURLToPath(new URL("../../loops.cjs", import.meta.url));

export class TestBed {
  readonly arena: Arena;
  readonly #wasm: Loops;
  readonly #typescript: Loops;

  constructor() {
    const memory = sharedMemory(MEMORY_BYTES);
    this.arena = new Arena(memory);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasmFile)), { env: { memory } });
    this.#wasm = instance.exports as unknown as Loops;
    this.#typescript = (createRequire(import.meta.url)(boundFile) as { boundKernel(memory: ArrayBufferLike): Loops }).boundKernel(memory.buffer);
    attach(memory.buffer);
  }

  loops(build: Build): Loops {
    return build === "ts" ? this.#typescript : this.#wasm;
  }

  /** A new entry of a dynamic table, for what must be there before the loops run; 0 when the table is full. */
  insert(table: number, k0: number, k1: number, k2: number, k3: number): number {
    return insert(table, k0, k1, k2, k3);
  }

  /** Words in the kernel's memory; returns their address. */
  words(values: readonly number[]): number {
    const at = this.arena.take(values.length * 4, 64);
    for (const [k, value] of values.entries()) this.arena.put32(at + 4 * k, value);
    return at;
  }
}
