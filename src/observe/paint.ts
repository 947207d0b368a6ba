// Import the package for its function only: whether to paint is the caller's decision (terminal, NO_COLOR, --no-color).
import picocolors from "picocolors";

export interface Paint {
  readonly strong: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
}

const asItIs = (text: string): string => text;
const NO_PAINT: Paint = { strong: asItIs, dim: asItIs, good: asItIs, warn: asItIs, bad: asItIs };

/** Without colour the package is not asked, which as it is loaded looks at standard output and thereby loads Node's streams. */
export function makePaint(coloured: boolean): Paint {
  if (!coloured) return NO_PAINT;
  const colours = picocolors.createColors(coloured);
  return { strong: colours.bold, dim: colours.dim, good: colours.green, warn: colours.yellow, bad: colours.red };
}
