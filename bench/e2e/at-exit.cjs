// Loaded ahead of the program (node --require): at its end, writes to descriptor 3 what the process took.
const fs = require("node:fs");

/** Linux counts into ru_maxrss what the process was before its exec: the bench itself, 250 MiB. /proc does not. */
function peakBytes() {
  try {
    const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(fs.readFileSync("/proc/self/status", "utf8"));
    return Number(kib) * 1024;
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

process.once("exit", () => {
  const taken = { processSeconds: performance.now() / 1000, peakBytes: peakBytes() };
  if (require("node:worker_threads").isMainThread) fs.writeSync(3, JSON.stringify(taken));
});
