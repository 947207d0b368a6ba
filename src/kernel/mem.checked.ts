// mem.ts for fuzzing and property tests: the same names, and every access outside the regions that were allowed throws.
// The build puts it into dist/kernel-checked in the place of mem.js.
let view: DataView = new DataView(new ArrayBuffer(0));
let bytes: Uint8Array = new Uint8Array(0);
/** Allowed regions, as pairs of first address and address behind the last. */
let regions: i32[] = [];
let accessesLeft: f64 = Infinity;

export function attach(buffer: ArrayBufferLike): void {
  view = new DataView(buffer);
  bytes = new Uint8Array(buffer);
}

/** Allows loads and stores of the bytes in [from, to). A single access must lie in one region. */
export function allow(from: i32, to: i32): void { regions.push(from, to); }

/** Takes all permissions back. */
export function forbidAll(): void { regions = []; }

/** Throws after so many accesses: code that loops without end stops here. */
export function budget(accesses: f64): void { accessesLeft = accesses; }

function check(at: i32, length: i32, what: string): void {
  accessesLeft--;
  if (accessesLeft < 0) throw new RangeError("the budget of memory accesses is used up");
  if (!Number.isInteger(at)) throw new RangeError(`${what} at ${at}: not an integer`);
  for (let k = 0; k < regions.length; k += 2) if (at >= (regions[k] ?? 0) && at + length <= (regions[k + 1] ?? 0)) return;
  throw new RangeError(`${what} of ${length} bytes at ${at}: outside every allowed region`);
}

/** asc's builds keep 32 bits of every value; a number that does not fit would differ between the builds. */
function checkWord(value: i32): void {
  if (value !== (value | 0)) throw new RangeError(`${value} is no 32-bit integer`);
}

export function ld8(at: i32): i32 { check(at, 1, "load"); return view.getUint8(at); }
export function ld16(at: i32): i32 { check(at, 2, "load"); return view.getUint16(at, true); }
export function ld16be(at: i32): i32 { check(at, 2, "load"); return view.getUint16(at, false); }
export function ld32(at: i32): i32 { check(at, 4, "load"); return view.getInt32(at, true); }
export function ld32be(at: i32): i32 { check(at, 4, "load"); return view.getInt32(at, false); }
export function ldf64(at: i32): f64 { check(at, 8, "load"); return view.getFloat64(at, true); }
export function st8(at: i32, value: i32): void { check(at, 1, "store"); checkWord(value); view.setUint8(at, value); }
export function st16(at: i32, value: i32): void { check(at, 2, "store"); checkWord(value); view.setUint16(at, value, true); }
export function st16be(at: i32, value: i32): void { check(at, 2, "store"); checkWord(value); view.setUint16(at, value, false); }
export function st32(at: i32, value: i32): void { check(at, 4, "store"); checkWord(value); view.setInt32(at, value, true); }
export function st32be(at: i32, value: i32): void { check(at, 4, "store"); checkWord(value); view.setInt32(at, value, false); }
export function stf64(at: i32, value: f64): void { check(at, 8, "store"); view.setFloat64(at, value, true); }
export function copy(to: i32, from: i32, length: i32): void {
  check(from, length, "copy from");
  check(to, length, "copy to");
  bytes.copyWithin(to, from, from + length);
}
export function fill(at: i32, value: i32, length: i32): void { check(at, length, "fill"); bytes.fill(value, at, at + length); }
export function mul(a: i32, b: i32): i32 { checkWord(a); checkWord(b); return Math.imul(a, b); }
export function ltu(a: i32, b: i32): boolean { checkWord(a); checkWord(b); return (a >>> 0) < (b >>> 0); }
export function swap32(a: i32): i32 {
  checkWord(a);
  return ((a >>> 24) | ((a >>> 8) & 0xff00) | ((a << 8) & 0xff0000) | (a << 24)) | 0;
}
