// Addresses as people write them, by themselves, so that who only prints addresses need not load what parses them.

/** Dotted quad of an unsigned 32-bit address in host order (10.0.0.1 = 0x0a000001). */
export function formatIpv4(address: number): string {
  return `${(address >>> 24) & 255}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as ::. */
export function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  let start = -1;
  let longest = 1;
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && groups[end] === 0) end++;
    if (end - at > longest) [start, longest] = [at, end - at];
    if (end > at) at = end;
  }
  const text = (from: number, to: number): string => groups.slice(from, to).map((group) => group.toString(16)).join(":");
  return start < 0 ? text(0, 8) : `${text(0, start)}::${text(start + longest, 8)}`;
}

/** An address of either family: a number is IPv4, a bigint IPv6. */
export function formatAddress(address: number | bigint): string {
  return typeof address === "bigint" ? formatIpv6(address) : formatIpv4(address);
}
