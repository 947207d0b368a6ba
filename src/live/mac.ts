// MAC addresses as numbers below 2^48 (first byte lowest), so that sets and maps take them.
const TWO_32 = 4_294_967_296;

export const BROADCAST = 0xffff_ffff_ffff;

export function macAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
  return (low >>> 0) + ((bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8)) * TWO_32;
}

export function putMac(bytes: Uint8Array, at: number, mac: number): void {
  const low = mac % TWO_32, high = Math.floor(mac / TWO_32);
  bytes[at] = low & 0xff;
  bytes[at + 1] = (low >>> 8) & 0xff;
  bytes[at + 2] = (low >>> 16) & 0xff;
  bytes[at + 3] = low >>> 24;
  bytes[at + 4] = high & 0xff;
  bytes[at + 5] = high >>> 8;
}

export function macOf(bytes: readonly number[]): number { return macAt(Uint8Array.from(bytes), 0); }

/** IEEE 802: the first bit on the wire. */
export function isGroup(mac: number): boolean { return (mac & 1) === 1; }

/** The link-local address that a device with this MAC gives itself: a modified EUI-64 identifier (RFC 4291 section 2.5.6, appendix A). */
export function linkLocalOf(mac: number): bigint {
  const bytes = new Uint8Array(6);
  putMac(bytes, 0, mac);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  return [a ^ 2, b, c, 0xff, 0xfe, d, e, f].reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0xfe80n << 48n);
}
