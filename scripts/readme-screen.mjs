// node scripts/readme-screen.mjs: runs on the built program the README's commands that show their output (one command to a
// block marked console, something below it) and puts in what they print. --check changes nothing and fails where the README
// shows something else, but for times.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const readme = join(root, "README.md");
const isCheck = process.argv.includes("--check");
const timeless = (screen) => screen.replace(/[\d.]+ s, [\d.]+ [kM]? ?packets\/s/g, "TIME").trim();
const env = { ...process.env, NO_COLOR: "1", GITHUB_ACTIONS: undefined, EGWSIM_WORKERS: undefined, EGWSIM_KERNEL: undefined };
let blocks = 0;

const text = readFileSync(readme, "utf8");
const next = text.replace(/^```console\n(\$ npx egwsim (.*?)(?: +# exit code (\d))?\n)((?!\$|```)[\s\S]+?)^```$/gm, (whole, commandLine, command, exitCode = "0", shown) => {
  blocks++;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["dist/bin/main.js", ...command.split(" ")], { cwd: root, encoding: "utf8", env });
  if (status !== Number(exitCode)) throw new Error(`\`${command}\` ended with ${status}, not ${exitCode}: ${stderr}`);
  if (isCheck && timeless(stdout) !== timeless(shown)) throw new Error(`README.md shows something else than \`${command}\` prints; \`node scripts/readme-screen.mjs\` puts that in`);
  return `\`\`\`console\n${commandLine}${stdout.trimEnd()}\n\`\`\``;
});
if (blocks === 0) throw new Error("README.md shows no output");
if (!isCheck) writeFileSync(readme, next);
