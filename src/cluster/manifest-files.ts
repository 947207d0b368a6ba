// PATH… to the texts of manifest files, in a fixed order and within bounds.
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { InputProblem } from "./input-error.ts";
import { isSysdump, MANIFEST, type Sysdump, sysdumpOf, type TreeFile } from "./sysdump-files.ts";
import { ZipArchive, ZipFault } from "./zip-archive.ts";

/** A string of JavaScript holds at most 512 MiB; half of it leaves room for two-byte characters. */
const LARGEST_FILE = 256 * 1024 * 1024;
const MOST_FILES = 20_000;
/** A sysdump of a large cluster holds some hundred command outputs a node. */
const MOST_SYSDUMP_FILES = 200_000;
const DEEPEST_FOLDER = 32;
const ZIP = /\.zip$/i;

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

export interface ManifestSources {
  /** Each once, in a fixed order. */
  readonly files: readonly TreeFile[];
  readonly sysdumps: readonly Sysdump[];
  /** To be called when everything was read. */
  readonly close: () => Promise<void>;
}

/** Files as named, folders recursively (*.yaml, *.yml, *.json; names that start with a dot are left out), each file once.
 * A folder that `cilium sysdump` has written, or its zip archive, is read by its own rules. */
export async function findManifests(paths: readonly string[], problems: InputProblem[]): Promise<ManifestSources> {
  const search = new ManifestSearch(problems);
  for (const path of paths) await search.take(path);
  return { files: search.files(), sysdumps: search.sysdumps, close: () => search.close() };
}

/** Reads one file as UTF-8; null, with a problem noted, where it cannot be read or is too large. */
export async function readManifest(file: TreeFile, problems: InputProblem[]): Promise<ManifestFile | null> {
  const { path, size } = file;
  if (size > LARGEST_FILE) {
    problems.push({
      at: null,
      subject: path,
      message: `the file has ${size.toLocaleString("en-US")} bytes; the limit is ${LARGEST_FILE.toLocaleString("en-US")}`,
      cure: "split it by kind or by namespace",
    });
    return null;
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.read());
    return { path, text };
  } catch (error) {
    const message = error instanceof ZipFault ? error.message : error instanceof TypeError ? "the file is not UTF-8 text" : reasonOf(error);
    problems.push({ at: null, subject: path, message, cure: "" });
    return null;
  }
}

class ManifestSearch {
  readonly sysdumps: Sysdump[] = [];
  readonly #problems: InputProblem[];
  /** By real path, so that a file that is reached twice is read once. */
  readonly #found = new Map<string, TreeFile>();
  readonly #archives: ZipArchive[] = [];
  readonly #seenRoots = new Set<string>();

  constructor(problems: InputProblem[]) {
    this.#problems = problems;
  }

  files(): readonly TreeFile[] {
    return [...this.#found.values()];
  }

  async close(): Promise<void> {
    for (const archive of this.#archives) await archive.close();
  }

  async take(path: string): Promise<void> {
    const kind = kindOf(path);
    if (kind === "folder") this.#takeFolder(path);
    else if (kind !== "file") this.#complain(path, kind, "name a manifest file, a folder of manifests or a sysdump");
    else if (ZIP.test(path)) await this.#takeArchive(path);
    else this.#add(path);
  }

  #takeFolder(path: string): void {
    const before = this.#found.size + this.sysdumps.length;
    this.#walk(path, 0, new Set());
    if (this.#found.size + this.sysdumps.length > before || this.#problems.length > 0 || this.#alreadyFound(path)) return;
    this.#complain(
      path,
      "no manifest in this folder",
      "expected files named *.yaml, *.yml or *.json, for example from `kubectl get ciliumnodes -o yaml`",
    );
  }

  #walk(folder: string, depth: number, ancestors: ReadonlySet<string>): void {
    const real = realpathSync.native(folder);
    if (ancestors.has(real)) return;
    if (depth > DEEPEST_FOLDER || this.#found.size > MOST_FILES) {
      const message = depth > DEEPEST_FOLDER ? `folders are nested more than ${DEEPEST_FOLDER} deep` : `more than ${MOST_FILES} manifests`;
      this.#complain(folder, message, "name the folders that belong to the cluster");
      return;
    }
    const names = namesIn(folder);
    if (isSysdump(names)) {
      if (!this.#isNewRoot(real)) return;
      const files: TreeFile[] = [];
      this.#collect(folder, "", 0, new Set(), files);
      this.sysdumps.push(sysdumpOf(folder, files));
      return;
    }
    for (const name of names) {
      const path = join(folder, name);
      const kind = kindOf(path);
      if (kind === "folder") this.#walk(path, depth + 1, new Set([...ancestors, real]));
      else if (kind === "file" && MANIFEST.test(name)) this.#add(path);
    }
  }

  /** Every file below a sysdump's root. */
  #collect(folder: string, below: string, depth: number, ancestors: ReadonlySet<string>, files: TreeFile[]): void {
    const real = realpathSync.native(folder);
    if (ancestors.has(real)) return;
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      const kind = kindOf(path);
      if (kind === "folder" && depth < DEEPEST_FOLDER) {
        this.#collect(path, `${below}${name}/`, depth + 1, new Set([...ancestors, real]), files);
      } else if (kind === "file" && files.length < MOST_SYSDUMP_FILES) {
        files.push(treeFile(path, below + name));
      }
    }
  }

  async #takeArchive(path: string): Promise<void> {
    if (!this.#isNewRoot(realpathSync.native(path))) return;
    let archive: ZipArchive;
    try {
      archive = await ZipArchive.open(path);
    } catch (error) {
      this.#complain(path, error instanceof ZipFault ? error.message : reasonOf(error), "name the archive that cilium sysdump wrote, or the folder that it holds");
      return;
    }
    this.#archives.push(archive);
    const entries = archive.entries
      .filter(({ name }) => !name.endsWith("/") && !name.split("/").some((segment) => segment.startsWith(".")))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const treeFileOf = (entry: (typeof entries)[number], root: string): TreeFile => ({
      path: `${path}:${entry.name.replace(/[^\x20-\x7e]/g, "?")}`, name: entry.name.slice(root.length), size: entry.size, read: () => archive.read(entry),
    });
    const root = folderOfSysdump(entries.map(({ name }) => name));
    if (root !== undefined) {
      this.sysdumps.push(sysdumpOf(path, entries.filter(({ name }) => name.startsWith(root)).map((entry) => treeFileOf(entry, root))));
      return;
    }
    const manifests = entries.filter(({ name }) => MANIFEST.test(name)).map((entry) => treeFileOf(entry, ""));
    if (manifests.length === 0) this.#complain(path, "no manifest in this archive", "expected what cilium sysdump writes, or files named *.yaml, *.yml or *.json");
    for (const file of manifests.slice(0, MOST_FILES)) this.#found.set(file.path, file);
  }

  #isNewRoot(real: string): boolean {
    if (this.#seenRoots.has(real)) return false;
    this.#seenRoots.add(real);
    return true;
  }

  #add(path: string): void {
    const real = realpathSync.native(path);
    if (!this.#found.has(real)) this.#found.set(real, treeFile(path, path));
  }

  #alreadyFound(folder: string): boolean {
    const real = realpathSync.native(folder);
    return [...this.#found.keys(), ...this.#seenRoots].some((path) => path.startsWith(real));
  }

  #complain(subject: string, message: string, cure: string): void {
    this.#problems.push({ at: null, subject, message, cure });
  }
}

/** With its final /, "" for the archive's own root. */
function folderOfSysdump(names: readonly string[]): string | undefined {
  const folders = new Map<string, string[]>();
  for (const name of names) {
    const end = name.lastIndexOf("/") + 1;
    const folder = name.slice(0, end);
    const inside = folders.get(folder) ?? [];
    folders.set(folder, inside);
    inside.push(name.slice(end));
  }
  return [...folders].find(([, inside]) => isSysdump(inside))?.[0];
}

function treeFile(path: string, name: string): TreeFile {
  const { size } = statSync(path);
  return { path, name, size, read: () => readAfterTurn(path) };
}

/** At once, which takes a fraction of what the thread pool does; between files the event loop turns, so that a signal is heard. */
async function readAfterTurn(path: string): Promise<Buffer> {
  await new Promise((resolve) => setImmediate(resolve));
  return readFileSync(path);
}

function namesIn(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => !name.startsWith(".") && name !== "node_modules").sort();
}

function kindOf(path: string): string {
  try {
    const entry = statSync(path);
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
