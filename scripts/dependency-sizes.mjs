// node scripts/dependency-sizes.mjs: puts the runtime dependencies, as installed, with their sizes into CONTRIBUTING.md.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const page = join(root, "CONTRIBUTING.md");
const BEGIN = "<!-- runtime dependencies: made by scripts/dependency-sizes.mjs -->", END = "<!-- end of runtime dependencies -->";
const REASONS = {
  commander: "command line and help", "ip-num": "addresses and prefixes of the control plane", picocolors: "colour", piscina: "worker threads",
  yaml: "manifests with line and column", zod: "schemas of manifests, recordings and reports", "@napi-rs/nice": "of piscina, optional", "raw-socket": "`egwsim tap --emit raw`, optional",
  nan: "of raw-socket, optional",
};

function bytesOf(path) {
  const stat = statSync(path);
  return stat.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0) : stat.size;
}

const npm = process.platform === "win32" ? "npm.cmd" : "npm";
const paths = execFileSync(npm, ["ls", "--all", "--omit=dev", "--parseable"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
  .split("\n").filter((path) => path.includes("node_modules"));
const rows = paths.map((path) => {
  const name = relative(join(root, "node_modules"), path).replaceAll("\\", "/");
  const { version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  return { name, text: `| ${name} | ${version} | ${license} | ${(bytesOf(path) / 1024).toFixed(0)} KiB | ${REASONS[name] ?? "of @napi-rs/nice, one per platform, optional"} |` };
}).sort((a, b) => (a.name < b.name ? -1 : 1));
const table = ["| package | version | licence | size | for |", "|---|---|---|---:|---|", ...rows.map(({ text }) => text)].join("\n");
const text = readFileSync(page, "utf8"), from = text.indexOf(BEGIN), to = text.indexOf(END);
if (from < 0 || to < from) throw new Error("CONTRIBUTING.md has no markers for the dependencies");
writeFileSync(page, `${text.slice(0, from)}${BEGIN}\n${table}\n${text.slice(to)}`);
