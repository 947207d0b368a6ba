// One replay in a process of its own, through the built command line; the last line of standard output says what it took.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { runCommandLine as RunCommandLine } from "../../src/cli/program.ts";

const [dist, capture, cluster, out, workers, kernel, write] = process.argv.slice(2);
if (dist === undefined || capture === undefined || cluster === undefined || out === undefined || workers === undefined || kernel === undefined || write === undefined)
  throw new Error("usage: measured-replay DIST CAPTURE CLUSTER OUT WORKERS ts|wasm all|none");

// The built program, as a user runs it, not the copy that was compiled along with the bench.
const { runCommandLine } = await import(dist) as { runCommandLine: typeof RunCommandLine };
let errors = "";
const exitCode = await runCommandLine(
  ["replay", capture, "--cluster", cluster, "--out", out, "--force", "--write", write === "all" ? "pod,overlay,external,trace,flows" : "none",
    "--workers", workers, "--kernel", kernel, "--quiet"],
  { out: () => undefined, err: (text) => void (errors += text), outIsTerminal: false, errIsTerminal: false, columns: 80, env: {}, cwd: process.cwd() },
);
if (exitCode > 1) throw new Error(`the replay ended with ${exitCode}: ${errors}`);
const { outcomes, timing, maps } = JSON.parse(readFileSync(join(out, "report.json"), "utf8")) as
  { outcomes: { received: { packets: number } }; timing: unknown; maps: { conntrackEvicted: number; natEvicted: number } };
rmSync(out, { recursive: true });
process.stdout.write(`${JSON.stringify({
  packets: outcomes.received.packets, timing, evicted: maps.conntrackEvicted + maps.natEvicted, processSeconds: performance.now() / 1000, peakBytes: process.resourceUsage().maxRSS * 1024,
})}\n`);
process.exit(0);
