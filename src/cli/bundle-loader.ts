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

/** A bundle begins with a comment that holds this many digits of its own digest, its code cache with the same: V8 compares lengths only. */
const STAMP = 16;
const stampOf = (source: string): string => source.slice("/*".length, "/*".length + STAMP);

/** The code cache of a bundle, made when this package was built or installed. */
const cacheOf = (file: string): string => `${file.replace(/\.js$/, "")}.code-cache`;

export class BundleLoader {
  readonly #loaded = new Map<string, Exports>();
  readonly #scripts: { readonly file: string; readonly stamp: string; readonly script: Script }[] = [];
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
    const source = sourceOf(file), script = this.#uncached === "to-be-cached" ? scriptOf(file, source, undefined) : cachedScript(file, source);
    if (script === null) {
      // Node's own cache (22.1 and later) knows modules only, and fills as they are used.
      (module as { readonly enableCompileCache?: () => unknown }).enableCompileCache?.();
      return ownRequire(file) as Exports;
    }
    this.#scripts.push({ file, stamp: stampOf(source), script });
    const made = { exports: {} };
    const require = (wanted: string): unknown => (wanted.startsWith("./") ? this.load(wanted) : ownRequire(wanted));
    (script.runInThisContext() as BundleFunction)(made.exports, require, made, file, folder);
    return made.exports;
  }

  /** Writes the code caches of the bundles loaded so far, with every function that has run. */
  writeCaches(): void {
    for (const { file, stamp, script } of this.#scripts) {
      const partial = `${cacheOf(file)}.${process.pid}`;
      try {
        writeFileSync(partial, Buffer.concat([Buffer.from(stamp, "latin1"), script.createCachedData()]));
        renameSync(partial, cacheOf(file));
      } finally {
        rmSync(partial, { force: true });
      }
    }
  }
}

/** As the program loads its bundles. */
export const bundles = new BundleLoader("as-modules");

/** null: there is no cache, or it is of another bundle or another V8. */
function cachedScript(file: string, source: string): Script | null {
  let cache: Buffer;
  try {
    cache = readFileSync(cacheOf(file));
  } catch {
    return null;
  }
  if (cache.toString("latin1", 0, STAMP) !== stampOf(source)) return null;
  const script = scriptOf(file, source, cache.subarray(STAMP));
  return script.cachedDataRejected === true ? null : script;
}

/** Bundles are ASCII, which "latin1" reads as it is. */
const sourceOf = (file: string): string => readFileSync(file, "latin1");

function scriptOf(file: string, source: string, cachedData: Buffer | undefined): Script {
  const head = "(function (exports, require, module, __filename, __dirname) {";
  return new Script(`${head}${source}\n})`, { filename: file, columnOffset: -head.length, ...(cachedData === undefined ? {} : { cachedData }) });
}
