// What the lists of conntrack and NAT entries have in common (pkg/tuple).
import { protocolName } from "./protocol-names.ts";
import { TUPLE_IN, TUPLE_RELATED, TUPLE_SERVICE } from "./tuple-flags.ts";

export interface ListedTuple {
  readonly protocol: number;
  readonly flags: number;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

/** `TCP OUT 10.244.1.23:43210 -> 203.0.113.10:443 ` */
export function tupleText({ protocol, flags, source, sourcePort, destination, destinationPort }: ListedTuple): string {
  const direction = (flags & TUPLE_SERVICE) !== 0 ? "SVC" : (flags & TUPLE_IN) !== 0 ? "IN" : "OUT";
  const related = (flags & TUPLE_RELATED) !== 0 ? "related " : "";
  return `${protocolName(protocol)} ${direction} ${endText(source, sourcePort)} -> ${endText(destination, destinationPort)} ${related}`;
}

/** The key as JSON, by the field names of Go's structs, which have no tags. */
export function keyRecord({ protocol, flags, source, sourcePort, destination, destinationPort }: ListedTuple): unknown {
  return { DestAddr: destination, SourceAddr: source, DestPort: destinationPort, SourcePort: sourcePort, NextHeader: protocol, Flags: flags };
}

export function endText(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
