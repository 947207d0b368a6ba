// The memory that the TypeScript build works on. Modules are loaded before there is one, so that here it can be changed; bound
// kernels have memory.bound.ts in its place.
export let view: DataView = new DataView(new ArrayBuffer(0));
export let bytes: Uint8Array = new Uint8Array(0);

/** Points all accessors at `buffer`. One kernel instance works on one memory at a time. */
export function attach(buffer: ArrayBufferLike): void {
  view = new DataView(buffer);
  bytes = new Uint8Array(buffer);
}
