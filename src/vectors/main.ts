// npm run vectors -- FILE… [--kernel ts|wasm] [--json]: runs recordings of the real programs through the kernel's hooks.
// Exit code 0: all agree; 1: some differ; 2: could not run.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { formatProblem, InputError } from "../cluster/input-error.ts";
import type { KernelKind } from "../engine/kernel-instance.ts";
import { LabMemory } from "./lab-memory.ts";
import { readRecordings } from "./recording-file.ts";
import { runCase } from "./run-case.ts";
import { Tally } from "./tally.ts";
import { tallyJson, tallyText } from "./tally-text.ts";

const USAGE = "usage: npm run vectors -- FILE… [--kernel ts|wasm] [--json]";

function usageFault(message: string): InputError {
  return new InputError([{ at: null, subject: "command line", message, cure: USAGE }]);
}

const wasmIsBuilt = existsSync(new URL("../kernel/kernel.wasm", import.meta.url));

function commandLine(args: readonly string[]): { files: string[]; kernel: KernelKind; json: boolean } {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args], allowPositionals: true,
      options: { kernel: { type: "string", default: wasmIsBuilt ? "wasm" : "ts" }, json: { type: "boolean", default: false } },
    });
  } catch (error) {
    throw usageFault(error instanceof Error ? error.message : String(error));
  }
  const { values: { kernel, json }, positionals: files } = parsed;
  if (kernel !== "ts" && kernel !== "wasm") throw usageFault(`--kernel takes ts or wasm, not "${kernel}"`);
  if (kernel === "wasm" && !wasmIsBuilt) throw usageFault("the WebAssembly kernel is not built; npm run build makes it");
  if (files.length === 0) throw usageFault("no file of recordings is named");
  return { files, kernel, json };
}

try {
  const { files, kernel, json } = commandLine(process.argv.slice(2));
  const tally = new Tally(), memory = new LabMemory(kernel);
  for (const file of files) for (const each of readRecordings(file)) tally.add(file, each.line, runCase(memory, each.recorded));
  process.stdout.write(json ? tallyJson(tally) : tallyText(tally));
  process.exitCode = tally.failures.length > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(`${error.problems.map(formatProblem).join("\n")}\n`);
  process.exitCode = 2;
}
