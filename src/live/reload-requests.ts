import { accessSync, constants, type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { InputError } from "../cluster/input-error.ts";
import { systemFault } from "../io/system-fault.ts";

/** Several changes within this time are one: editors and kubectl write in steps. */
const SETTLE_MS = 200;

/** When the manifests are to be compiled anew: after SIGHUP, or a change of what is watched, and the agent's lag. */
export class ReloadRequests {
  readonly #watchers: FSWatcher[];
  readonly #lagMs: number;
  readonly #onSignal = (): void => this.#ask(0);
  #dueAt: number | null = null;

  /** `paths`: files and folders, empty for none. `lag`: seconds between a change and its taking effect. Throws InputError where
   * they cannot be watched; what becomes impossible later goes to `onLost`. */
  constructor(paths: readonly string[], lag: number, onLost: (error: unknown) => void) {
    this.#lagMs = lag * 1000;
    this.#watchers = paths.map((path) => {
      const isFolder = statSync(path).isDirectory();
      mustBeReadable(path, isFolder);
      // A file that is replaced is another one; its folder notices.
      const watcher = isFolder ? watch(path, { recursive: true }) : watch(dirname(path));
      watcher.on("change", (_event, name) => {
        if (isFolder || String(name) === basename(path)) this.#ask(SETTLE_MS);
      });
      watcher.on("error", (error) => {
        watcher.close();
        onLost(systemFault(path, "watching", error));
      });
      return watcher;
    });
    process.on("SIGHUP", this.#onSignal);
  }

  #ask(settle: number): void { this.#dueAt = Date.now() + settle + this.#lagMs; }

  /** True once for every time that the manifests are to be compiled. */
  isDue(): boolean {
    if (this.#dueAt === null || Date.now() < this.#dueAt) return false;
    this.#dueAt = null;
    return true;
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    process.off("SIGHUP", this.#onSignal);
  }
}

/** Privileges are given up by now. */
function mustBeReadable(path: string, isFolder: boolean): void {
  try {
    accessSync(path, isFolder ? constants.R_OK | constants.X_OK : constants.R_OK);
  } catch {
    throw new InputError([{
      at: null, subject: path, message: "it cannot be watched: whom egwsim goes on as may not read it", cure: "let everybody read it, or name a user who may: --user NAME",
    }]);
  }
}
