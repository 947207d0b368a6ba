import { spawnSync } from "node:child_process";

export interface ToolRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runTool(tool: string, args: readonly string[], cwd?: string): ToolRun {
  const { status, stdout, stderr, error } = spawnSync(tool, args, {
    encoding: "utf8",
    maxBuffer: 1 << 26,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** "" where every tool is installed, else the reason for skipping what needs them. */
export function toolIsMissing(...tools: readonly string[]): string {
  const absent = tools.filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
  return absent.length === 0 ? "" : `not installed: ${absent.join(", ")}`;
}
