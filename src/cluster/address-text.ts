/** Dotted quad of an unsigned 32-bit address in host order (10.0.0.1 = 0x0a000001). By itself, so that who only prints
 * addresses need not load what parses them. */
export function formatIpv4(address: number): string {
  return `${(address >>> 24) & 255}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
