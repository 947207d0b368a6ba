// Loaded ahead of the program (node --require): at its end, writes to descriptor 3 what the process took.
process.once("exit", () => {
  const taken = { processSeconds: performance.now() / 1000, peakBytes: process.resourceUsage().maxRSS * 1024 };
  if (require("node:worker_threads").isMainThread) require("node:fs").writeSync(3, JSON.stringify(taken));
});
