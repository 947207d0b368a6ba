// Documents of plain YAML with places for every value.
import type { PathSegment, SourceDocument } from "./origin.ts";
import { plainCollection, type PlainDocument, plainDocuments, type Places } from "./plain-yaml.ts";
import { LineIndex, type SourceRef } from "./source.ts";

export const MOST_DOCUMENTS = 100_000;
/** Of texts up to this many characters all places are kept once one was asked for (some ten times the text's size); of larger
 * ones those of the items of their lists, and the item that a place is asked for is read again. */
const KEEP_PLACES_BELOW = 1 << 20;
const TO_THE_ITEMS = 1;

/** Reads every document of `text`; null where it is not plain YAML. Empty documents are left out. */
export function plainYamlDocuments(file: string, text: string): readonly SourceDocument[] | null {
  const documents = plainDocuments(text, MOST_DOCUMENTS);
  if (documents === null) return null;
  const index = new PlaceIndex(file, text);
  return documents.map(({ value }, number) => ({ file, value, locate: (path, atKey = false) => index.locate(number, path, atKey) }));
}

class PlaceIndex {
  readonly #file: string;
  readonly #text: string;
  readonly #lines: LineIndex;
  readonly #places: Places = new Map();
  #documents: readonly PlainDocument[] | null = null;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    this.#lines = new LineIndex(text);
  }

  locate(number: number, path: readonly PathSegment[], atKey: boolean): SourceRef {
    const deepest = this.#text.length <= KEEP_PLACES_BELOW ? undefined : TO_THE_ITEMS;
    const document = (this.#documents ??= plainDocuments(this.#text, MOST_DOCUMENTS, this.#places, deepest) ?? [])[number];
    return this.#lines.placeOf(this.#file, document === undefined ? 0 : this.#offsetOf(document, path, atKey));
  }

  #offsetOf(document: PlainDocument, path: readonly PathSegment[], atKey: boolean): number {
    let places = this.#places;
    let { value, at, end } = document;
    for (const [depth, segment] of path.entries()) {
      if (typeof value !== "object" || value === null) return at;
      if (!places.has(value)) {
        places = new Map();
        value = plainCollection(this.#text, at, end, places);
      }
      const siblings = places.get(value as object);
      const place = siblings?.get(segment);
      if (place === undefined) return at;
      if (typeof segment === "number") end = siblings?.get(segment + 1)?.value ?? end;
      at = atKey && depth === path.length - 1 ? place.key : place.value;
      value = (value as Readonly<Record<PathSegment, unknown>>)[segment];
    }
    return at;
  }
}
