import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type CaseOfFile, readRecordings } from "../../src/vectors/recording-file.ts";

const FOLDER = new URL("../../fixtures/vectors/", import.meta.url);
export const FILES = readdirSync(FOLDER).filter((name) => /\.jsonl(\.gz)?$/.test(name)).sort();
export const WASM = new URL("../../dist/kernel/kernel.wasm", import.meta.url);
export const WASM_IS_BUILT = existsSync(WASM);

export function pathOf(name: string): string { return fileURLToPath(new URL(name, FOLDER)); }

export function recordings(name: string): CaseOfFile[] { return readRecordings(pathOf(name)); }

export function recordedCaseOf(name: string, caseName: string): CaseOfFile {
  const found = recordings(name).find((each) => each.recorded.name === caseName);
  if (found === undefined) throw new Error(`${name} holds no case ${caseName}`);
  return found;
}
