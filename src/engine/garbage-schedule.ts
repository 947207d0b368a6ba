// When the agents collect conntrack garbage (pkg/maps/ctmap/gc): first after 5 minutes, then by how much there was to
// collect, between 10 s and 12 h. Every node has its own interval; all on the capture's clock.
const FIRST_S = 300, SHORTEST_S = 10, LONGEST_S = 43_200;

/** Rounds that one gap in the capture's time may trigger; an idle cluster needs no more. */
export const MAX_ROUNDS_PER_GAP = 64;

/** pkg/maps/ctmap GetInterval: a quarter deleted shortens by that share (at most 90 %), under 5 % lengthens by half. */
export function nextInterval(previous: number, deletedShare: number): number {
  if (deletedShare > 0.25) return Math.max(SHORTEST_S, Math.round(previous * (1 - Math.min(deletedShare, 0.9))));
  return deletedShare < 0.05 ? Math.min(LONGEST_S, Math.round(previous * 1.5)) : previous;
}

export class GarbageSchedule {
  readonly #next: Float64Array;
  readonly #interval: Float64Array;
  /** Clock of the earliest collection that is due; no node, no collection. */
  nextDue: number;

  constructor(nodes: number, start: number) {
    this.#interval = new Float64Array(nodes).fill(FIRST_S);
    this.#next = new Float64Array(nodes).fill(start + FIRST_S);
    this.nextDue = nodes === 0 ? Number.POSITIVE_INFINITY : start + FIRST_S;
  }

  /** Is the node's collection due at `now`? */
  isDue(node: number, now: number): boolean {
    return (this.#next[node] ?? Number.POSITIVE_INFINITY) <= now;
  }

  /** Takes what a collection at `now` found on a node: the largest deleted share of its maps. */
  collected(node: number, now: number, deletedShare: number): void {
    const interval = nextInterval(this.#interval[node] ?? FIRST_S, deletedShare);
    this.#interval[node] = interval;
    this.#next[node] = now + interval;
  }

  /** To be called when all nodes of a round have reported. */
  settle(): void {
    this.nextDue = this.#next.reduce((least, next) => Math.min(least, next), Number.POSITIVE_INFINITY);
  }

  /** Moves every collection that is still due past `now`: the rest of a long gap with nothing to collect. */
  skipTo(now: number): void {
    for (const [node, next] of this.#next.entries()) if (next <= now) this.#next[node] = now + (this.#interval[node] ?? FIRST_S);
    this.settle();
  }
}
