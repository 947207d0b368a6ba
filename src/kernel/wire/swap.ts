/** Swaps the two bytes of a 16-bit half: wire order to a number, and back. */
export function swap16(half: i32): i32 { return ((half & 0xff) << 8) | ((half >>> 8) & 0xff); }
