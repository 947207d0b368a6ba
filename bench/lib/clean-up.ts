// What a bench leaves on the machine while it runs is taken away when it ends, by a signal too: captures in memory, namespaces.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const pending = new Set<() => void>();

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => {
  for (const end of [...pending].reverse()) end();
  process.exit(1);
});

/** Remembers what is to be done at the end; the function returned does it, once. */
export function cleanUp(action: () => void): () => void {
  const end = (): void => {
    if (pending.delete(end)) action();
  };
  pending.add(end);
  return end;
}

/** Work in a new folder that is gone afterwards. */
export async function inFolder<Result>(parent: string, prefix: string, work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(parent, prefix)), end = cleanUp(() => rmSync(folder, { recursive: true, force: true }));
  try {
    return await work(folder);
  } finally {
    end();
  }
}
