/** Protocols as the agent prints them (pkg/u8proto); the others are numbers. */
const PROTOCOLS: ReadonlyMap<number, string> = new Map([[0, "ANY"], [1, "ICMP"], [2, "IGMP"], [6, "TCP"], [17, "UDP"], [58, "ICMPv6"], [112, "VRRP"], [132, "SCTP"]]);

export function protocolName(protocol: number): string {
  return PROTOCOLS.get(protocol) ?? String(protocol);
}
