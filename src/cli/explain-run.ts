import { existsSync } from "node:fs";
import { loadCluster } from "../cluster/load.ts";
import { compileTables } from "../control/compile.ts";
import { briefFindings } from "../inspect/finding-lines.ts";
import { kernelOn } from "../engine/kernel-instance.ts";
import { explainText } from "../whatif/explain-text.ts";
import { explain, type Explanation } from "../whatif/explain.ts";
import { readPacketRequest } from "../whatif/packet-request.ts";
import { SingleRun } from "../whatif/single-run.ts";

const wasmFile = new URL("../kernel/kernel.wasm", import.meta.url);
const SEED = 1;

export interface ExplainOptions {
  readonly from: string;
  readonly to: string;
  readonly cluster: readonly string[];
  readonly semantics: "cilium-1.19" | "intent";
}

/** Throws InputError for what the model or the request lacks. */
export async function runExplain(options: ExplainOptions): Promise<{ explanation: Explanation; text: string; findings: readonly string[] }> {
  const control = compileTables(await loadCluster(options.cluster), { semantics: options.semantics }), { tables } = control;
  const request = readPacketRequest(options.from, options.to, tables);
  const run = new SingleRun(tables, options.semantics, SEED, (memory) => kernelOn(memory, existsSync(wasmFile) ? "wasm" : "ts"));
  const explanation = explain(control, request, run);
  return { explanation, text: explainText(explanation), findings: briefFindings(control.findings) };
}
