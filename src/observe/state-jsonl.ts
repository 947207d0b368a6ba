import { formatAddress } from "../cluster/cidr.ts";
import { inPieces } from "./line-pieces.ts";
import type { FlowMaps, MapRecord } from "./map-records.ts";
import type { ConntrackLine, NatLine, StateHeader } from "./state-shape.ts";

export type StateRun = Pick<StateHeader, "version" | "semantics" | "cluster" | "tables">;

/** Writes state.jsonl; `nodeNames` are those of the tables. */
export async function writeState(run: StateRun, maps: FlowMaps, nodeNames: readonly string[], write: (text: string) => Promise<void>): Promise<void> {
  const nameOf = (node: number): string => nodeNames[node] ?? "";
  const header: StateHeader = {
    schema: "egwsim-state/1", ...run, clock: maps.clock,
    maps: maps.fills.map(({ node, map, entries, listed }) => ({ node: nameOf(node), map, entries, listed })),
  };
  await inPieces(lines(header, maps.records, nameOf), write);
}

function* lines(header: StateHeader, records: Iterable<MapRecord>, nameOf: (node: number) => string): Generator<string> {
  yield `${JSON.stringify(header)}\n`;
  for (const record of records) yield `${JSON.stringify(stateLine(record, nameOf(record.node)))}\n`;
}

function stateLine(record: MapRecord, node: string): ConntrackLine | NatLine {
  const ends = { source: formatAddress(record.source), destination: formatAddress(record.destination) };
  return "toAddress" in record ? { ...record, ...ends, node, toAddress: formatAddress(record.toAddress) } : { ...record, ...ends, node };
}
