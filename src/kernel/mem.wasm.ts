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
@inline export function copy(to: i32, from: i32, length: i32): void { memory.copy(to, from, length); }
@inline export function fill(at: i32, value: i32, length: i32): void { memory.fill(at, <u8>value, length); }
@inline export function mul(a: i32, b: i32): i32 { return a * b; }
@inline export function ltu(a: i32, b: i32): bool { return <u32>a < <u32>b; }
@inline export function swap32(a: i32): i32 { return bswap<i32>(a); }
