import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Without it vitest would also run what the build left in dist/ and dist-bench/.
    include: ["test/**/*.test.ts"],
    // Real traffic has a run of its own: npm run test:live.
    exclude: ["test/laboratory/**"],
    // Tests start processes and compile; a busy two-core machine needs more than the default 5 s.
    testTimeout: 60_000,
    // Left to itself vitest keeps a CPU free, which on two of them doubles the time.
    maxWorkers: "100%",
    hookTimeout: 120_000,
  },
});
