// What a reader of the report can do about a drop. Reasons: the fact sheet's sections 1.5 and 2, and the recordings.

export interface DropPlace {
  readonly policy: string | null;
  readonly node: string | null;
  /** Kind and name of the network policy behind it. */
  readonly networkPolicy: string | null;
}

const policyOf = (place: DropPlace): string => place.policy ?? "the policy";
const nodeOf = (place: DropPlace): string => place.node ?? "the gateway";

const CURES: ReadonlyMap<number, (place: DropPlace) => string> = new Map<number, (place: DropPlace) => string>([
  [132, () => "the source is not the pod's address: spoofed, or the model gives the pod another address"],
  [133, (place) => `no rule of ${place.networkPolicy ?? "the pod's network policies"} allows it: add the destination to egress, or see explain`],
  [134, () => "malformed, or a fragment of an ICMP message"],
  [135, () => "the transport header is cut short or has no TCP flags"],
  [137, () => "only TCP, UDP and ICMP are tracked (SCTP with sctp.enabled)"],
  [139, () => "not IPv4, and the installation handles nothing else here"],
  [142, () => "only TCP, UDP and ICMP are handled (SCTP with sctp.enabled)"],
  [150, () => "the destination belongs to nothing that the node knows"],
  [154, () => "an SCTP checksum cannot be mended after a change of port"],
  [157, () => "fragment tracking is off: set enable-ipv4-fragment-tracking"],
  [158, () => "the service has no backend that is ready: give it endpoints, or mend its selector"],
  [166, () => "not an Ethernet II frame"],
  [167, () => "no free SNAT port towards one remote within 32 tries: spread over more egress IPs"],
  [168, () => "this ICMP type cannot be masqueraded; only echo can"],
  [169, (place) => `${nodeOf(place)} has no route to the destination: add it to the node's routes`],
  [170, () => "a pod may not send tunnel traffic of its own"],
  [171, () => "the tunnel key is reserved or unknown"],
  [175, () => "a later fragment came without its first one"],
  [181, (place) => `a deny rule of ${place.networkPolicy ?? "a network policy"} matches: deny rules win over every allow rule`],
  [182, () => "802.1Q tags are dropped unless bpf.vlanBypass lists them"],
  [189, (place) => `${place.networkPolicy ?? "a network policy"} asks for mutual authentication, which this run does not have`],
  [194, (place) => `no node matches the gateway selector of ${policyOf(place)}: label one or mend the selector`],
  [196, () => "the TTL ran out on the way; Cilium sends no ICMP here"],
  [204, (place) => `${nodeOf(place)} has no egress IP for ${policyOf(place)}: put the address on one of its devices`],
]);

/** A short sentence without a full stop; "" where nothing useful is known. */
export function dropCure(code: number, place: DropPlace): string {
  return CURES.get(code)?.(place) ?? "";
}
