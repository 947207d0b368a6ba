// The measured facts: every recorded step of the real programs, run through the hooks of both builds of the kernel.
import { describe, expect, test } from "vitest";
import { LabMemory } from "../../src/vectors/lab-memory.ts";
import { runCase } from "../../src/vectors/run-case.ts";
import { Tally } from "../../src/vectors/tally.ts";
import { tallyText } from "../../src/vectors/tally-text.ts";
import { FILES, recordings, WASM, WASM_IS_BUILT } from "./recorded-files.ts";

function run(memory: LabMemory, file: string): { tally: Tally; steps: number } {
  const tally = new Tally();
  let steps = 0;
  for (const { line, recorded } of recordings(file)) {
    tally.add(file, line, runCase(memory, recorded));
    steps += recorded.steps.length;
  }
  return { tally, steps };
}

describe("the TypeScript kernel", () => {
  const memory = new LabMemory("ts");
  test.each(FILES)("does what the real programs were recorded to do in %s", (file) => {
    const { tally, steps } = run(memory, file);
    expect(tally.failures.length, tallyText(tally)).toBe(0);
    expect(tally.passed).toBe(steps);
    expect(tally.passed).toBeGreaterThan(0);
  }, 60_000);
});

describe.skipIf(!WASM_IS_BUILT)("the WebAssembly kernel (skipped unless built: npm run build)", () => {
  const memory = WASM_IS_BUILT ? new LabMemory("wasm", WASM) : new LabMemory("ts");
  test.each(FILES)("does what the real programs were recorded to do in %s", (file) => {
    const { tally, steps } = run(memory, file);
    expect(tally.failures.length, tallyText(tally)).toBe(0);
    expect(tally.passed).toBe(steps);
  }, 60_000);
});

test.skipIf(!WASM_IS_BUILT)("both kernels leave the same bytes in the whole memory after every random case (skipped unless built)", () => {
  const one = new LabMemory("ts"), other = new LabMemory("wasm", WASM);
  for (const { recorded } of [...recordings("random-b.jsonl.gz"), ...recordings("random6-a.jsonl.gz"), ...recordings("random-services-a.jsonl.gz"), ...recordings("services6.jsonl.gz")]) {
    runCase(one, recorded);
    runCase(other, recorded);
    expect(Buffer.compare(one.bytes, other.bytes), recorded.name).toBe(0);
  }
}, 60_000);
