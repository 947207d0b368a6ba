/** Milliseconds of a clock that only goes forward, from some beginning on. By process.hrtime: node:perf_hooks takes 2 ms to load. */
export function milliseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
