/** Dotted quad of an unsigned 32-bit address in host order (10.0.0.1 = 0x0a000001). */
export function formatIpv4(address: number): string {
  return `${(address >>> 24) & 255}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

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
