// Numbers and names made from what is known, the same in every run.
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a, 32 bit, over the UTF-8 bytes of a text; what the agent spreads endpoints over gateways with
 * (pkg/egressgateway/policy.go). Unsigned. */
export function fnv1a32(text: string): number {
  let hash = FNV_OFFSET;
  for (const byte of Buffer.from(text, "utf8")) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0;
}

/** 02:<kind>:a.b.c.d as six bytes: locally administered, unique as the address is. */
export function macOfAddress(kind: number, address: number): readonly number[] {
  return [0x02, kind, ...octets(address)];
}

/** For a device without an IPv4 address. */
export function macOfName(name: string): readonly number[] {
  return [0x02, MAC_OF_NAME, ...octets(fnv1a32(name))];
}

export const MAC_OF_DEVICE = 0x00;
export const MAC_OF_POD = 0x00;
/** The node's side of a pod's device pair. */
export const MAC_OF_POD_PEER = 0x01;
const MAC_OF_NAME = 0x02;

/** A UID in the usual form for an object that has none. */
export function uidOfName(name: string): string {
  const digits = [0, 1, 2, 3].map((part) => fnv1a32(`${part}/${name}`).toString(16).padStart(8, "0")).join("");
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join("-");
}

export function endpointTitle(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

function octets(value: number): readonly number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}
