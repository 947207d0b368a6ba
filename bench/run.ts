// npm run bench [-- --packets N] [--rounds N] [--only micro|replay|compile] [--no-save]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runCompiles } from "./compile/run.ts";
import { CAPTURE_OPTIONS, runReplays } from "./e2e/replay.ts";
import { commitHash, cpuSlug, thisMachine } from "./lib/machine.ts";
import { aboutCompile, aboutResults, type BenchResults, type CompileResults } from "./lib/results.ts";
import { compileTable, microTable, replayTable } from "./lib/tables.ts";
import { runMicro } from "./micro/run.ts";

const { values } = parseArgs({ options: {
  packets: { type: "string", default: "120000" }, rounds: { type: "string", default: "3" }, only: { type: "string" },
  "no-save": { type: "boolean", default: false },
} });
const packets = Number(values.packets), rounds = Number(values.rounds), { only } = values;
if (!Number.isInteger(packets) || packets < CAPTURE_OPTIONS.flows) throw new RangeError(`--packets takes a whole number of at least ${CAPTURE_OPTIONS.flows}`);
if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError("--rounds takes a whole number of at least 1");
if (only !== undefined && only !== "micro" && only !== "replay" && only !== "compile") throw new RangeError("--only takes micro, replay or compile");

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const machine = thisMachine();
const date = new Date().toISOString().slice(0, 10);
const name = `${date}-${cpuSlug(machine.cpu)}-node${machine.node.slice(1)}.json`;
const save = (folder: string, what: unknown): void => {
  const path = fileURLToPath(new URL(`../../bench/results/${folder}`, import.meta.url));
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, name), `${JSON.stringify(what, null, 1)}\n`);
  say(`bench/results/${folder}${name}`);
};

if (only === "compile") {
  const compiled: CompileResults = { format: "egwsim-bench-compile/1", date, commit: commitHash(), machine, compile: runCompiles(rounds, say) };
  process.stdout.write(`\n${aboutCompile(compiled)}\n\n${compileTable(compiled.compile)}\n`);
  if (!values["no-save"]) save("compile/", compiled);
  process.exit(0);
}

const results: BenchResults = {
  format: "egwsim-bench/1", date, commit: commitHash(), machine, captureOptions: { ...CAPTURE_OPTIONS },
  micro: only === "replay" ? [] : await runMicro(),
  replay: only === "micro" ? [] : await runReplays(packets, rounds, say),
};
process.stdout.write(`\n${aboutResults(results)}\n\n${microTable(results.micro)}\n\n${replayTable(results.replay)}\n`);
if (only === undefined && !values["no-save"]) {
  save("", results);
  say("`node scripts/readme-figures.mjs` puts it into the README");
}
