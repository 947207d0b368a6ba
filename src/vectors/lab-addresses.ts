// Text of recordings to the numbers of the tables. What does not parse is a fault of the recording.
import { InputError } from "../cluster/input-error.ts";
import { parseCidr, parseIpv4 } from "../cluster/cidr.ts";
import type { Prefix } from "../control/tables.ts";

const notAnAddress = (text: string, why: string): InputError =>
  new InputError([{ at: null, subject: `"${text}"`, message: why, cure: "recordings name IPv4 addresses and prefixes here" }]);

export function ipv4(text: string): number {
  const parsed = parseIpv4(text);
  if (!parsed.ok) throw notAnAddress(text, parsed.why);
  return parsed.value;
}

export function prefix4(text: string): Prefix {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw notAnAddress(text, parsed.why);
  if (parsed.value.family !== 4) throw notAnAddress(text, "an IPv6 prefix where only IPv4 can be");
  const { address, bits } = parsed.value;
  return { address: bits === 0 ? 0 : (address & (0xffffffff << (32 - bits))) >>> 0, bits };
}

/** Host-order number to dotted text. */
export function dotted(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export function isIpv6Text(text: string): boolean { return text.includes(":"); }

/** Six numbers of a MAC address written with colons. */
export function mac(text: string): number[] { return text.split(":").map((digits) => Number.parseInt(digits, 16)); }
