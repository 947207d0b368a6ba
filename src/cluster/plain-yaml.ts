// The YAML that kubectl prints and most people write: block mappings and lists, scalars that end with their line, literal
// blocks. Everything else (flow collections, anchors, tags, folded text, faults) is refused and left to the yaml package, whose
// answers this reader must give too; a test compares them. Measured: 20 MB a second against 1, no 40 ms to load the package; a
// run of 1000 packets in a model of 100 pods takes 419 instead of 541 ms (medians of 11 interleaved runs).
import type { PathSegment } from "./origin.ts";

/** Offsets of the keys and values of the collections that were read with places, by collection. */
export type Places = Map<object, ReadonlyMap<PathSegment, Place>>;

export interface Place {
  readonly key: number;
  readonly value: number;
}

export interface PlainDocument {
  readonly value: unknown;
  /** Offset of the value. */
  readonly at: number;
  /** Offset behind its last line. */
  readonly end: number;
}

/** All documents of `text`, without the empty ones; null when it holds anything but plain YAML, or more than `most` of them.
 * `places` gets where the entries of collections are that lie at most `deepest` collections deep. */
export function plainDocuments(text: string, most: number, places: Places | null = null, deepest = DEEPEST): readonly PlainDocument[] | null {
  if (UNUSUAL.test(text)) return null;
  try {
    return new PlainReader(text, 0, text.length, places, deepest).documents(most);
  } catch (refused) {
    if (refused === REFUSED) return null;
    throw refused;
  }
}

/** The list or mapping that begins at `start`, part of a text that plainDocuments() has read, up to `end` at the latest. */
export function plainCollection(text: string, start: number, end: number, places: Places): unknown {
  return new PlainReader(text, start, end, places, DEEPEST).collection();
}

/** What has rules of its own in YAML or takes two units of a string: control characters, tabs and carriage returns among them. */
const UNUSUAL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]/;
const REFUSED = Symbol("not plain YAML");
/** No manifest is deeper; the reader recurses. */
const DEEPEST = 64;
/** YAML 1.2, section 7.4.2: a key on one line ends within 1024 characters. */
const LONGEST_KEY = 1000;
const SPACE = 32, QUOTE = 34, HASH = 35, APOSTROPHE = 39, DASH = 45, COLON = 58;

// What begins with a letter and is none of YAML's words is a string as a key, too.
const KEY = /[A-Za-z][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*(?=:(?: |$))|"[A-Za-z][A-Za-z0-9_./:-]*"(?=:(?: |$))|'[A-Za-z][A-Za-z0-9_./:-]*'(?=:(?: |$))/my;
const WORD = /^(?:null|Null|NULL|true|True|TRUE|false|False|FALSE)$/;
const DOUBLE_QUOTED = /"(?:[^"\\\n]|\\["\\/bfnrt])*"/y;
const SINGLE_QUOTED = /'(?:[^'\n]|'')*'/y;
/** YAML 1.2, section 10.3.2: what a plain scalar of digits can be; only decimal numbers are read here. */
const DECIMAL = /^[-+]?[0-9]{1,15}(?:\.[0-9]{1,15})?$/;
const MAYBE_NUMBER = /^[-+]?(?:[0-9]|\.[0-9IiNn])/;
const NUMBER = /^(?:0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const PLAIN_START = /[A-Za-z0-9_/.(<$^~+;=]|-(?=[^ \n])/y;

class PlainReader {
  readonly #text: string;
  readonly #end: number;
  readonly #places: Places | null;
  readonly #deepestPlaces: number;
  /** The line that is read next: where its content begins and ends, and how far it is indented; -1 behind the last line. */
  #at = 0;
  #lineEnd = 0;
  #indent = -1;

  constructor(text: string, start: number, end: number, places: Places | null, deepestPlaces: number) {
    this.#text = text;
    this.#end = end;
    this.#places = places;
    this.#deepestPlaces = deepestPlaces;
    this.#readLine(start);
    // What begins in the middle of a line is indented as far as its column says.
    if (start > 0 && this.#at === start) this.#indent = start - text.lastIndexOf("\n", start - 1) - 1;
  }

  documents(most: number): readonly PlainDocument[] | null {
    const documents: PlainDocument[] = [];
    let count = 0;
    while (this.#indent >= 0) {
      if (this.#isMarker()) {
        this.#nextLine();
        continue;
      }
      if (++count > most) return null;
      const at = this.#at;
      const value = this.#block(0, 0);
      if (this.#indent >= 0 && !this.#isMarker()) throw REFUSED;
      documents.push({ value, at, end: this.#indent < 0 ? this.#end : this.#at });
    }
    return documents;
  }

  collection(): unknown {
    return this.#block(this.#indent, 0);
  }

  /** A list or mapping whose entries are indented by at least `least`; nothing else can be a document of a manifest. */
  #block(least: number, depth: number): unknown {
    if (depth > DEEPEST || this.#indent < least) throw REFUSED;
    return this.#isItem() ? this.#list(this.#indent, depth) : this.#mapping(this.#indent, depth);
  }

  #list(indent: number, depth: number): unknown[] {
    const list: unknown[] = [];
    const places = this.#placesOf(list, depth);
    while (this.#indent === indent && this.#isItem()) {
      const dash = this.#at;
      let at = dash + 1;
      while (at < this.#lineEnd && this.#text.charCodeAt(at) === SPACE) at++;
      if (at === this.#lineEnd || this.#text.charCodeAt(at) === HASH) {
        this.#nextLine();
        if (this.#indent <= indent) throw REFUSED;
        places?.set(list.length, { key: this.#at, value: this.#at });
        list.push(this.#block(indent + 1, depth + 1));
        continue;
      }
      places?.set(list.length, { key: at, value: at });
      this.#at = at;
      this.#indent = indent + at - dash;
      if (this.#isItem() || this.#key() !== null) list.push(this.#block(this.#indent, depth + 1));
      else list.push(this.#scalar(at, indent));
    }
    if (this.#indent > indent) throw REFUSED;
    return list;
  }

  #mapping(indent: number, depth: number): Record<string, unknown> {
    const mapping: Record<string, unknown> = {};
    const places = this.#placesOf(mapping, depth);
    while (this.#indent === indent && !this.#isMarker()) {
      const keyAt = this.#at;
      const written = this.#key();
      if (written === null || written.length > LONGEST_KEY) throw REFUSED;
      const first = written.charCodeAt(0);
      const key = first === QUOTE || first === APOSTROPHE ? written.slice(1, -1) : written;
      if ((key === written && WORD.test(key)) || Object.hasOwn(mapping, key)) throw REFUSED;
      let at = keyAt + written.length + 1;
      while (at < this.#lineEnd && this.#text.charCodeAt(at) === SPACE) at++;
      if (at < this.#lineEnd && this.#text.charCodeAt(at) !== HASH) {
        places?.set(key, { key: keyAt, value: at });
        mapping[key] = this.#scalar(at, indent);
        continue;
      }
      this.#nextLine();
      // A list may stand as far to the left as the key that it belongs to.
      const below = this.#indent > indent || (this.#indent === indent && this.#isItem());
      places?.set(key, { key: keyAt, value: below ? this.#at : keyAt + written.length + 1 });
      mapping[key] = below ? this.#block(indent, depth + 1) : null;
    }
    if (this.#indent > indent) throw REFUSED;
    return mapping;
  }

  #placesOf(collection: object, depth: number): Map<PathSegment, Place> | null {
    if (this.#places === null || depth > this.#deepestPlaces) return null;
    const places = new Map<PathSegment, Place>();
    this.#places.set(collection, places);
    return places;
  }

  /** The key that the line begins with, as written; null when it begins with none. */
  #key(): string | null {
    KEY.lastIndex = this.#at;
    return KEY.exec(this.#text)?.[0] ?? null;
  }

  #isItem(): boolean {
    if (this.#text.charCodeAt(this.#at) !== DASH) return false;
    return this.#at + 1 === this.#lineEnd || this.#text.charCodeAt(this.#at + 1) === SPACE;
  }

  #isMarker(): boolean {
    if (this.#indent !== 0 || !this.#text.startsWith("---", this.#at)) return false;
    for (let at = this.#at + 3; at < this.#lineEnd; at++) {
      if (this.#text.charCodeAt(at) === HASH && at > this.#at + 3) break;
      if (this.#text.charCodeAt(at) !== SPACE) throw REFUSED;
    }
    return true;
  }

  /** The value that ends with its line; what follows must not be indented further than `indent`, or it would belong to it. */
  #scalar(at: number, indent: number): unknown {
    const text = this.#text;
    const first = text.charCodeAt(at);
    let value: unknown;
    if (first === QUOTE || first === APOSTROPHE) value = this.#quoted(at, first === QUOTE ? DOUBLE_QUOTED : SINGLE_QUOTED);
    else if (text.startsWith("{}", at) || text.startsWith("[]", at)) {
      this.#nothingFrom(at + 2);
      value = text.startsWith("{}", at) ? {} : [];
    } else if (first === 124) return this.#literal(at, indent);
    else value = this.#plain(at);
    this.#nextLine();
    if (this.#indent > indent) throw REFUSED;
    return value;
  }

  #quoted(at: number, form: RegExp): string {
    form.lastIndex = at;
    const written = form.exec(this.#text)?.[0];
    if (written === undefined) throw REFUSED;
    this.#nothingFrom(at + written.length);
    return form === DOUBLE_QUOTED ? String(JSON.parse(written)) : written.slice(1, -1).replaceAll("''", "'");
  }

  #nothingFrom(at: number): void {
    let end = at;
    while (end < this.#lineEnd && this.#text.charCodeAt(end) === SPACE) end++;
    if (end < this.#lineEnd && (end === at || this.#text.charCodeAt(end) !== HASH)) throw REFUSED;
  }

  #plain(at: number): unknown {
    PLAIN_START.lastIndex = at;
    if (!PLAIN_START.test(this.#text)) throw REFUSED;
    let end = at;
    for (; end < this.#lineEnd; end++) {
      const code = this.#text.charCodeAt(end);
      if (code === HASH && this.#text.charCodeAt(end - 1) === SPACE) break;
      if (code === COLON && (end + 1 === this.#lineEnd || this.#text.charCodeAt(end + 1) === SPACE)) throw REFUSED;
    }
    while (this.#text.charCodeAt(end - 1) === SPACE) end--;
    const written = this.#text.slice(at, end);
    if (MAYBE_NUMBER.test(written) && NUMBER.test(written)) {
      if (!DECIMAL.test(written)) throw REFUSED;
      return Number(written);
    }
    if (!WORD.test(written)) return written === "~" ? null : written;
    return written.length === 4 && written.toLowerCase() === "null" ? null : written.toLowerCase() === "true";
  }

  /** A literal block (`|` or `|-`): its lines as they are, less the first one's indentation. */
  #literal(at: number, indent: number): string {
    const text = this.#text;
    const strip = text.charCodeAt(at + 1) === DASH;
    this.#nothingFrom(at + (strip ? 2 : 1));
    const lines: string[] = [];
    let margin = 0;
    let from = this.#lineEnd + 1;
    while (from < this.#end) {
      const end = this.#endOfLine(from);
      let start = from;
      while (start < end && text.charCodeAt(start) === SPACE) start++;
      if (start === end) {
        // Blank lines in front, and lines of blanks, have rules of their own.
        if (end > from || lines.length === 0) throw REFUSED;
        lines.push("");
      } else {
        if (margin === 0) {
          if (start - from <= indent) throw REFUSED;
          margin = start - from;
        }
        if (start - from < margin) {
          if (start - from > indent) throw REFUSED;
          break;
        }
        lines.push(text.slice(from + margin, end));
      }
      from = end + 1;
    }
    if (lines.length === 0) throw REFUSED;
    this.#readLine(from);
    while (lines.at(-1) === "") lines.pop();
    return lines.join("\n") + (strip ? "" : "\n");
  }

  #nextLine(): void {
    this.#readLine(this.#lineEnd + 1);
  }

  /** Goes to the first line from `start` on that holds more than blanks and a comment. */
  #readLine(start: number): void {
    const text = this.#text;
    let from = start;
    while (from < this.#end) {
      const end = this.#endOfLine(from);
      let at = from;
      while (at < end && text.charCodeAt(at) === SPACE) at++;
      if (at < end && text.charCodeAt(at) !== HASH) {
        // Directives and the end mark of a document.
        if (at === from && (text.charCodeAt(at) === 37 || text.startsWith("...", at))) throw REFUSED;
        this.#at = at;
        this.#lineEnd = end;
        this.#indent = at - from;
        return;
      }
      from = end + 1;
    }
    this.#at = this.#end;
    this.#lineEnd = this.#end;
    this.#indent = -1;
  }

  #endOfLine(from: number): number {
    const end = this.#text.indexOf("\n", from);
    return end < 0 || end > this.#end ? this.#end : end;
  }
}
