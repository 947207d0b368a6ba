import { formatAddress } from "../cluster/address-text.ts";
import type { Address } from "./run-result.ts";

export { formatAddress, formatIpv4 } from "../cluster/address-text.ts";

/** 0 and 0n are "no address" in every table of ours. */
export function formatAddressOrNull(address: Address): string | null {
  return address === 0 || address === 0n ? null : formatAddress(address);
}

/** With a port as one writes it, an IPv6 address in brackets (RFC 3986 section 3.2.2). */
export function formatEnd(address: Address, port: number): string {
  return typeof address === "bigint" ? `[${formatAddress(address)}]:${port}` : `${formatAddress(address)}:${port}`;
}

// IANA's protocol numbers; the spelling is Hubble's for those that it names.
const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [1, "ICMPv4"], [2, "IGMP"], [4, "IPIP"], [6, "TCP"], [17, "UDP"], [41, "IPv6"], [47, "GRE"], [50, "ESP"], [51, "AH"],
  [58, "ICMPv6"], [89, "OSPF"], [103, "PIM"], [112, "VRRP"], [132, "SCTP"],
]);

/** Name of an IP protocol, or its number as text. */
export function formatProtocol(protocol: number): string {
  return PROTOCOL_NAMES.get(protocol) ?? String(protocol);
}
