// What IPv4 and IPv6 do alike in the control plane, so that each rule is written once.
import {
  type IpAddress, type IpPrefix, isLinkLocal6, maskIpv4, maskIpv6, parseCidr, prefixContains, prefixContains6,
} from "../cluster/cidr.ts";
import type { PrefixOf } from "./tables.ts";

export interface AddressFamily<Address extends number | bigint> {
  /** 32 or 128. */
  readonly width: number;
  readonly none: Address;
  /** Of networks that are derived from an address: /24 and /64. */
  readonly networkBits: number;
  readonly addressOf: (address: IpAddress) => Address | null;
  readonly prefixOf: (prefix: IpPrefix) => PrefixOf<Address> | null;
  readonly mask: (prefix: PrefixOf<Address>) => PrefixOf<Address>;
  /** The `offset`th address of a network. */
  readonly nth: (network: PrefixOf<Address>, offset: number) => Address;
  /** Another host of the subnet, as a stand-in for its router; none where there is no other. */
  readonly neighbour: (own: PrefixOf<Address>) => Address;
  /** pkg/ip/ip.go: in none of the special-purpose ranges that the agent counts as private. */
  readonly isPublic: (address: Address) => boolean;
  readonly isLinkLocal: (address: Address) => boolean;
}

export const FAMILY_4: AddressFamily<number> = {
  width: 32,
  none: 0,
  networkBits: 24,
  addressOf: (address) => (address.family === 4 ? address.value : null),
  prefixOf: (prefix) => (prefix.family === 4 ? { address: prefix.address, bits: prefix.bits } : null),
  mask: (prefix) => {
    const { address, bits } = maskIpv4(prefix);
    return { address, bits };
  },
  nth: (network, offset) => (network.address + offset) >>> 0,
  neighbour: neighbour4,
  isPublic: (address) => !PRIVATE_4.some((prefix) => prefixContains(prefix, address)),
  isLinkLocal: () => false,
};

export const FAMILY_6: AddressFamily<bigint> = {
  width: 128,
  none: 0n,
  networkBits: 64,
  addressOf: (address) => (address.family === 6 ? address.value : null),
  prefixOf: (prefix) => (prefix.family === 6 ? { address: prefix.address, bits: prefix.bits } : null),
  mask: (prefix) => {
    const { address, bits } = maskIpv6(prefix);
    return { address, bits };
  },
  nth: (network, offset) => network.address + BigInt(offset),
  neighbour: neighbour6,
  isPublic: (address) => !private6().some((prefix) => prefixContains6(prefix, address)),
  isLinkLocal: isLinkLocal6,
};

export function addressesIn<Address extends number | bigint>(family: AddressFamily<Address>, addresses: readonly IpAddress[]): readonly Address[] {
  const found = new Set<Address>();
  for (const each of addresses) {
    const address = family.addressOf(each);
    if (address !== null) found.add(address);
  }
  return [...found];
}

/** Host bits are kept. */
export function prefixesIn<Address extends number | bigint>(
  family: AddressFamily<Address>,
  prefixes: readonly IpPrefix[],
): readonly PrefixOf<Address>[] {
  return prefixes.map(family.prefixOf).filter((prefix) => prefix !== null);
}

const LOW_64 = (1n << 64n) - 1n;
/** 2^64 divided by the golden ratio, odd: Fibonacci hashing. */
const SPREAD = 0x9e3779b97f4a7c15n;

/** An address as a key of Map and Set. V8 hashes a bigint by its lowest 64 bits, which a /64 for each node makes the same
 * few numbers over and over: writing and reading 50,000 pods of 1,000 nodes took 1.1 s, and takes 0.07 s with the upper half
 * mixed in. */
export function addressKey(address: number | bigint): number | bigint {
  return typeof address === "number" ? address : address ^ (((address >> 64n) * SPREAD) & LOW_64);
}

/** A prefix that this source file spells out. */
export function literalPrefix(text: string): IpPrefix {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new RangeError(`${text}: ${parsed.why}`);
  return parsed.value;
}

/** The first host address of a subnet, or the last where the device has the first itself; 0 where there is none. */
function neighbour4(own: PrefixOf<number>): number {
  if (own.bits >= 31) return own.bits === 31 ? (own.address ^ 1) >>> 0 : 0;
  const network = maskIpv4(own).address;
  const first = network + 1;
  const last = network + 2 ** (32 - own.bits) - 2;
  return own.address === first ? last : first;
}

/** The first address after the subnet's anycast one, or the second where the device has the first itself. */
function neighbour6(own: PrefixOf<bigint>): bigint {
  if (own.bits >= 127) return own.bits === 127 ? own.address ^ 1n : 0n;
  const network = maskIpv6(own).address;
  return own.address === network + 1n ? network + 2n : network + 1n;
}

const PRIVATE_4 = prefixesIn(
  FAMILY_4,
  [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
  ].map(literalPrefix),
);

let read6: readonly PrefixOf<bigint>[] | null = null;

/** Read when IPv6 is met: Node's own check of an IPv6 address takes 8 ms the first time. */
function private6(): readonly PrefixOf<bigint>[] {
  read6 ??= prefixesIn(
    FAMILY_6,
    ["::/128", "::1/128", "100::/64", "2001:2::/48", "2001:db8::/48", "fc00::/7", "fe80::/10", "ff00::/8"].map(literalPrefix),
  );
  return read6;
}
