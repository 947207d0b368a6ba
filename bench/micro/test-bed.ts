// One memory with both kernels' loops on it: both see the same tables, so that only the build differs.
import { readFileSync } from "node:fs";
import { Arena, sharedMemory } from "../../src/engine/image/arena.ts";
import { attach } from "../../src/kernel/mem.ts";
import { insert } from "../../src/kernel/table/dynamic.ts";
import * as typescriptLoops from "./kernel/loops.ts";

export type Loops = typeof typescriptLoops;
export type Build = "ts" | "wasm";
export const BUILDS: readonly Build[] = ["wasm", "ts"];

const MEMORY_BYTES = 256 * 1024 * 1024;
const wasmFile = new URL("../../loops.wasm", import.meta.url);

export class TestBed {
  readonly arena: Arena;
  readonly #wasm: Loops;

  constructor() {
    const memory = sharedMemory(MEMORY_BYTES);
    this.arena = new Arena(memory);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasmFile)), { env: { memory } });
    this.#wasm = instance.exports as unknown as Loops;
    attach(memory.buffer);
  }

  loops(build: Build): Loops {
    return build === "ts" ? typescriptLoops : this.#wasm;
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
