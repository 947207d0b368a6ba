// node scripts/scale-figures.mjs: puts the latest file of bench/results/compile into docs/scale.md, between its markers.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "bench", "results", "compile"), page = join(root, "docs", "scale.md");
const BEGIN = "<!-- figures: made by scripts/scale-figures.mjs from bench/results/compile -->", END = "<!-- end of figures -->";

const latest = readdirSync(folder).filter((name) => name.endsWith(".json")).sort().at(-1);
if (latest === undefined) throw new Error("bench/results/compile holds no file; `npm run bench -- --only compile` makes one");
const [{ compileTable }, { aboutCompile }] = await Promise.all(["tables.js", "results.js"].map((name) => import(pathToFileURL(join(root, "dist-bench", "bench", "lib", name)).href)));

const results = JSON.parse(readFileSync(join(folder, latest), "utf8")), text = readFileSync(page, "utf8");
const from = text.indexOf(BEGIN), to = text.indexOf(END);
if (from < 0 || to < from) throw new Error("docs/scale.md has no markers for the figures");
writeFileSync(page, `${text.slice(0, from)}${BEGIN}\n${aboutCompile(results)}\n\n${compileTable(results.compile)}\n${text.slice(to)}`);
