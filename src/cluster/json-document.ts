// JSON with JSON.parse for the values and a scanner of our own for places: a dump of a large cluster is read at the
// engine's speed, and only what is reported is looked for in the text.
import type { PathSegment, SourceDocument } from "./origin.ts";
import { LineIndex, type SourceRef } from "./source.ts";

/** `value` must be what JSON.parse made of `text`: the scanner relies on the text being valid. */
export function jsonDocument(file: string, text: string, value: unknown): SourceDocument {
  const index = new JsonIndex(text);
  return {
    file,
    value,
    locate: (path, atKey = false) => index.locate(file, path, atKey),
  };
}

interface Child {
  readonly key: number;
  readonly value: number;
}

class JsonIndex {
  readonly #text: string;
  readonly #lines: LineIndex;
  readonly #children = new Map<number, ReadonlyMap<PathSegment, Child>>();

  constructor(text: string) {
    this.#text = text;
    this.#lines = new LineIndex(text);
  }

  locate(file: string, path: readonly PathSegment[], atKey: boolean): SourceRef {
    let at: Child = { key: 0, value: this.#skipBlank(0) };
    at = { key: at.value, value: at.value };
    for (const segment of path) {
      const child = this.#childrenOf(at.value).get(segment);
      if (child === undefined) return this.#lines.placeOf(file, at.value);
      at = child;
    }
    return this.#lines.placeOf(file, atKey ? at.key : at.value);
  }

  #childrenOf(start: number): ReadonlyMap<PathSegment, Child> {
    const known = this.#children.get(start);
    if (known !== undefined) return known;
    const found = new Map<PathSegment, Child>();
    const open = this.#text[start];
    if (open === "{" || open === "[") {
      let at = this.#skipBlank(start + 1);
      for (let position = 0; this.#text[at] !== "}" && this.#text[at] !== "]"; position++) {
        const key = at;
        let name: PathSegment = position;
        if (open === "{") {
          const end = this.#skipString(at);
          name = String(JSON.parse(this.#text.slice(at, end)));
          at = this.#skipBlank(this.#skipBlank(end) + 1);
        }
        found.set(name, { key, value: at });
        at = this.#skipBlank(this.#skipValue(at));
        if (this.#text[at] === ",") at = this.#skipBlank(at + 1);
      }
    }
    this.#children.set(start, found);
    return found;
  }

  #skipBlank(from: number): number {
    let at = from;
    for (let code = this.#text.charCodeAt(at); code === 32 || (code >= 9 && code <= 13) || code === 0xfeff; ) {
      code = this.#text.charCodeAt(++at);
    }
    return at;
  }

  #skipString(from: number): number {
    let at = from + 1;
    while (at < this.#text.length && this.#text[at] !== '"') at += this.#text[at] === "\\" ? 2 : 1;
    return at + 1;
  }

  #skipValue(from: number): number {
    let at = from;
    let depth = 0;
    while (at < this.#text.length) {
      const character = this.#text[at];
      if (character === '"') {
        at = this.#skipString(at);
      } else if (character === "{" || character === "[") {
        depth++;
        at++;
      } else if (character === "}" || character === "]") {
        if (depth === 0) return at;
        depth--;
        at++;
      } else if (character === "," && depth === 0) {
        return at;
      } else {
        at++;
        continue;
      }
      if (depth === 0) return at;
    }
    return at;
  }
}
