import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Compiles a C program of bench/ (`source` by its path there) to `output`. Says why it could not; "" where it could. */
export function compileC(source: string, output: string, ...flags: string[]): string {
  const path = fileURLToPath(new URL(`../../../bench/${source}`, import.meta.url));
  const { status, error, stderr } = spawnSync("cc", [...flags, "-o", output, path], { encoding: "utf8" });
  if (error !== undefined) return "cc is not installed";
  return status === 0 ? "" : `cc refused ${source}: ${stderr.trim().slice(0, 200)}`;
}
