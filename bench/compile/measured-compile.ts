// One command over a large cluster in a process of its own, through the built command line; the last line says what it took.
import { performance } from "node:perf_hooks";
import type { runCommandLine as RunCommandLine } from "../../src/cli/program.ts";

const [dist, ...words] = process.argv.slice(2);
if (dist === undefined) throw new Error("usage: measured-compile DIST COMMAND…");

const { runCommandLine } = await import(dist) as { runCommandLine: typeof RunCommandLine };
let out = "", errors = "", lines = 0;
const code = await runCommandLine(words, {
  out: (text) => {
    lines += text.split("\n").length - 1;
    if (words[0] === "status") out += text;
  },
  err: (text) => void (errors += text), outIsTerminal: false, errIsTerminal: false, columns: 80, env: {}, cwd: process.cwd(),
});
if (code > 1) throw new Error(`${words.join(" ")} ended with ${code}: ${errors}`);
const { user, system } = process.cpuUsage();
const map = words[0] === "status" ? (JSON.parse(out) as { readonly maps: readonly unknown[] }).maps[0] : null;
process.stdout.write(`${JSON.stringify({
  map, lines, seconds: performance.now() / 1000, cpuSeconds: (user + system) / 1e6, peakBytes: process.resourceUsage().maxRSS * 1024,
})}\n`);
process.exit(0);
