import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { InputError, type InputProblem } from "../cluster/input-error.ts";
import { STANDARD_INPUT } from "./open-capture.ts";
import { readPcapMagic } from "./pcap-format.ts";
import { SECTION_HEADER_BLOCK } from "./pcapng-format.ts";
import { systemFault } from "./system-fault.ts";

const CAPTURE_NAME = /\.(pcap|pcapng|cap|dmp)(\.gz)?$/i;

/** The captures that a command line names: files and `-` stay, a folder gives the captures in it (not in folders below),
 * known by their extension or first bytes and sorted by name. Rejects with one InputError that holds every path that is
 * missing, given twice, or a folder without captures. */
export async function expandCapturePaths(paths: readonly string[]): Promise<string[]> {
  const problems: InputProblem[] = [];
  const captures: string[] = [];
  for (const path of paths) {
    try {
      captures.push(...(path === STANDARD_INPUT ? [path] : expand(path)));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(...error.problems);
    }
  }
  problems.push(...findRepeated(captures));
  if (problems.length > 0) throw new InputError(problems);
  return captures;
}

function expand(path: string): string[] {
  const captures: string[] = [];
  try {
    if (!statSync(path).isDirectory()) return [path];
    for (const name of readdirSync(path).sort(byCodeUnits)) {
      const entry = join(path, name);
      if (isCapture(entry)) captures.push(entry);
    }
  } catch (error) {
    throw systemFault(path, "looking for captures", error);
  }
  if (captures.length > 0) return captures;
  const message = "no capture is in this folder (.pcap, .pcapng, .cap, .dmp, with or without .gz; folders below are not searched)";
  throw new InputError([{ at: null, subject: path, message, cure: "name the captures, or the folder that holds them" }]);
}

function isCapture(path: string): boolean {
  if (!isFile(path)) return false;
  if (CAPTURE_NAME.test(path)) return true;
  const head = new DataView(new ArrayBuffer(4));
  const file = openSync(path, "r");
  try {
    if (readSync(file, head, 0, 4, 0) < 4) return false;
  } finally {
    closeSync(file);
  }
  const magic = head.getUint32(0);
  return magic === SECTION_HEADER_BLOCK || readPcapMagic(magic) !== null;
}

/** A link that leads nowhere counts as a file, so that a capture named so is missed aloud. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return CAPTURE_NAME.test(path);
  }
}

function findRepeated(captures: readonly string[]): InputProblem[] {
  const problems: InputProblem[] = [];
  const seen = new Map<string, string>();
  for (const path of captures) {
    const file = path === STANDARD_INPUT ? path : realPath(path);
    const before = seen.get(file);
    if (before !== undefined) {
      const message = before === path ? "is given twice" : `is the same file as ${before}`;
      problems.push({ at: null, subject: path, message: `${message}: its packets would count twice`, cure: "give it once" });
    }
    seen.set(file, path);
  }
  return problems;
}

/** The path itself where there is no such file: opening it says so. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
