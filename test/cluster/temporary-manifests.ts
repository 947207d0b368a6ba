import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { InputError, type InputProblem } from "../../src/cluster/input-error.ts";
import { loadCluster } from "../../src/cluster/load.ts";
import type { Cluster } from "../../src/cluster/model.ts";

/** Writes files into a folder of their own, calls `use` with its path and removes it. */
export async function withFiles<T>(files: Readonly<Record<string, string>>, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "egwsim-manifests-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

export async function loadText(text: string, name = "cluster.yaml"): Promise<Cluster> {
  return withFiles({ [name]: text }, (folder) => loadCluster([folder]));
}

/** The problems of a load that must fail. */
export async function problemsOf(files: Readonly<Record<string, string>>): Promise<readonly InputProblem[]> {
  return withFiles(files, async (folder) => {
    try {
      await loadCluster([folder]);
    } catch (error) {
      if (error instanceof InputError) return error.problems;
      throw error;
    }
    throw new Error("the manifests loaded, which they should not");
  });
}

/** One problem as `line:column message`. */
export function inShort({ at, message }: InputProblem): string {
  return `${at?.line ?? "-"}:${at?.column ?? "-"} ${message}`;
}
