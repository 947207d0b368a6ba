// Run when the package was built or installed: uses the bundled program as a short run does and writes the code caches of its
// bundles, for the Node that runs this. Where they cannot be written the program compiles as it starts.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BundleLoader } from "./bundle-loader.ts";
import type { runCommandLine } from "./program.ts";
import type { Terminal } from "./terminal.ts";

const nowhere: Terminal = { out: () => undefined, err: () => undefined, outIsTerminal: false, errIsTerminal: false, columns: 80, env: {}, cwd: process.cwd() };

async function makeCodeCaches(): Promise<void> {
  const fixtures = fileURLToPath(new URL("../../fixtures/", import.meta.url)), out = mkdtempSync(join(tmpdir(), "egwsim-"));
  try {
    const bundles = new BundleLoader("to-be-cached");
    const program = bundles.load("./program.js") as { readonly runCommandLine: typeof runCommandLine };
    const replay = ["replay", join(fixtures, "captures"), "--cluster", join(fixtures, "cluster")];
    for (const args of [["--help"], replay, [...replay, "--out", out, "--force"]]) await program.runCommandLine(args, nowhere);
    bundles.writeCaches();
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

makeCodeCaches().catch((error: unknown) => {
  console.error(`egwsim: no code cache, so it starts more slowly: ${error instanceof Error ? error.message : String(error)}`);
});
