import { defineConfig } from "vitest/config";

// Real traffic in namespaces of its own: npm run test:live.
export default defineConfig({
  test: {
    include: ["test/laboratory/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One laboratory at a time: they would only slow each other down.
    fileParallelism: false,
  },
});
