import { closestName } from "../cluster/spelling.ts";

/** "did you mean cluster?" where a known word is near; otherwise the list of what there is. */
export function didYouMean(word: string, known: readonly string[]): string {
  const nearest = closestName(word, known);
  return nearest === null ? `known: ${known.join(", ")}` : `did you mean ${nearest}?`;
}
