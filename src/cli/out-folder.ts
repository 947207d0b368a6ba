import { accessSync, closeSync, constants, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { profileName } from "../engine/worker-protocol.ts";
import { MAX_WORKERS } from "./option-list.ts";
import type { InputProblem } from "../cluster/input-error.ts";

/** Every name that a run may write; --force touches no other. */
export const OUTPUT_FILES: readonly string[] = [
  "pod.pcap", "overlay.pcap", "external.pcap", "trace.pcapng", "flows.jsonl", "state.jsonl", "report.json", ...[-1, ...Array(MAX_WORKERS).keys()].map(profileName),
];

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

/** What speaks against writing into `dir` (relative to `cwd`); nothing is created or changed. */
export async function outFolderProblems(dir: string, cwd: string, force: boolean, captures: readonly string[]): Promise<InputProblem[]> {
  const folder = resolve(cwd, dir);
  const problem = (message: string, cure: string): InputProblem[] => [{ at: null, subject: `--out ${dir}`, message, cure }];
  let entries: string[];
  try {
    entries = readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    if (codeOf(error) === "ENOTDIR") return problem("is a file", "name a folder; it is made where it is missing");
    throw error;
  }
  const own = captures.filter((path) => path !== "-").map((path) => resolve(cwd, path))
    .find((path) => dirname(path) === folder && OUTPUT_FILES.some((name) => name === basename(path)));
  if (own !== undefined) return problem(`would overwrite its own input ${basename(own)}`, "choose another folder");
  if (entries.length > 0 && !force) return problem("the folder is not empty", "choose another folder, or add --force to replace egwsim's own files in it");
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return problem("the folder cannot be written", "check who may write there, or choose another folder");
  }
  return [];
}

export async function makeOutFolder(dir: string, cwd: string): Promise<string> {
  const folder = resolve(cwd, dir);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Writes a file under another name first, so that `name` is either the old or the whole new one. */
export async function replaceFile(folder: string, name: string, fill: (write: (text: string) => Promise<void>) => Promise<void>): Promise<void> {
  const partial = join(folder, `.${name}.partial`);
  const file = openSync(partial, "w");
  let isOpen = true;
  try {
    await fill(async (text) => {
      writeFileSync(file, text, "utf8");
    });
    closeSync(file);
    isOpen = false;
    renameSync(partial, join(folder, name));
  } catch (error) {
    if (isOpen) closeSync(file);
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Takes away what an earlier run left under our names and this one did not write, so that all files are of one run. */
export async function removeStaleOutputs(folder: string, written: readonly string[]): Promise<void> {
  for (const name of OUTPUT_FILES) if (!written.includes(name)) rmSync(join(folder, name), { force: true });
}
