// What `cilium-dbg` on one node would list: data first, text made from it.
import { printable, printableJson } from "../observe/printable.ts";

export interface NodeListing {
  readonly node: string;
  /** As -o json prints it. */
  readonly data: unknown;
  /** Lines without their ends. */
  readonly lines: readonly string[];
}

/** One node's listing alone, or several under their nodes' names; a piece for each node, so that one is in memory at a time. */
export function* listingText(listings: Iterable<NodeListing>, single: boolean): Generator<string> {
  let first = true;
  for (const { node, lines } of listings) {
    const heading = single ? "" : `${first ? "" : "\n"}node ${node}\n`;
    first = false;
    yield `${heading}${lines.map((line) => `${printable(line)}\n`).join("")}`;
  }
}

/** One node's data alone, or an object of them by node. */
export function* listingJson(listings: Iterable<NodeListing>, single: boolean): Generator<string> {
  let count = 0;
  for (const { node, data } of listings) {
    const text = printableJson(JSON.stringify(data, null, 2));
    if (single) {
      yield `${text}\n`;
      return;
    }
    yield `${count++ === 0 ? "{" : ","}\n  ${JSON.stringify(node)}: ${text.replaceAll("\n", "\n  ")}`;
  }
  if (!single) yield count === 0 ? "{}\n" : "\n}\n";
}
