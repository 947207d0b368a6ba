import { alignRows, left } from "../observe/text-table.ts";

/** Columns with three blanks between them, as cilium-dbg and kubectl print them (Go's text/tabwriter). */
export function mapTable(header: readonly string[], rows: Iterable<readonly string[]>): readonly string[] {
  return alignRows([header, ...rows].map((row) => row.map((text) => left(text))), "");
}
