// Any YAML (several documents in a file) with places for every value, by the yaml package. Files of plain YAML do not come here
// (plain-yaml.ts); import this file when one has to.
import {
  Composer, type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type ParsedNode, Parser,
} from "yaml";
import type { InputProblem } from "./input-error.ts";
import type { PathSegment, SourceDocument } from "./origin.ts";
import { MOST_DOCUMENTS } from "./plain-yaml-document.ts";
import type { SourceRef } from "./source.ts";

/** Texts up to this many characters keep their syntax trees; of larger ones the part that a place is asked for is parsed
 * again (a tree takes some 80 times the text's size). */
const KEEP_TREES_BELOW = 1 << 20;
/** A manifest uses aliases rarely if at all; the bound stops expansion bombs. */
const MOST_ALIASES = 100;

/** The parser recurses; where V8 ends that with a RangeError, yaml reports the error's text as one of its own. */
export const NESTED_TOO_DEEPLY = "values are nested too deeply";

type Tree = Document.Parsed<ParsedNode>;

export interface YamlFile {
  readonly documents: readonly SourceDocument[];
  readonly problems: readonly InputProblem[];
}

/** Parses every document of `text`; syntax faults come back as problems with line and column. Empty documents are left out. */
export function yamlDocuments(file: string, text: string): YamlFile {
  const lines = new LineCounter();
  const documents: SourceDocument[] = [];
  const problems: InputProblem[] = [];
  let index = 0;
  for (const tree of composeAll(text, lines)) {
    const place = (offset: number): SourceRef => refAt(file, lines, offset);
    if (index >= MOST_DOCUMENTS) {
      problems.push({
        at: place(tree.range[0]),
        subject: file,
        message: `more than ${MOST_DOCUMENTS.toLocaleString("en-US")} documents in one file`,
        cure: "split the file",
      });
      break;
    }
    for (const error of tree.errors) {
      problems.push({
        at: place(error.pos[0]),
        subject: file,
        message: error.message.includes("call stack") ? NESTED_TOO_DEEPLY : `broken YAML: ${firstLine(error.message)}`,
        cure: "",
      });
    }
    if (tree.errors.length === 0) {
      const value = valueOf(tree, place(tree.range[0]), problems);
      if (value !== null && value !== undefined) {
        const offsets = text.length <= KEEP_TREES_BELOW ? new KeptTree(tree) : new SlicedTree(text, lines, tree);
        documents.push({ file, value, locate: (path, atKey = false) => place(offsets.offsetOf(path, atKey)) });
      }
    }
    index++;
  }
  return { documents, problems };
}

/** Parses a text inside a manifest (a ConfigMap's value), where no places are needed. */
export function yamlValue(text: string): { readonly value: unknown; readonly fault: string | null } {
  const lines = new LineCounter();
  for (const tree of composeAll(text, lines)) {
    const error = tree.errors[0];
    if (error !== undefined) return { value: null, fault: firstLine(error.message) };
    const problems: InputProblem[] = [];
    const value = valueOf(tree, { file: "", line: 1, column: 1 }, problems);
    return { value, fault: problems[0]?.message ?? null };
  }
  return { value: null, fault: null };
}

function* composeAll(text: string, lines: LineCounter): Generator<Tree> {
  const parser = new Parser(lines.addNewLine);
  const composer = new Composer<ParsedNode>({ prettyErrors: false, lineCounter: lines, merge: true });
  for (const tree of composer.compose(parser.parse(text))) yield tree as Tree;
}

class KeptTree {
  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  offsetOf(path: readonly PathSegment[], atKey: boolean): number {
    return offsetOf(this.#tree, path, atKey);
  }
}

interface Slice {
  readonly start: number;
  readonly end: number;
}

/** Remembers where the document and the items of its list begin and end. */
class SlicedTree {
  readonly #text: string;
  readonly #lines: LineCounter;
  readonly #whole: Slice;
  readonly #items: readonly Slice[];
  /** Path segments that lead to an item: 2 for `items[0]`, 1 where the document is a list itself. */
  readonly #depth: number;

  constructor(text: string, lines: LineCounter, tree: Tree) {
    this.#text = text;
    this.#lines = lines;
    this.#whole = sliceOf(tree.contents) ?? { start: tree.range[0], end: tree.range[2] };
    const list: unknown = isMap(tree.contents) ? tree.contents.get("items", true) : tree.contents;
    this.#depth = isMap(tree.contents) ? 2 : 1;
    this.#items = isSeq(list) ? list.items.map((item) => sliceOf(item) ?? this.#whole) : [];
  }

  offsetOf(path: readonly PathSegment[], atKey: boolean): number {
    const number = this.#depth === 1 || path[0] === "items" ? path[this.#depth - 1] : undefined;
    const item = typeof number === "number" ? this.#items[number] : undefined;
    const slice = item ?? this.#whole;
    // Blanks in front keep the first line's indentation, which the following lines are measured by.
    const indent = this.#lines.linePos(slice.start).col - 1;
    const tree = parseDocument(" ".repeat(indent) + this.#text.slice(slice.start, slice.end), { prettyErrors: false, merge: true });
    return slice.start - indent + offsetOf(tree, item === undefined ? path : path.slice(this.#depth), atKey);
  }
}

function sliceOf(node: unknown): Slice | null {
  if (typeof node !== "object" || node === null || !("range" in node) || !Array.isArray(node.range)) return null;
  const [start, , end] = node.range as unknown[];
  return typeof start === "number" && typeof end === "number" ? { start, end } : null;
}

function valueOf(tree: Tree, at: SourceRef, problems: InputProblem[]): unknown {
  try {
    return tree.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (error) {
    const message = error instanceof Error ? firstLine(error.message) : String(error);
    problems.push({ at, subject: at.file, message: `YAML aliases: ${message}`, cure: "write the values out" });
    return null;
  }
}

function offsetOf(tree: Tree, path: readonly PathSegment[], atKey: boolean): number {
  let node: unknown = tree.contents;
  let offset = startOf(tree.contents) ?? tree.range[0];
  for (const [depth, segment] of path.entries()) {
    const resolved = isNode(node) && "resolve" in node && typeof node.resolve === "function" ? (node.resolve(tree) as unknown) : node;
    let child: unknown;
    let keyOffset: number | null = null;
    if (isMap(resolved)) {
      const pair = resolved.items.find((each) => (isScalar(each.key) ? String(each.key.value) : String(each.key)) === String(segment));
      if (pair === undefined) return offset;
      child = pair.value;
      keyOffset = startOf(pair.key);
    } else if (isSeq(resolved) && typeof segment === "number") {
      child = resolved.items[segment];
    }
    if (child === undefined) return offset;
    offset = (atKey && depth === path.length - 1 ? (keyOffset ?? startOf(child)) : (startOf(child) ?? keyOffset)) ?? offset;
    node = child;
  }
  return offset;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null;
}

function startOf(node: unknown): number | null {
  return sliceOf(node)?.start ?? null;
}

function refAt(file: string, lines: LineCounter, offset: number): SourceRef {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

function firstLine(message: string): string {
  return message.split("\n", 1)[0] ?? message;
}
