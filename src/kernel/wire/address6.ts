// 16-byte addresses by their place in memory.
import { copy, ld32, st32 } from "../mem.ts";

export function sameAddress6(a: i32, b: i32): boolean {
  return ld32(a + 12) === ld32(b + 12) && ld32(a + 8) === ld32(b + 8) && ld32(a + 4) === ld32(b + 4) && ld32(a) === ld32(b);
}

export function isZero6(at: i32): boolean { return (ld32(at) | ld32(at + 4) | ld32(at + 8) | ld32(at + 12)) === 0; }

export function copyAddress6(to: i32, from: i32): void { copy(to, from, 16); }

export function clearAddress6(at: i32): void {
  st32(at, 0);
  st32(at + 4, 0);
  st32(at + 8, 0);
  st32(at + 12, 0);
}

/** Do the masked bits of the address equal those of the network? All three are 16 bytes. */
export function inNetwork6(at: i32, network: i32, mask: i32): boolean {
  for (let k: i32 = 0; k < 16; k += 4) if ((ld32(at + k) & ld32(mask + k)) !== ld32(network + k)) return false;
  return true;
}
