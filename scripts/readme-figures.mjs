// node scripts/readme-figures.mjs [FILE]: puts a results file (the latest without FILE) into the README, between its markers.
// --check changes nothing and fails where the README holds other figures than the file.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "bench", "results"), readme = join(root, "README.md");
const BEGIN = "<!-- figures: made by scripts/readme-figures.mjs from bench/results -->", END = "<!-- end of figures -->";

const fail = (text) => {
  process.stderr.write(`${text}\n`);
  process.exit(1);
};
const args = process.argv.slice(2);
const named = args.find((arg) => !arg.startsWith("--"));
const latest = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")).sort().at(-1) : undefined;
const file = named ?? (latest === undefined ? fail("bench/results holds no file; `npm run bench` makes one") : join(folder, latest));
const tables = join(root, "dist-bench", "bench", "lib");
if (!existsSync(join(tables, "tables.js"))) fail("the bench is not built; `npm run bench` builds it");
const [{ pathsTable, peersTable, replayTable, microTable, targetsTable }, { aboutResults }, { readResults }, { targetRows }] = await Promise.all(["tables.js", "results.js", "compare.js", "targets.js"].map((name) => import(pathToFileURL(join(tables, name)).href)));

const results = readResults(file);
const text = readFileSync(readme, "utf8");
const from = text.indexOf(BEGIN), to = text.indexOf(END);
if (from < 0 || to < from) fail("README.md has no markers for the figures");
const first = [[targetRows(results), targetsTable], [results.peers, peersTable]].filter(([rows]) => rows.length > 0).map(([rows, show]) => show(rows));
const folded = [["Paths of the kernel", results.paths, pathsTable], ["Replays", results.replay, replayTable], ["Single parts", results.micro, microTable]]
  .filter(([, rows]) => rows.length > 0).map(([title, rows, show]) => `<details><summary>${title}</summary>\n\n${show(rows)}\n\n</details>`);
const figures = `${BEGIN}\n${[aboutResults(results), ...first, ...folded].join("\n\n")}\n`;
const next = text.slice(0, from) + figures + text.slice(to);
if (args.includes("--check")) {
  if (next !== text) fail("README.md does not hold the figures of the results file; `node scripts/readme-figures.mjs` puts them in");
} else writeFileSync(readme, next);
