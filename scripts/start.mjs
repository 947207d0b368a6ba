// npm start: builds, then replays the bundled captures. Their model has faults on purpose, so that the report shows what a
// fault looks like: the replay's exit code 1 (findings) is this script's success. Arguments go on to the replay.
import { spawnSync } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
process.chdir(root);

function run(script, args) {
  const { status, error } = spawnSync(process.execPath, [script, ...args], { stdio: "inherit" });
  if (error !== undefined) throw error;
  // null: a signal ended it, and npm passes the same signal to this process.
  return status ?? 3;
}

const built = run("scripts/build.mjs", []);
if (built !== 0) process.exit(built);
const bundled = ["replay", "fixtures/captures", "--cluster", "fixtures/cluster", "--out", "out", "--force"];
const exitCode = run("dist/bin/main.js", [...bundled, ...process.argv.slice(2)]);
process.exit(exitCode === 1 ? 0 : exitCode);
