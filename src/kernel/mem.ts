// The kernel's only way to memory, for the TypeScript build: byte addresses into one shared buffer. The WebAssembly
// build replaces this file by mem.wasm.ts, the fuzzing build by mem.checked.ts; all three export the same names.
// Little-endian words are the kernel's own; the …be accessors read and write packet fields in network order.
// Addresses are kept as the word that a little-endian load of the four wire bytes gives, in frames and tables alike.
let view: DataView = new DataView(new ArrayBuffer(0));
let bytes: Uint8Array = new Uint8Array(0);

/** Points all accessors at `buffer`. One kernel instance works on one memory at a time. */
export function attach(buffer: ArrayBufferLike): void {
  view = new DataView(buffer);
  bytes = new Uint8Array(buffer);
}
export function ld8(at: i32): i32 { return view.getUint8(at); }
export function ld16(at: i32): i32 { return view.getUint16(at, true); }
export function ld16be(at: i32): i32 { return view.getUint16(at, false); }
export function ld32(at: i32): i32 { return view.getInt32(at, true); }
export function ld32be(at: i32): i32 { return view.getInt32(at, false); }
export function ldf64(at: i32): f64 { return view.getFloat64(at, true); }
export function st8(at: i32, value: i32): void { view.setUint8(at, value); }
export function st16(at: i32, value: i32): void { view.setUint16(at, value, true); }
export function st16be(at: i32, value: i32): void { view.setUint16(at, value, false); }
export function st32(at: i32, value: i32): void { view.setInt32(at, value, true); }
export function st32be(at: i32, value: i32): void { view.setInt32(at, value, false); }
export function stf64(at: i32, value: f64): void { view.setFloat64(at, value, true); }
/** Longest copy that is made word by word. copyWithin on shared memory costs about 45 ns before it moves a byte, a word's load
 * and store 2 to 3 (measured beside each other: 12 bytes 9 against 46 ns, 60 bytes 48 against 49). */
const SHORT_COPY: i32 = 40;
export function copy(to: i32, from: i32, length: i32): void {
  // Behind its source, and overlapping it, a copy must begin at the end.
  if (length > SHORT_COPY || (to > from && to < from + length)) {
    bytes.copyWithin(to, from, from + length);
    return;
  }
  const words: i32 = length & ~3, memory = view;
  for (let k: i32 = 0; k < words; k += 4) memory.setInt32(to + k, memory.getInt32(from + k, true), true);
  for (let k: i32 = words; k < length; k++) memory.setUint8(to + k, memory.getUint8(from + k));
}
export function fill(at: i32, value: i32, length: i32): void { bytes.fill(value, at, at + length); }
export function mul(a: i32, b: i32): i32 { return Math.imul(a, b); }
export function ltu(a: i32, b: i32): boolean { return (a >>> 0) < (b >>> 0); }
/** Swaps the four bytes of a word: wire order to a number one can compare as an address, and back. */
export function swap32(a: i32): i32 {
  return ((a >>> 24) | ((a >>> 8) & 0xff00) | ((a << 8) & 0xff0000) | (a << 24)) | 0;
}
