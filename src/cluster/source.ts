/** A place in an input file; line and column count from 1. */
export interface SourceRef {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export function formatSourceRef(at: SourceRef): string {
  return `${at.file}:${at.line}:${at.column}`;
}
