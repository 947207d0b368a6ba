import { createHash } from "node:crypto";
import type { DatapathTables } from "../control/tables.ts";

/** SHA-256 of the tables, in hexadecimal: tells whether manifests still say what they said when a state was saved. Where a policy
 * stands in which file does not count. */
export function tableDigest(tables: DatapathTables): string {
  const hash = createHash("sha256");
  // Part by part: the text of all of a large cluster's tables would be longer than need be in memory at one time.
  for (const [name, part] of Object.entries(tables)) hash.update(`${name}=${JSON.stringify(part, asText)}\n`);
  return hash.digest("hex");
}

function asText(key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  return key === "at" ? undefined : value instanceof Map ? [...value] : value;
}
