// npm run bench [-- --full] [--packets N] [--rounds N] [--largest N] [--only PART] [--no-save] [--compare A B]
import { mkdirSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runCompiles } from "./compile/run.ts";
import { CAPTURE_OPTIONS, runReplays } from "./e2e/replay.ts";
import { runCurves } from "./growth/curves.ts";
import { runMemory } from "./growth/memory.ts";
import { runPaths, STANDARD } from "./kernel/paths.ts";
import { comparison, readResults } from "./lib/compare.ts";
import { commitHash, cpuSlug, thisMachine } from "./lib/machine.ts";
import { plotsPage } from "./lib/plots.ts";
import { aboutCompile, aboutResults, type BenchResults, type CompileResults } from "./lib/results.ts";
import { compileTable, growthTable, memoryTable, microTable, pathsTable, peersTable, replayTable, targetsTable } from "./lib/tables.ts";
import { targetRows } from "./lib/targets.ts";
import { runMicro } from "./micro/run.ts";
import { runPeers } from "./peers/peers.ts";

const PARTS = ["micro", "paths", "replay", "peers", "growth", "compile"] as const;
/** What is only measured when asked for: the growth curves also by --full. */
const ON_DEMAND: readonly string[] = ["growth", "compile"];
const { values, positionals } = parseArgs({ allowPositionals: true, options: {
  full: { type: "boolean", default: false }, packets: { type: "string" }, rounds: { type: "string", default: "3" },
  largest: { type: "string", default: "Infinity" }, only: { type: "string" },
  compare: { type: "boolean", default: false }, "no-save": { type: "boolean", default: false },
} });
if (values.compare) {
  const [a, b] = positionals;
  if (a === undefined || b === undefined) throw new RangeError("--compare takes two files of bench/results");
  process.stdout.write(comparison(readResults(a), readResults(b)));
  process.exit(0);
}
const packets = Number(values.packets ?? (values.full ? "1000000" : "120000")), { only } = values;
const rounds = Number(values.rounds), largest = Number(values.largest);
/** How much a part does: the short form ends within two minutes on an idle machine, the full one within 25. Limits are seconds after which
 * no further round, or point of a curve, begins. */
const EXTENT = values.full
  ? { pathPackets: STANDARD.packets, newFlowRounds: rounds + 1, replaySeconds: 240, peerPackets: 10_000_000, steadyPackets: 1_000_000, peerSeconds: 240 }
  : { pathPackets: 200_000, newFlowRounds: rounds, replaySeconds: 20, peerPackets: 1_000_000, steadyPackets: 300_000, peerSeconds: 20 };
const GROWTH_SECONDS = 540;
if (!Number.isInteger(packets) || packets < CAPTURE_OPTIONS.flows) throw new RangeError(`--packets takes a whole number of at least ${CAPTURE_OPTIONS.flows}`);
if (Number.isNaN(largest)) throw new RangeError("--largest takes a number");
if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError("--rounds takes a whole number of at least 1");
if (only !== undefined && !PARTS.some((part) => part === only)) throw new RangeError(`--only takes one of ${PARTS.join(", ")}`);

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const wants = (part: (typeof PARTS)[number]): boolean => (only === undefined ? !ON_DEMAND.includes(part) || (part === "growth" && values.full) : part === only);
const machine = thisMachine(), [loadBefore = 0] = loadavg(), date = new Date().toISOString().slice(0, 10);
const name = `${date}-${cpuSlug(machine.cpu)}-node${machine.node.slice(1)}`;
const save = (file: string, text: string): void => {
  const path = fileURLToPath(new URL(`../../bench/results/${file}`, import.meta.url));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  say(`bench/results/${file}`);
};

if (wants("compile")) {
  const compiled: CompileResults = { format: "egwsim-bench-compile/1", date, commit: commitHash(), machine, compile: runCompiles(rounds, say) };
  process.stdout.write(`\n${aboutCompile(compiled)}\n\n${compileTable(compiled.compile)}\n`);
  if (!values["no-save"]) save(`compile/${name}.json`, `${JSON.stringify(compiled, null, 1)}\n`);
  process.exit(0);
}

interface Skipped { readonly what: string; readonly why: string }
const failed: Skipped[] = [];
/** A part that fails is left out with what it said, so that the others' figures are not lost. */
async function part<Result>(name: (typeof PARTS)[number], nothing: Result, run: () => Promise<Result>): Promise<Result> {
  if (!wants(name)) return nothing;
  try {
    return await run();
  } catch (error) {
    failed.push({ what: name, why: error instanceof Error ? error.message : String(error) });
    return nothing;
  }
}

const micro = await part("micro", [], runMicro);
const paths = await part("paths", { figures: [], nativeReason: null }, () =>
  runPaths({ ...STANDARD, packets: EXTENT.pathPackets }, ["wasm", "native", "ts"], { rounds: 2 * rounds, newFlowRounds: EXTENT.newFlowRounds }));
const replay = await part("replay", { figures: [], skipped: [] }, () => runReplays(packets, rounds, EXTENT.replaySeconds, say));
const peers = await part("peers", { figures: [], skipped: [] }, () => runPeers({
  packets: values.packets === undefined ? EXTENT.peerPackets : packets, steadyPackets: Math.min(EXTENT.steadyPackets, values.packets === undefined ? Infinity : packets),
  rounds, limitSeconds: EXTENT.peerSeconds,
}, say));
const growth = await part("growth", { points: [], skipped: [] }, () => runCurves({ rounds, largest, limitSeconds: GROWTH_SECONDS }, say));
const memory = await part("growth", { points: [], skipped: [] }, () => runMemory(largest, say));
const results: BenchResults = {
  format: "egwsim-bench/3", date, commit: commitHash(), machine, loadBefore, captureOptions: { ...CAPTURE_OPTIONS },
  micro, paths: paths.figures, replay: replay.figures, peers: peers.figures, growth: growth.points, memory: memory.points,
  skipped: [
    ...(paths.nativeReason === null ? [] : [{ what: "native yardstick", why: paths.nativeReason }]), ...replay.skipped, ...peers.skipped,
    ...growth.skipped, ...memory.skipped, ...failed,
  ],
};
const shown = [
  ...(only === undefined ? [targetsTable(targetRows(results))] : []), pathsTable(results.paths), microTable(results.micro), replayTable(results.replay),
  peersTable(results.peers), growthTable(results.growth), memoryTable(results.memory),
];
process.stdout.write(`\n${aboutResults(results)}\n\n${shown.filter((each) => each.includes("\n", each.indexOf("\n") + 1)).join("\n\n")}\n`);
if (only === undefined && !values["no-save"]) {
  save(`${name}.json`, `${JSON.stringify(results, null, 1)}\n`);
  save(`${name}.svg`, plotsPage(results));
  say("`node scripts/readme-figures.mjs` puts the tables into the README");
}
if (failed.length > 0) process.exitCode = 1;
