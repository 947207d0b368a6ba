// The measured facts: every recorded step of the real programs, run through the hooks of both builds of the kernel.
import { describe, expect, test } from "vitest";
import { LabMemory } from "../../src/vectors/lab-memory.ts";
import { runCase } from "../../src/vectors/run-case.ts";
import { Tally } from "../../src/vectors/tally.ts";
import { tallyText } from "../../src/vectors/tally-text.ts";
import { FILES, recordings, WASM, WASM_IS_BUILT } from "./recorded-files.ts";

/** An IPv6 frame that an IPv6 build took: not for the hooks yet. An IPv4 build drops it, which they do. */
const needsIpv6 = (build: string, hex: string): boolean => /dual-?stack/.test(build) && hex.slice(24, 28) === "86dd";

function run(memory: LabMemory, file: string): { tally: Tally; runnable: number } {
  const tally = new Tally();
  let runnable = 0;
  for (const { line, recorded } of recordings(file)) {
    tally.add(file, line, runCase(memory, recorded));
    runnable += recorded.steps.filter((step) => !needsIpv6(recorded.build, step.in_hex)).length;
  }
  return { tally, runnable };
}

describe("the TypeScript kernel", () => {
  const memory = new LabMemory("ts");
  test.each(FILES)("does what the real programs were recorded to do in %s", (file) => {
    const { tally, runnable } = run(memory, file);
    expect(tally.failures.length, tallyText(tally)).toBe(0);
    expect(tally.passed).toBe(runnable);
    expect(tally.passed).toBeGreaterThan(0);
  }, 60_000);
});

describe.skipIf(!WASM_IS_BUILT)("the WebAssembly kernel (skipped unless built: npm run build)", () => {
  const memory = WASM_IS_BUILT ? new LabMemory("wasm", WASM) : new LabMemory("ts");
  test.each(FILES)("does what the real programs were recorded to do in %s", (file) => {
    const { tally, runnable } = run(memory, file);
    expect(tally.failures.length, tallyText(tally)).toBe(0);
    expect(tally.passed).toBe(runnable);
  }, 60_000);
});

test.skipIf(!WASM_IS_BUILT)("both kernels leave the same bytes in the whole memory after every random case (skipped unless built)", () => {
  const one = new LabMemory("ts"), other = new LabMemory("wasm", WASM);
  for (const { recorded } of recordings("random-b.jsonl.gz")) {
    runCase(one, recorded);
    runCase(other, recorded);
    expect(Buffer.compare(one.bytes, other.bytes), recorded.name).toBe(0);
  }
}, 60_000);
