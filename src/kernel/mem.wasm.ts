// @ts-nocheck: compiled by asc only, in the place of mem.ts.
@inline export function ld8(at: i32): i32 { return load<u8>(at); }
@inline export function ld16(at: i32): i32 { return load<u16>(at); }
@inline export function ld16be(at: i32): i32 { return bswap<u16>(load<u16>(at)); }
@inline export function ld32(at: i32): i32 { return load<i32>(at); }
@inline export function ld32be(at: i32): i32 { return bswap<i32>(load<i32>(at)); }
@inline export function ldf64(at: i32): f64 { return load<f64>(at); }
@inline export function st8(at: i32, value: i32): void { store<u8>(at, <u8>value); }
@inline export function st16(at: i32, value: i32): void { store<u16>(at, <u16>value); }
@inline export function st16be(at: i32, value: i32): void { store<u16>(at, bswap<u16>(<u16>value)); }
@inline export function st32(at: i32, value: i32): void { store<i32>(at, value); }
@inline export function st32be(at: i32, value: i32): void { store<i32>(at, bswap<i32>(value)); }
@inline export function stf64(at: i32, value: f64): void { store<f64>(at, value); }
/** Longest copy that is made here: memory.copy is a call out of the engine's generated code. */
const SHORT_COPY: i32 = 256;
export function copy(to: i32, from: i32, length: i32): void {
  if (length > SHORT_COPY || (to > from && to < from + length)) {
    memory.copy(to, from, length);
    return;
  }
  let k: i32 = 0;
  for (; k + 16 <= length; k += 16) {
    store<i64>(to + k, load<i64>(from + k));
    store<i64>(to + k + 8, load<i64>(from + k + 8));
  }
  if ((length & 8) !== 0) {
    store<i64>(to + k, load<i64>(from + k));
    k += 8;
  }
  if ((length & 4) !== 0) {
    store<i32>(to + k, load<i32>(from + k));
    k += 4;
  }
  if ((length & 2) !== 0) {
    store<u16>(to + k, load<u16>(from + k));
    k += 2;
  }
  if ((length & 1) !== 0) store<u8>(to + k, load<u8>(from + k));
}
export function fill(at: i32, value: i32, length: i32): void {
  if (length > SHORT_COPY || value !== 0) {
    memory.fill(at, <u8>value, length);
    return;
  }
  const words: i32 = length & ~7;
  for (let k: i32 = 0; k < words; k += 8) store<i64>(at + k, 0);
  for (let k: i32 = words; k < length; k++) store<u8>(at + k, 0);
}
@inline export function mul(a: i32, b: i32): i32 { return a * b; }
@inline export function ltu(a: i32, b: i32): bool { return <u32>a < <u32>b; }
@inline export function swap32(a: i32): i32 { return bswap<i32>(a); }
