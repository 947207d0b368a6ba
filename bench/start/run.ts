// npm run bench:start [-- --rounds N --no-save]: what the start of a process takes, Node.js alone, --help and replays of 1,000 packets,
// in turns, so that a slow minute of the machine hits each of them and not one.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runGenerate } from "../../src/generate/generate.ts";
import { commitHash, cpuSlug, thisMachine } from "../lib/machine.ts";
import { spreadOf } from "../lib/median.ts";
import { aboutStart, startTable, type StartResults } from "./figures.ts";

const MAIN = fileURLToPath(new URL("../../../dist/bin/main.js", import.meta.url));
const RESULTS = fileURLToPath(new URL("../../../bench/results/start/", import.meta.url));

interface Started {
  readonly what: string;
  readonly args: readonly string[];
}

/** Milliseconds that a process took; a replay may end with findings. */
function timeOf({ what, args }: Started): number {
  const before = performance.now(), { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  const took = performance.now() - before;
  if (status !== 0 && status !== 1) throw new Error(`${what} ended with ${String(status)}: ${stderr}`);
  return took;
}

async function measured(folder: string, rounds: number): Promise<StartResults> {
  const [loadBefore = 0] = loadavg();
  const { capture, cluster } = await runGenerate({ out: join(folder, "made"), packets: 1000 });
  const replay = [MAIN, "replay", capture, "--cluster", cluster];
  const all: readonly Started[] = [
    { what: "`node -e 0`", args: ["-e", "0"] },
    { what: "`egwsim --help`", args: [MAIN, "--help"] },
    { what: "`egwsim replay`, 1,000 packets, nothing written", args: replay },
    { what: "`egwsim replay`, 1,000 packets, every file written", args: [...replay, "--out", join(folder, "out"), "--force"] },
  ];
  const samples = all.map((): number[] => []);
  for (let round = 0; round < rounds; round++) for (const [k, each] of all.entries()) samples[k]?.push(timeOf(each));
  return {
    format: "egwsim-bench-start/1", date: new Date().toISOString().slice(0, 10), commit: commitHash(), machine: thisMachine(), loadBefore, rounds,
    start: all.map(({ what }, k) => ({ what, milliseconds: spreadOf(samples[k] ?? []) })),
  };
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "31" }, "no-save": { type: "boolean", default: false } } });
const folder = mkdtempSync(join(tmpdir(), "egwsim-bench-"));
try {
  const results = await measured(folder, Number(values.rounds));
  console.log(`${aboutStart(results)}\n\n${startTable(results.start)}`);
  if (!values["no-save"]) {
    const file = join(RESULTS, `${results.date}-${cpuSlug(results.machine.cpu)}-node${process.versions.node}.json`);
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
    console.log(`\nwritten to ${file}; node scripts/start-figures.mjs puts it into the README`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
