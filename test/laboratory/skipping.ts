import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { labIsMissing } from "../../scripts/lab/network.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Why the live tests cannot run here; "" where they can. */
export function liveIsMissing(): string {
  const missing = labIsMissing();
  if (missing !== "") return missing;
  if (!existsSync(`${root}native-bindings/build/egwsim.node`)) return "native-bindings is not built";
  return existsSync(`${root}dist/bin/main.js`) ? "" : "egwsim is not built";
}

export function toolIsMissing(tool: string): string {
  return spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0 ? "" : `${tool} is not installed`;
}

/** What this kernel cannot do in a namespace; "" where it can. */
export function kernelRefuses(command: string): string {
  const { status, stderr } = spawnSync("unshare", ["-n", "sh", "-c", command], { encoding: "utf8" });
  return status === 0 ? "" : `this kernel has it not (${command}: ${stderr.trim().split("\n")[0] ?? ""})`;
}

/** Title of a group or test that may be skipped: with the reason, so that it shows. */
export function titled(title: string, missing: string): string { return missing === "" ? title : `${title} (skipped: ${missing})`; }
