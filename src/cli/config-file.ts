// egwsim.config.yaml, where there is one.
import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { UsageError } from "./failure.ts";
import { CONFIG_FILE } from "./option-list.ts";
import type { RawSetting } from "./raw-setting.ts";

const MAX_CONFIG_BYTES = 1024 * 1024;

/** `named` null: the usual name in `cwd`, and no settings where there is no such file. Throws UsageError. */
export async function loadConfigFile(named: string | null, cwd: string): Promise<Map<string, RawSetting>> {
  const shown = named ?? CONFIG_FILE;
  let bytes: Buffer;
  try {
    bytes = readFileSync(resolve(cwd, shown));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (named === null && code === "ENOENT") return new Map();
    const reason = code === "ENOENT" ? "there is no such file" : error instanceof Error ? error.message : String(error);
    throw new UsageError([{ at: null, subject: shown, message: reason, cure: "--config names the defaults file" }]);
  }
  if (bytes.length > MAX_CONFIG_BYTES) {
    throw new UsageError([{ at: null, subject: shown, message: `${bytes.length} bytes are too many for a defaults file`, cure: "--config names a file of option names and values" }]);
  }
  const folder = relative(cwd, dirname(resolve(cwd, shown)));
  const { parseConfig } = await import("./config-document.ts");
  return parseConfig(bytes.toString("utf8"), shown, folder);
}
