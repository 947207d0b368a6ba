// What kind of traffic a recorded frame is, in the words of docs/fidelity.md.
const ETHERTYPES: ReadonlyMap<number, string> = new Map([[0x86dd, "IPv6"], [0x0806, "ARP"], [0x8100, "VLAN tag in the frame"], [0x88a8, "VLAN tag in the frame"]]);
const ICMP_ERRORS = new Set([3, 4, 5, 11, 12]), ICMP_ECHOES = new Set([0, 8]);
const ETH = 14, IPV4 = 0x0800;

export function trafficOf(frame: Buffer): string {
  const type = frame.readUInt16BE(12);
  if (type !== IPV4) return ETHERTYPES.get(type) ?? "other frames";
  if (frame.length < ETH + 20) return "other frames";
  const isFragment = (frame.readUInt16BE(ETH + 6) & 0x3fff) !== 0, icmpType = frame[ETH + ((frame[ETH] ?? 0) & 15) * 4] ?? -1;
  switch (frame[ETH + 9]) {
    case 6: return isFragment ? "TCP fragments" : "TCP";
    case 17: return isFragment ? "UDP fragments" : "UDP";
    case 132: return "SCTP";
    case 1: return isFragment ? "ICMP fragments" : ICMP_ERRORS.has(icmpType) ? "ICMP errors" : ICMP_ECHOES.has(icmpType) ? "ICMP echo" : "other ICMP";
    default: return "other IP protocols";
  }
}
