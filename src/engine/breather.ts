import { milliseconds } from "./milliseconds.ts";

/** Between two looks at the event loop, milliseconds: what a signal waits at most. */
const LONGEST = 50;

/** A replay's main thread reads, waits for workers and writes without going back to its event loop: a promise or a message for each
 * chunk took more of it than reading did (docs/speed.md). This lets signals and news of failed workers in every now and then. */
export class Breather {
  #next = 0;

  get isDue(): boolean {
    return milliseconds() >= this.#next;
  }

  /** Until the event loop has been round once. */
  async breathe(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#next = milliseconds() + LONGEST;
  }

  /** What is left of the time without a look, at least a millisecond. */
  get left(): number {
    return Math.max(1, this.#next - milliseconds());
  }
}
