// Bob Jenkins' lookup3 hash as the Linux kernel and Cilium have it (include/linux/jhash.h, bpf/lib/jhash.h), for what must
// come out as it does there.

const INITIAL: i32 = 0xdeadbeef | 0;

function rotate(word: i32, by: i32): i32 { return (word << by) | (word >>> (32 - by)); }

/** __jhash_final. */
function jhashFinal(x: i32, y: i32, z: i32): i32 {
  let a: i32 = x, b: i32 = y, c: i32 = z;
  c = (c ^ b) - rotate(b, 14) | 0;
  a = (a ^ c) - rotate(c, 11) | 0;
  b = (b ^ a) - rotate(a, 25) | 0;
  c = (c ^ b) - rotate(b, 16) | 0;
  a = (a ^ c) - rotate(c, 4) | 0;
  b = (b ^ a) - rotate(a, 14) | 0;
  return (c ^ b) - rotate(b, 24) | 0;
}

/** jhash_3words. */
export function jhash3(a: i32, b: i32, c: i32, seed: i32): i32 {
  const start: i32 = seed + INITIAL + 12 | 0;
  return jhashFinal(a + start | 0, b + start | 0, c + start | 0);
}

/** Rotations of __jhash_mix's six steps, five bits each. */
const ROTATIONS: i32 = 4 | (6 << 5) | (8 << 10) | (16 << 15) | (19 << 20) | (4 << 25);

/** __hash_from_tuple_v6: an address of four words, the ports, the protocol. */
export function jhashTuple6(w0: i32, w1: i32, w2: i32, w3: i32, ports: i32, proto: i32, seed: i32): i32 {
  let a: i32 = w0, b: i32 = w1, c: i32 = w2;
  for (let round: i32 = 0; round < 2; round++) {
    // A step of __jhash_mix works on (a, b, c), the next one on (b, c, a): the names move on instead.
    for (let step: i32 = 0; step < 30; step += 5) {
      const mixed: i32 = (a - c | 0) ^ rotate(c, (ROTATIONS >>> step) & 31);
      const sum: i32 = c + b | 0;
      a = b;
      b = sum;
      c = mixed;
    }
    if (round === 0) {
      a = a + w3 | 0;
      b = b + ports | 0;
      c = c + proto | 0;
    }
  }
  return jhashFinal(a + seed | 0, b, c);
}
