// Import the package for its function only: whether to paint is the caller's decision (terminal, NO_COLOR, --no-color).
import picocolors from "picocolors";

export interface Paint {
  readonly strong: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
}

export function makePaint(coloured: boolean): Paint {
  const colours = picocolors.createColors(coloured);
  return { strong: colours.bold, dim: colours.dim, good: colours.green, warn: colours.yellow, bad: colours.red };
}
