// The Internet checksum (RFC 1071) of bytes on the main thread; the kernel has its own over its memory (kernel/wire/checksum.ts).

/** Sum of the bytes as 16-bit words in network order, a last odd byte padded with zero; not folded. */
export function halvesOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let k = 0; k < bytes.length; k += 2) sum += (bytes[k] ?? 0) * 256 + (bytes[k + 1] ?? 0);
  return sum;
}

/** What belongs into the checksum's field, which counts as zero; over bytes that hold it already: 0 where it is right. `seed`:
 * what is summed beside them, of a pseudo-header. */
export function internetChecksum(bytes: Uint8Array, seed: number): number {
  let sum = seed + halvesOf(bytes);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
