import { formatIpv4 } from "../cluster/address-text.ts";

export { formatIpv4 } from "../cluster/address-text.ts";

/** 0 is "no address" in every table of ours. */
export function formatIpv4OrNull(address: number): string | null {
  return address === 0 ? null : formatIpv4(address);
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
