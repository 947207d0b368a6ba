// Loads the bundles beside this one (scripts/bundle-cli.mjs). Parsing and compiling them is most of a short run; V8 takes what it
// once compiled from the bundle's code cache, if the same V8 with the same flags made it, and refuses it otherwise.
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

type Exports = Readonly<Record<string, unknown>>;
type BundleFunction = (exports: Exports, require: (name: string) => unknown, module: { exports: Exports }, file: string, folder: string) => void;

const folder = dirname(fileURLToPath(import.meta.url));
const ownRequire = createRequire(import.meta.url);

/** The code cache of a bundle, made when this package was built or installed. */
const cacheOf = (file: string): string => `${file.replace(/\.js$/, "")}.code-cache`;

export class BundleLoader {
  readonly #loaded = new Map<string, Exports>();
  readonly #scripts = new Map<string, Script>();
  readonly #uncached: "as-modules" | "to-be-cached";

  /** Bundles without a code cache are loaded as Node's own modules, or kept so that their caches can be written. */
  constructor(uncached: "as-modules" | "to-be-cached") {
    this.#uncached = uncached;
  }

  /** What a bundle ("./program.js") exports. */
  load(name: string): Exports {
    let exports = this.#loaded.get(name);
    if (exports === undefined) {
      exports = this.#evaluate(join(folder, name));
      this.#loaded.set(name, exports);
    }
    return exports;
  }

  #evaluate(file: string): Exports {
    const script = this.#uncached === "to-be-cached" ? scriptOf(file, undefined) : cachedScript(file);
    if (script === null) {
      // Node's own cache (22.1 and later) knows modules only, and fills as they are used.
      (module as { readonly enableCompileCache?: () => unknown }).enableCompileCache?.();
      return ownRequire(file) as Exports;
    }
    this.#scripts.set(file, script);
    const made = { exports: {} };
    const require = (wanted: string): unknown => (wanted.startsWith("./") ? this.load(wanted) : ownRequire(wanted));
    (script.runInThisContext() as BundleFunction)(made.exports, require, made, file, folder);
    return made.exports;
  }

  /** Writes the code caches of the bundles loaded so far, with every function that has run. */
  writeCaches(): void {
    for (const [file, script] of this.#scripts) {
      const partial = `${cacheOf(file)}.${process.pid}`;
      try {
        writeFileSync(partial, script.createCachedData());
        renameSync(partial, cacheOf(file));
      } finally {
        rmSync(partial, { force: true });
      }
    }
  }
}

/** As the program loads its bundles. */
export const bundles = new BundleLoader("as-modules");

/** null: there is no cache, or another V8 made it. */
function cachedScript(file: string): Script | null {
  let cachedData: Buffer;
  try {
    cachedData = readFileSync(cacheOf(file));
  } catch {
    return null;
  }
  const script = scriptOf(file, cachedData);
  return script.cachedDataRejected === true ? null : script;
}

/** Bundles are ASCII; "latin1" reads them as they are. */
function scriptOf(file: string, cachedData: Buffer | undefined): Script {
  const head = "(function (exports, require, module, __filename, __dirname) {";
  return new Script(`${head}${readFileSync(file, "latin1")}\n})`, { filename: file, columnOffset: -head.length, ...(cachedData === undefined ? {} : { cachedData }) });
}
