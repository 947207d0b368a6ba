// Text of recordings to the numbers of the tables, and back. What does not parse is a fault of the recording.
import { InputError } from "../cluster/input-error.ts";
import { ipv6Mask, parseAddress, parseCidr, parseIpv4 } from "../cluster/cidr.ts";
import type { Prefix, Prefix6 } from "../control/tables.ts";

const notAnAddress = (text: string, why: string): InputError =>
  new InputError([{ at: null, subject: `"${text}"`, message: why, cure: "recordings name addresses and prefixes here, each in its own family" }]);

export function ipv4(text: string): number {
  const parsed = parseIpv4(text);
  if (!parsed.ok) throw notAnAddress(text, parsed.why);
  return parsed.value;
}

/** Recordings repeat a few dozen addresses in thousands of rows, and parsing one takes 15 µs (measured). */
const knownIpv6 = new Map<string, bigint>();

export function ipv6(text: string): bigint {
  let address = knownIpv6.get(text);
  if (address === undefined) {
    address = parseIpv6(text);
    knownIpv6.set(text, address);
  }
  return address;
}

function parseIpv6(text: string): bigint {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw notAnAddress(text, parsed.why);
  if (parsed.value.family !== 6) throw notAnAddress(text, "an IPv4 address where only IPv6 can be");
  return parsed.value.value;
}

export function prefix4(text: string): Prefix {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw notAnAddress(text, parsed.why);
  if (parsed.value.family !== 4) throw notAnAddress(text, "an IPv6 prefix where only IPv4 can be");
  const { address, bits } = parsed.value;
  return { address: bits === 0 ? 0 : (address & (0xffffffff << (32 - bits))) >>> 0, bits };
}

export function prefix6(text: string): Prefix6 {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw notAnAddress(text, parsed.why);
  if (parsed.value.family !== 6) throw notAnAddress(text, "an IPv4 prefix where only IPv6 can be");
  const { address, bits } = parsed.value;
  return { address: address & ipv6Mask(bits), bits };
}

/** Host-order number to dotted text. */
export function dotted(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export function isIpv6Text(text: string): boolean { return text.includes(":"); }

/** Six numbers of a MAC address written with colons. */
export function mac(text: string): number[] { return text.split(":").map((digits) => Number.parseInt(digits, 16)); }
