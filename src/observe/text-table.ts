export interface Cell {
  readonly text: string;
  readonly align: "left" | "right";
  /** Paints the cell after it was padded; absent: as it is. */
  readonly paint?: (text: string) => string;
}

export const left = (text: string, paint?: Cell["paint"]): Cell => (paint === undefined ? { text, align: "left" } : { text, align: "left", paint });
export const right = (text: string, paint?: Cell["paint"]): Cell => (paint === undefined ? { text, align: "right" } : { text, align: "right", paint });

/** Rows with columns of equal width, `gap` between them; trailing blanks are cut off. Rows may differ in length: the last
 * left-aligned cell of a row does not widen its column. */
export function alignRows(rows: readonly (readonly Cell[])[], indent: string, gap = "   "): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      if (column === row.length - 1 && cell.align === "left") return;
      widths[column] = Math.max(widths[column] ?? 0, cell.text.length);
    });
  }
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0;
      const isLast = column === row.length - 1;
      const padded = cell.align === "right" ? cell.text.padStart(width) : isLast ? cell.text : cell.text.padEnd(width);
      return cell.paint === undefined || cell.text === "" ? padded : cell.paint(padded);
    });
    return (indent + cells.join(gap)).trimEnd();
  });
}

/** Cuts text to `width` characters; what was cut off shows as an ellipsis. */
export function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
