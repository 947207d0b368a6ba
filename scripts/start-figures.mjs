// node scripts/start-figures.mjs: puts the latest file of bench/results/start into the README, between its markers.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "bench", "results", "start"), readme = join(root, "README.md");
const BEGIN = "<!-- start: made by scripts/start-figures.mjs from bench/results/start -->", END = "<!-- end of start -->";

const latest = readdirSync(folder).filter((name) => name.endsWith(".json")).sort().at(-1);
if (latest === undefined) throw new Error("bench/results/start holds no file; `npm run bench:start` makes one");
const { aboutStart, startTable } = await import(pathToFileURL(join(root, "dist-bench", "bench", "start", "figures.js")).href);

const results = JSON.parse(readFileSync(join(folder, latest), "utf8")), text = readFileSync(readme, "utf8");
const from = text.indexOf(BEGIN), to = text.indexOf(END);
if (from < 0 || to < from) throw new Error("README.md has no markers for the start's figures");
writeFileSync(readme, `${text.slice(0, from)}${BEGIN}\n${aboutStart(results)}\n\n${startTable(results.start)}\n${text.slice(to)}`);
