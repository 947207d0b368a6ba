// How long batches took: a histogram of constant size, eight steps to every doubling from a microsecond on.
const STEPS = 8, DOUBLINGS = 30;

export class BatchTimes {
  readonly counts = new Float64Array(STEPS * DOUBLINGS);

  add(milliseconds: number): void {
    const step = Math.round(Math.log2(milliseconds * 1000) * STEPS), last = this.counts.length - 1;
    this.counts[step < 0 || Number.isNaN(step) ? 0 : Math.min(step, last)]! += 1;
  }

  /** Seconds, within 5 %, that this share of the batches stayed below; 0 without any. */
  static quantile(histograms: readonly Float64Array[], share: number): number {
    const sum = (step: number): number => histograms.reduce((total, counts) => total + (counts[step] ?? 0), 0);
    const steps = Array.from({ length: STEPS * DOUBLINGS }, (_, step) => sum(step)), all = steps.reduce((a, b) => a + b, 0);
    let below = 0;
    for (const [step, count] of steps.entries()) {
      below += count;
      if (count > 0 && below >= share * all) return 2 ** (step / STEPS) / 1e6;
    }
    return 0;
  }
}
