// In the place of memory.ts where scripts/bind-kernel.mjs makes a kernel for one memory: a function's parameter there.
declare const memory: ArrayBufferLike;
export const view: DataView = new DataView(memory);
export const bytes: Uint8Array = new Uint8Array(memory);
