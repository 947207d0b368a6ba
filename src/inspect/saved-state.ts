// Reads the state.jsonl that a replay left, line by line and with every line checked.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../cluster/input-error.ts";
import { CONNTRACK_MAPS } from "../observe/map-records.ts";
import { type ConntrackLine, type NatLine, type StateHeader, stateHeaderSchema, stateLineSchema } from "../observe/state-shape.ts";

export const STATE_FILE = "state.jsonl";

export interface SavedState {
  readonly header: StateHeader;
  /** By node's name. */
  readonly conntrack: ReadonlyMap<string, readonly ConntrackLine[]>;
  readonly nat: ReadonlyMap<string, readonly NatLine[]>;
}

const CURE = "name the folder that `egwsim replay --out DIR` wrote";
/** What the header announces is what may follow; a file that announces more than this was not made by a replay. */
const MOST_ENTRIES = 20_000_000;
/** Characters; the first line names every map of every node. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** `path`: the folder that a replay wrote, or the file itself. Throws InputError. */
export async function readState(path: string): Promise<SavedState> {
  const file = await stateFileIn(path);
  const conntrack = new Map<string, ConntrackLine[]>(), nat = new Map<string, NatLine[]>();
  let header: StateHeader | null = null, number = 0, left = 0;
  const broken = (message: string): InputError =>
    new InputError([{ at: { file, line: number, column: 1 }, subject: file, message, cure: "run the replay again" }]);
  const stream = createReadStream(file, "utf8");
  try {
    for await (const line of linesOf(stream)) {
      number++;
      if (line === null) throw broken("the line is too long for a state file");
      const value = jsonOf(line);
      if (header === null) {
        const parsed = stateHeaderSchema.safeParse(value);
        if (!parsed.success) throw broken(`the first line is not that of a state file of this version: ${faultOf(parsed.error)}`);
        header = parsed.data;
        left = header.maps.reduce((sum, { listed }) => sum + listed, 0);
        if (left > MOST_ENTRIES) throw broken(`${left} entries are announced, and ${MOST_ENTRIES} are the most that a replay saves`);
        continue;
      }
      if (left-- === 0) throw broken("more entries follow than the first line announces");
      const parsed = stateLineSchema.safeParse(value);
      if (!parsed.success) throw broken(`not an entry of a conntrack or NAT map: ${faultOf(parsed.error)}`);
      if (isConntrack(parsed.data)) append(conntrack, parsed.data);
      else append(nat, parsed.data);
    }
  } finally {
    stream.destroy();
  }
  if (header === null) throw broken("the file is empty");
  if (left > 0) throw broken(`the file ends early: ${left} entries are missing`);
  return { header, conntrack, nat };
}

async function stateFileIn(path: string): Promise<string> {
  const fail = (message: string): InputError => new InputError([{ at: null, subject: path, message, cure: CURE }]);
  const found = await stat(path).catch(() => null);
  if (found === null) throw fail("there is no such folder");
  if (!found.isDirectory()) return path;
  const file = join(path, STATE_FILE);
  if ((await stat(file).catch(() => null))?.isFile() !== true) throw fail(`the folder holds no ${STATE_FILE}`);
  return file;
}

/** Lines without their ends; null in place of one that is too long, and then no more. */
async function* linesOf(stream: AsyncIterable<string>): AsyncGenerator<string | null> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
    if (rest.length <= LONGEST_LINE) continue;
    yield null;
    return;
  }
  if (rest !== "") yield rest;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function faultOf(error: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] }): string {
  const [issue] = error.issues;
  return issue === undefined ? "unreadable" : `${issue.path.map(String).join(".")}: ${issue.message}`.replace(/^: /, "");
}

function isConntrack(line: ConntrackLine | NatLine): line is ConntrackLine {
  return (CONNTRACK_MAPS as readonly string[]).includes(line.map);
}

function append<Line extends { readonly node: string }>(lists: Map<string, Line[]>, line: Line): void {
  const list = lists.get(line.node);
  if (list === undefined) lists.set(line.node, [line]);
  else list.push(line);
}
