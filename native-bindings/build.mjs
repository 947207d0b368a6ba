// npm's install script: builds the addon for live traffic where that can be, says in one line what it did, never fails the install.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const built = join(folder, "build", "egwsim.node");
const FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden", "-D_GNU_SOURCE"];

/** Where node_api.h may be: beside the running Node, where npm says, or where node-gyp keeps what it has fetched. */
function headerFolder() {
  const root = join(dirname(process.execPath), "..");
  const cached = [process.env.XDG_CACHE_HOME, join(homedir(), ".cache")].filter(Boolean).map((cache) => join(cache, "node-gyp", process.versions.node));
  return [process.env.npm_config_nodedir, root, ...cached].filter(Boolean)
    .map((base) => join(base, "include", "node")).find((path) => existsSync(join(path, "node_api.h"))) ?? null;
}

/** Asks node-gyp, which may be npm's own, to fetch the headers of this Node. */
function fetchHeaders() {
  const bundled = process.env.npm_config_node_gyp;
  const [command, ...words] = bundled === undefined || bundled === "" ? ["node-gyp"] : [process.execPath, bundled];
  spawnSync(command, [...words, "install"], { stdio: "ignore", timeout: 60_000 });
  return headerFolder();
}

/** What keeps the addon from being built, or null where it was. */
function build() {
  if (process.platform !== "linux") return "live traffic needs Linux";
  const compiler = process.env.CC || "cc";
  if (spawnSync(compiler, ["--version"], { stdio: "ignore" }).status !== 0) return `there is no C compiler (${compiler})`;
  const headers = headerFolder() ?? fetchHeaders();
  if (headers === null) return "Node's C headers (node_api.h) are not there";
  mkdirSync(dirname(built), { recursive: true });
  const sources = readdirSync(folder).filter((name) => name.endsWith(".c")).sort().map((name) => join(folder, name));
  const partial = `${built}.${process.pid}`;
  const { status, stderr } = spawnSync(compiler, [...FLAGS, "-I", headers, "-o", partial, ...sources], { encoding: "utf8" });
  if (status !== 0) {
    rmSync(partial, { force: true });
    return `${compiler} failed: ${(stderr || "").split("\n").find((line) => line.includes("error")) ?? `exit code ${status}`}`;
  }
  renameSync(partial, built);
  return null;
}

/** Is what was built as new as its sources? */
export function isUpToDate() {
  if (!existsSync(built)) return false;
  const time = statSync(built).mtimeMs;
  return readdirSync(folder).filter((name) => /\.[ch]$/.test(name)).every((name) => statSync(join(folder, name)).mtimeMs <= time);
}

/** Builds and gives the sentence to print. */
export function buildAddon() {
  try {
    const reason = build();
    return reason === null ? "egwsim: built native-bindings for live traffic (egwsim tap)" : `egwsim: live traffic (egwsim tap) is off: ${reason}; everything else works`;
  } catch (error) {
    return `egwsim: live traffic (egwsim tap) is off: ${error instanceof Error ? error.message : String(error)}; everything else works`;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) console.log(buildAddon());
