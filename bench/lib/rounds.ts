/** Rounds until there are as many as wanted or the next one would end after the limit, one at least. Returns how many there were. */
export async function rounds(wanted: number, limitSeconds: number, round: (number: number) => Promise<void>): Promise<number> {
  const start = performance.now();
  let longest = 0;
  for (let number = 1; number <= wanted; number++) {
    const before = performance.now();
    if (number > 1 && before - start + longest > limitSeconds * 1000) return number - 1;
    await round(number);
    longest = Math.max(longest, performance.now() - before);
  }
  return wanted;
}
