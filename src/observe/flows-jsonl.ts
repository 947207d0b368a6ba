import { flowLine } from "./flow-line.ts";
import type { FlowRecord } from "./run-result.ts";
import type { TableNames } from "./table-names.ts";

/** Lines are handed over in pieces of about this many characters. */
const PIECE = 256 * 1024;

/** Walks the flows once: `see` gets each of them, `write` their lines. Plain iterables are walked without a promise per flow. */
export async function writeFlowLines(
  flows: AsyncIterable<FlowRecord> | Iterable<FlowRecord>,
  names: TableNames,
  see: (flow: FlowRecord) => void,
  write: (text: string) => Promise<void>,
): Promise<void> {
  let text = "";
  const add = (flow: FlowRecord): boolean => {
    see(flow);
    text += `${JSON.stringify(flowLine(flow, names))}\n`;
    return text.length >= PIECE;
  };
  const flush = async (): Promise<void> => {
    const piece = text;
    text = "";
    if (piece !== "") await write(piece);
  };
  if (Symbol.iterator in flows) {
    for (const flow of flows) if (add(flow)) await flush();
  } else {
    for await (const flow of flows) if (add(flow)) await flush();
  }
  await flush();
}
