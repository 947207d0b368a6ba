// Where an object came from. Lines and columns are worked out only when something has to be said about the object: a
// dump of 50,000 pods needs none.
import type { SourceRef } from "./source.ts";

export type PathSegment = string | number;

/** One parsed document of an input file. */
export interface SourceDocument {
  readonly file: string;
  readonly value: unknown;
  /** Place of the value (or, with `atKey`, of its key) under a path; of the nearest ancestor where the path ends early. */
  locate(path: readonly PathSegment[], atKey?: boolean): SourceRef;
}

export interface Origin {
  readonly document: SourceDocument;
  readonly path: readonly PathSegment[];
}

export function placeOf(origin: Origin, ...below: readonly PathSegment[]): SourceRef {
  return origin.document.locate([...origin.path, ...below]);
}

export function keyPlaceOf(origin: Origin, ...below: readonly PathSegment[]): SourceRef {
  return origin.document.locate([...origin.path, ...below], true);
}

/** Order of reports: by file, then line, then column; what has no place comes first. */
export function compareRefs(a: SourceRef | null, b: SourceRef | null): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}

/** A path as the reader writes it: spec.selectors[0].podSelector. */
export function formatPath(path: readonly PathSegment[]): string {
  let text = "";
  for (const segment of path) {
    if (typeof segment === "number") text += `[${segment}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(segment)) text += text === "" ? segment : `.${segment}`;
    else text += `[${JSON.stringify(segment)}]`;
  }
  return text === "" ? "(document)" : text;
}
