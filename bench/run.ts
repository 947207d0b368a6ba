// npm run bench [-- --packets N] [--rounds N] [--only micro|replay] [--no-save]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CAPTURE_OPTIONS, runReplays } from "./e2e/replay.ts";
import { commitHash, cpuSlug, thisMachine } from "./lib/machine.ts";
import { aboutResults, type BenchResults } from "./lib/results.ts";
import { microTable, replayTable } from "./lib/tables.ts";
import { runMicro } from "./micro/run.ts";

const { values } = parseArgs({ options: {
  packets: { type: "string", default: "120000" }, rounds: { type: "string", default: "3" }, only: { type: "string" }, "no-save": { type: "boolean", default: false },
} });
const packets = Number(values.packets), rounds = Number(values.rounds), { only } = values;
if (!Number.isInteger(packets) || packets < CAPTURE_OPTIONS.flows) throw new RangeError(`--packets takes a whole number of at least ${CAPTURE_OPTIONS.flows}`);
if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError("--rounds takes a whole number of at least 1");
if (only !== undefined && only !== "micro" && only !== "replay") throw new RangeError("--only takes micro or replay");

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const machine = thisMachine();
const results: BenchResults = {
  format: "egwsim-bench/1", date: new Date().toISOString().slice(0, 10), commit: commitHash(), machine, captureOptions: { ...CAPTURE_OPTIONS },
  micro: only === "replay" ? [] : await runMicro(),
  replay: only === "micro" ? [] : await runReplays(packets, rounds, say),
};
process.stdout.write(`\n${aboutResults(results)}\n\n${microTable(results.micro)}\n\n${replayTable(results.replay)}\n`);
if (only === undefined && !values["no-save"]) {
  const folder = fileURLToPath(new URL("../../bench/results/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const name = `${results.date}-${cpuSlug(machine.cpu)}-node${machine.node.slice(1)}.json`;
  writeFileSync(join(folder, name), `${JSON.stringify(results, null, 1)}\n`);
  say(`bench/results/${name}; \`node scripts/readme-figures.mjs\` puts it into the README`);
}
