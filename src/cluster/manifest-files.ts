// PATH… to the texts of manifest files, in a fixed order and within bounds.
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { InputProblem } from "./input-error.ts";

/** A string of JavaScript holds at most 512 MiB; half of it leaves room for two-byte characters. */
const LARGEST_FILE = 256 * 1024 * 1024;
const MOST_FILES = 20_000;
const DEEPEST_FOLDER = 32;
const MANIFEST = /\.(ya?ml|json)$/i;

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

/** Files as named, folders recursively (*.yaml, *.yml, *.json; names that start with a dot are left out), each file once. */
export async function findManifests(paths: readonly string[], problems: InputProblem[]): Promise<readonly string[]> {
  const found = new Map<string, string>();
  for (const path of paths) {
    const before = found.size;
    const kind = await kindOf(path);
    if (kind === "folder") {
      await walk(path, 0, found, problems, new Set());
      if (found.size === before && problems.length === 0 && !(await alreadyFound(path, found))) {
        problems.push({
          at: null,
          subject: path,
          message: "no manifest in this folder",
          cure: "expected files named *.yaml, *.yml or *.json, for example from `kubectl get ciliumnodes -o yaml`",
        });
      }
    } else if (kind === "file") {
      await add(path, found);
    } else {
      problems.push({ at: null, subject: path, message: kind, cure: "name a manifest file or a folder of manifests" });
    }
  }
  return [...found.values()];
}

/** Reads one file as UTF-8; null, with a problem noted, where it cannot be read or is too large. */
export async function readManifest(path: string, problems: InputProblem[]): Promise<ManifestFile | null> {
  try {
    const { size } = await stat(path);
    if (size > LARGEST_FILE) {
      problems.push({
        at: null,
        subject: path,
        message: `the file has ${size.toLocaleString("en-US")} bytes; the limit is ${LARGEST_FILE.toLocaleString("en-US")}`,
        cure: "split it by kind or by namespace",
      });
      return null;
    }
    const bytes = await readFile(path);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { path, text };
  } catch (error) {
    const message = error instanceof TypeError ? "the file is not UTF-8 text" : reasonOf(error);
    problems.push({ at: null, subject: path, message, cure: "" });
    return null;
  }
}

async function walk(
  folder: string,
  depth: number,
  found: Map<string, string>,
  problems: InputProblem[],
  ancestors: ReadonlySet<string>,
): Promise<void> {
  const real = await realpath(folder);
  if (ancestors.has(real)) return;
  if (depth > DEEPEST_FOLDER || found.size > MOST_FILES) {
    const message = depth > DEEPEST_FOLDER ? `folders are nested more than ${DEEPEST_FOLDER} deep` : `more than ${MOST_FILES} manifests`;
    problems.push({ at: null, subject: folder, message, cure: "name the folders that belong to the cluster" });
    return;
  }
  const names = (await readdir(folder)).filter((name) => !name.startsWith(".") && name !== "node_modules").sort();
  for (const name of names) {
    const path = join(folder, name);
    const kind = await kindOf(path);
    if (kind === "folder") await walk(path, depth + 1, found, problems, new Set([...ancestors, real]));
    else if (kind === "file" && MANIFEST.test(name)) await add(path, found);
  }
}

async function add(path: string, found: Map<string, string>): Promise<void> {
  const real = await realpath(path);
  if (!found.has(real)) found.set(real, path);
}

async function alreadyFound(folder: string, found: ReadonlyMap<string, string>): Promise<boolean> {
  const real = await realpath(folder);
  return [...found.keys()].some((path) => path.startsWith(real));
}

async function kindOf(path: string): Promise<string> {
  try {
    const entry = await stat(path);
    if (entry.isDirectory()) return "folder";
    return entry.isFile() ? "file" : "neither a file nor a folder";
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  if (code === "ENOENT") return "no such file or folder";
  if (code === "EACCES" || code === "EPERM") return "not permitted to read it";
  return `${code === "" ? error.name : code} while reading it`;
}
