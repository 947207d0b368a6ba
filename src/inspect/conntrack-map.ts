// `bpf ct list` (pkg/maps/ctmap): one node's conntrack entries. The map's key has source and destination the other way round
// than the packet; the list turns them back (cilium issue 5848).
import type { ConntrackLine } from "../observe/state-shape.ts";
import { keyRecord, tupleText } from "./flow-map-text.ts";
import type { NodeListing } from "./listing.ts";
import { TUPLE_SERVICE } from "./tuple-flags.ts";

const STATE_BITS: readonly (readonly [bit: number, name: string])[] = [
  [1, "RxClosing"], [2, "TxClosing"], [4, "Nat64"], [8, "LBLoopback"], [16, "SeenNonSyn"], [32, "NodePort"], [64, "ProxyRedirect"],
  [128, "DSRInternal"], [256, "FromL7LB"], [512, "Reserved1"], [1024, "FromTunnel"],
];

/** `now`: the datapath's clock in seconds, for the time that each entry has left; null: without. */
export function conntrackListing(node: string, entries: readonly ConntrackLine[], now: number | null): NodeListing {
  return { node, data: entries.map(record), lines: entries.map((entry) => conntrackText(entry, now)) };
}

export function conntrackText(entry: ConntrackLine, now: number | null): string {
  const remaining = now === null ? "" : ` (remaining: ${entry.expires - now} sec(s))`;
  return `${tupleText(turned(entry))}expires=${entry.expires}${remaining} Packets=${entry.packets} Bytes=${entry.bytes} ` +
    `RxFlagsSeen=${hex(entry.rxFlagsSeen, 2)} LastRxReport=${entry.lastRxReport} ` +
    `TxFlagsSeen=${hex(entry.txFlagsSeen, 2)} LastTxReport=${entry.lastTxReport} ` +
    `Flags=${hex(entry.state, 4)} [ ${stateNames(entry.state)}] RevNAT=${entry.revNat} SourceSecurityID=${entry.identity} BackendID=${entry.backendId} NatPort=0`;
}

/** Of a service's entry it is the ports of the key that are the other way round (cilium pull request 32563). */
function turned({ source, destination, ...rest }: ConntrackLine): ConntrackLine {
  if ((rest.flags & TUPLE_SERVICE) !== 0) return { ...rest, source, destination, sourcePort: rest.destinationPort, destinationPort: rest.sourcePort };
  return { ...rest, source: destination, destination: source };
}

function stateNames(state: number): string {
  return STATE_BITS.flatMap(([bit, name]) => ((state & bit) === 0 ? [] : [`${name} `])).join("");
}

/** Go's %#0Nx. */
function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

function record(entry: ConntrackLine): unknown {
  return {
    Key: keyRecord(entry),
    Value: {
      Packets: entry.packets, Bytes: entry.bytes, Lifetime: entry.expires, Flags: entry.state, RevNAT: entry.revNat, TxFlagsSeen: entry.txFlagsSeen,
      RxFlagsSeen: entry.rxFlagsSeen, SourceSecurityID: entry.identity, LastTxReport: entry.lastTxReport, LastRxReport: entry.lastRxReport,
      // The second half of a union of 16 bytes (struct ct_entry).
      Union0: [0, entry.backendId],
    },
  };
}
