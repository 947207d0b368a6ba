// What a figure is a figure of: machine, Node.js, commit.
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, totalmem, release } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  /** GiB. */
  readonly memory: number;
  readonly system: string;
  readonly node: string;
}

export function thisMachine(): Machine {
  return {
    cpu: (cpus()[0]?.model ?? "unknown").replace(/\s+/g, " ").trim(), cpus: availableParallelism(), memory: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch} ${release().split("-")[0] ?? ""}`.trim(), node: process.version,
  };
}

/** Short hash of the commit measured, with + where the tree differs from it; "unknown" outside of a checkout. */
export function commitHash(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "--", "src", "package-lock.json") === "" ? "" : "+"}`;
  } catch {
    return "unknown";
  }
}

/** "Intel(R) Xeon(R) Processor" as part of a file's name: intel-xeon. */
export function cpuSlug(cpu: string): string {
  return cpu.toLowerCase().replace(/\((r|tm)\)|processor|cpu|@.*$/g, " ").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "") || "unknown";
}
