// The rules of the source tree that no compiler holds: which folder may import which, and what kernel files may say.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = join(import.meta.dirname, "../../src");
const LONGEST_FILE = 400;

interface Source {
  /** With slashes, from src/ on. */
  readonly path: string;
  readonly text: string;
  readonly folder: string;
}

interface Import {
  readonly from: Source;
  readonly to: string;
  readonly isType: boolean;
}

const sources: readonly Source[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ path: name.split(sep).join("/"), text: readFileSync(join(SRC, name), "utf8"), folder: name.split(sep)[0] ?? "" }));

const IMPORT = /(?:^|\n)(?:import|export)\s+(type\s+)?(?:[^;"]*?\sfrom\s+)?"(\.[^"]+)"|import\("(\.[^"]+)"\)/g;

function importsOf(source: Source): Import[] {
  return [...source.text.matchAll(IMPORT)].map(([whole, type, path, dynamic]) => ({
    from: source, to: relative(SRC, join(SRC, dirname(source.path), path ?? dynamic ?? "")).split(sep).join("/"),
    isType: type !== undefined || /^\s*(?:import|export)\s*\{(?:\s*type\s+\w+(?:\s+as\s+\w+)?\s*,?)+\}/.test(whole),
  }));
}

const imports = sources.flatMap(importsOf);
const folderOf = (path: string): string => path.split("/")[0] ?? "";

/** What a folder may import of another one: anything, types only, or these files. Down, or beside. */
type Allowed = "all" | "types" | readonly string[];
const LAYERS: Readonly<Record<string, Readonly<Record<string, Allowed>>>> = {
  cli: { inspect: "all", whatif: "all", live: "all", observe: "all", engine: "all", generate: "all", control: "all", cluster: "all", io: "all" },
  whatif: { engine: "all", observe: "all", control: "all", cluster: "all", io: "all", kernel: "all" },
  inspect: { observe: "all", control: "all", cluster: "all" },
  live: { engine: "all", observe: "types", control: "all", cluster: "all", io: ["system-fault.ts"], kernel: "all" },
  vectors: { engine: "all", observe: "types", control: "all", cluster: "all", kernel: "all" },
  engine: { control: "all", cluster: ["input-error.ts"], kernel: "all", io: "all", observe: ["drop-reasons.ts", "ip-text.ts", "map-records.ts"] },
  observe: { control: "types", cluster: "all" },
  control: { cluster: "all" },
  generate: { cluster: ["input-error.ts"] },
  io: { cluster: ["input-error.ts"] },
  cluster: {},
  kernel: {},
};

function isAllowed({ from, to, isType }: Import): boolean {
  if (folderOf(to) === from.folder) return true;
  const allowed = LAYERS[from.folder]?.[folderOf(to)];
  if (allowed === "all" || (allowed !== undefined && isType)) return true;
  return typeof allowed === "object" && allowed.includes(to.slice(to.indexOf("/") + 1));
}

describe("the source tree", () => {
  it("is read by this test", () => {
    expect(imports.length).toBeGreaterThan(300);
    for (const { from, to } of imports) expect(sources.some(({ path }) => path === to) || to.endsWith(".js"), `${from.path} imports ${to}`).toBe(true);
  });

  it("imports downwards only: cli, whatif and live, observe, engine, control, cluster; the kernel imports nothing from outside", () => {
    expect(imports.filter((each) => !isAllowed(each)).map(({ from, to }) => `${from.path} imports ${to}`)).toEqual([]);
    expect([...new Set(sources.map(({ folder }) => folder))].filter((folder) => !(folder in LAYERS))).toEqual([]);
    const packages = sources.filter(({ folder, text }) => folder === "kernel" && /from "[^.]/.test(text));
    expect(packages.map(({ path }) => path)).toEqual([]);
  });

  it("has layers that form no circle", () => {
    const reaches = (folder: string, seen: ReadonlySet<string>): boolean =>
      Object.keys(LAYERS[folder] ?? {}).some((below) => seen.has(below) || reaches(below, new Set([...seen, below])));
    for (const folder of Object.keys(LAYERS)) expect(reaches(folder, new Set([folder])), folder).toBe(false);
  });

  it("imports its own files by their .ts names", () => {
    expect(imports.filter(({ to }) => !to.endsWith(".ts")).map(({ from, to }) => `${from.path} imports ${to}`)).toEqual([]);
  });

  it(`has no file of more than ${LONGEST_FILE} lines`, () => {
    expect(sources.filter(({ text }) => text.split("\n").length > LONGEST_FILE).map(({ path }) => path)).toEqual([]);
  });

  it("ends the process in src/cli/main.ts only", () => {
    expect(sources.filter(({ path, text }) => path !== "cli/main.ts" && /\bprocess\s*\.\s*(exit|abort|reallyExit)\s*\(|\{[^}]*\bexit\b[^}]*\}\s*(=|from)\s*("node:)?process/.test(withoutComments(text))).map(({ path }) => path)).toEqual([]);
  });

  it("has no default export but the workers', no enum, no any, and no helpers", () => {
    const offences = sources.flatMap(({ path, text }) => {
      const code = withoutComments(text);
      return [
        ...(/^export default/m.test(code) && !/worker\.ts$/.test(path) ? [`${path}: default export`] : []),
        ...(/\benum\s+\w+\s*\{/.test(code) ? [`${path}: enum`] : []),
        ...(/(:|<|\bas)\s*any\b/.test(code) ? [`${path}: any`] : []),
        ...(/(utils?|helpers?|manager|misc|common)\.ts$/i.test(path) ? [`${path}: a name that tells nothing`] : []),
      ];
    });
    expect(offences).toEqual([]);
  });
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " ")).replace(/(^|[^:"])\/\/[^\n]*/g, "$1");
}

/** What only one of the two compilers takes, or takes otherwise (docs: architecture, one kernel source, compiled twice). */
const FORBIDDEN: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a closure", /=>|\bfunction\s*\(/],
  ["a class or object", /\b(class|new|this|interface|enum)\b|=\s*\{/],
  ["an exception", /\b(throw|try|catch|finally)\b/],
  ["a built-in", /\b(Math|Number|Object|Array|JSON|Date|console|globalThis|BigInt|String|Atomics)\b/],
  ["a string", /["'`]/],
  ["an array or destructuring", /[[\]]/],
  ["a spread or rest", /\.\.\./],
  ["another number type", /[:<|]\s*(number|u8|u16|u32|i64|u64|f32|any|unknown|bigint)\b/],
  ["an iteration or wait", /\b(of|in|async|await|yield)\b/],
  ["null", /\?\?|\?\.|\b(null|undefined|typeof|instanceof|delete|void 0)\b/],
  ["a variable without a type", /\b(const|let)\s+\w+\s*=/],
  ["var", /\bvar\b/],
  ["a division", /[^/*<]\/[^/*]|%/],
  ["a product of integers", /(?<!\d\.\d)\s\*\s|\*\*/],
  ["a loose comparison", /[^=!]==[^=]|!=[^=]/],
  ["a default parameter", /^(export )?function \w+\([^)]*=[^)]*\)/m],
];
/** The accessors are written once for each compiler. */
const ACCESSORS = ["kernel/mem.ts", "kernel/mem.checked.ts", "kernel/mem.wasm.ts", "kernel/memory.ts", "kernel/memory.bound.ts", "kernel/types.d.ts"];

describe("the kernel", () => {
  const files = sources.filter(({ folder, path }) => folder === "kernel" && !ACCESSORS.includes(path));

  it("says nothing that only one of its two compilers understands", () => {
    expect(files.length).toBeGreaterThan(20);
    const offences = files.flatMap(({ path, text }) => {
      const code = withoutComments(text).replace(/(^|\n)(import|export)\s[^;]*?\sfrom\s+"[^"]*";/g, (statement) => statement.replace(/[^\n]/g, ""));
      return FORBIDDEN.flatMap(([what, pattern]) => code.split("\n").flatMap((line, k) => (pattern.test(line) ? [`${path}:${k + 1}: ${what}: ${line.trim()}`] : [])));
    });
    expect(offences).toEqual([]);
  });

  it("keeps no state of its own", () => {
    const offences = files.flatMap(({ path, text }) =>
      withoutComments(text).split("\n").flatMap((line, k) => (/^(export\s+)?let\b/.test(line) ? [`${path}:${k + 1}: ${line}`] : [])));
    expect(offences).toEqual([]);
  });

  it("imports no types by themselves, which asc would not find", () => {
    expect(files.filter(({ text }) => /import\s+type|\{[^}]*\btype\s+\w/.test(withoutComments(text))).map(({ path }) => path)).toEqual([]);
  });

  it.each([
    ["const f: i32 = x.map((y) => y);", "a closure"], ['const text: i32 = "a";', "a string"], ["const a: i32 = b * c;", "a product of integers"],
    ["const a = 3;", "a variable without a type"], ["throw x;", "an exception"], ["const a: i32 = b / c;", "a division"], ["if (a == b) return;", "a loose comparison"],
    ["export function f(a: i32 = 3): i32 {", "a default parameter"], ["return Math.imul(a, b);", "a built-in"], ["const [a] = b;", "an array or destructuring"],
  ])("would not get away with `%s`", (line, what) => {
    expect(FORBIDDEN.filter(([, pattern]) => pattern.test(line)).map(([name]) => name)).toContain(what);
  });
});
