// `bpf nat list` (pkg/maps/nat): one node's SNAT mappings, both halves. Keys are in packet order.
import type { NatLine } from "../observe/state-shape.ts";
import { endText, keyRecord, tupleText } from "./flow-map-text.ts";
import type { NodeListing } from "./listing.ts";
import { TUPLE_IN } from "./tuple-flags.ts";

/** `now`: the datapath's clock in seconds. */
export function natListing(node: string, entries: readonly NatLine[], now: number): NodeListing {
  return { node, data: entries.map(record), lines: entries.map((entry) => natText(entry, now)) };
}

export function natText(entry: NatLine, now: number): string {
  const which = (entry.flags & TUPLE_IN) === 0 ? "SRC" : "DST";
  return `${tupleText(entry)}XLATE_${which} ${endText(entry.toAddress, entry.toPort)} Created=${now - entry.created}sec ago NeedsCT=${entry.needsCt}`;
}

function record(entry: NatLine): unknown {
  return {
    Key: keyRecord(entry),
    Value: { Created: entry.created, NeedsCT: entry.needsCt, Addr: entry.toAddress, Port: entry.toPort },
  };
}
