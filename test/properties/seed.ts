/** One seed for all properties; PROPERTY_SEED makes another run, PROPERTY_RUNS a longer one. It stands in the names of the
 * tests, and fast-check adds the path of a counterexample. */
export const SEED = Number(process.env["PROPERTY_SEED"] ?? 1);
const FACTOR = Number(process.env["PROPERTY_RUNS"] ?? 1);

export const seeded = `seed ${SEED}`;

/** Settings of a property that takes `runs` runs. */
export function settings(runs: number): { readonly seed: number; readonly numRuns: number } {
  return { seed: SEED, numRuns: Math.ceil(runs * FACTOR) };
}
