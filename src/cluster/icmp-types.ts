// Names that Cilium takes for ICMP types (pkg/policy/api/icmp.go, after the IANA registries).

const ICMP4: Readonly<Record<string, number>> = {
  EchoReply: 0, DestinationUnreachable: 3, Redirect: 5, Echo: 8, EchoRequest: 8, RouterAdvertisement: 9, RouterSelection: 10, TimeExceeded: 11,
  ParameterProblem: 12, Timestamp: 13, TimestampReply: 14, Photuris: 40, ExtendedEchoRequest: 42, ExtendedEchoReply: 43,
};
const ICMP6: Readonly<Record<string, number>> = {
  DestinationUnreachable: 1, PacketTooBig: 2, TimeExceeded: 3, ParameterProblem: 4, EchoRequest: 128, EchoReply: 129, MulticastListenerQuery: 130,
  MulticastListenerReport: 131, MulticastListenerDone: 132, RouterSolicitation: 133, RouterAdvertisement: 134, NeighborSolicitation: 135,
  NeighborAdvertisement: 136, RedirectMessage: 137, RouterRenumbering: 138, ICMPNodeInformationQuery: 139, ICMPNodeInformationResponse: 140,
  InverseNeighborDiscoverySolicitation: 141, InverseNeighborDiscoveryAdvertisement: 142, HomeAgentAddressDiscoveryRequest: 144,
  HomeAgentAddressDiscoveryReply: 145, MobilePrefixSolicitation: 146, MobilePrefixAdvertisement: 147, DuplicateAddressRequestCodeSuffix: 157,
  DuplicateAddressConfirmationCodeSuffix: 158, ExtendedEchoRequest: 160, ExtendedEchoReply: 161,
};

/** The type of that number or name, undefined where it is neither. */
export function icmpType(family: 4 | 6, written: number | string): number | undefined {
  const number = typeof written === "number" ? written : /^[0-9]{1,3}$/.test(written) ? Number(written) : undefined;
  if (number !== undefined) return Number.isInteger(number) && number >= 0 && number <= 255 ? number : undefined;
  const names = family === 4 ? ICMP4 : ICMP6;
  return typeof written === "string" && Object.hasOwn(names, written) ? names[written] : undefined;
}
