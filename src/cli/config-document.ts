// The text of an egwsim.config.yaml: long option names as keys, flags as true, lists as lists. Unknown keys are errors with their
// place. The only way into yaml from here: import this file where there is such a text.
import { isAbsolute, join } from "node:path";
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from "yaml";
import type { InputProblem } from "../cluster/input-error.ts";
import type { SourceRef } from "../cluster/source.ts";
import { UsageError } from "./failure.ts";
import { REPLAY_OPTIONS, type OptionSpec } from "./option-list.ts";
import type { RawSetting } from "./raw-setting.ts";
import { didYouMean } from "./suggestion.ts";

const KNOWN = new Map(REPLAY_OPTIONS.filter((option) => option.commandLineOnly !== true).map((option) => [option.name, option]));

/** `folder`: what paths in the file are relative to, itself relative to the working folder ("" where it is that). */
export function parseConfig(text: string, file: string, folder: string): Map<string, RawSetting> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const placeAt = (offset: number): SourceRef => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const placeOf = (node: Node | null | undefined, orElse: SourceRef): SourceRef => (node?.range ? placeAt(node.range[0]) : orElse);
  const start: SourceRef = { file, line: 1, column: 1 };
  const problems: InputProblem[] = document.errors.map((error) =>
    ({ at: placeAt(error.pos[0]), subject: file, message: error.message, cure: "" }));
  if (problems.length > 0) throw new UsageError(problems);

  const settings = new Map<string, RawSetting>();
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return settings;
  if (!isMap(root)) {
    throw new UsageError([{ at: start, subject: file, message: "a defaults file is a mapping of option names to values", cure: "for example `cluster: [./cluster]`" }]);
  }
  for (const { key, value } of root.items) {
    const keyNode = isScalar(key) ? key : null;
    const at = placeOf(keyNode, start);
    const name = typeof keyNode?.value === "string" ? keyNode.value : "";
    const option = KNOWN.get(name);
    if (option === undefined) {
      problems.push({ at, subject: file, message: `"${name}" is no option of egwsim replay`, cure: didYouMean(name, [...KNOWN.keys()]) });
      continue;
    }
    const valueNode = isScalar(value) || isSeq(value) || isMap(value) ? value : null;
    const read = readValue(option, valueNode);
    const valueAt = placeOf(valueNode, at);
    if (typeof read === "string") problems.push({ at: valueAt, subject: file, message: `${name}: ${read}`, cure: "" });
    else if (read !== false) {
      const paths = option.isPath === true && read !== true ? read.map((path) => besideConfig(path, folder)) : read;
      settings.set(name, { value: paths, subject: name, at: valueAt });
    }
  }
  if (problems.length > 0) throw new UsageError(problems);
  return settings;
}

const besideConfig = (path: string, folder: string): string => (folder === "" || isAbsolute(path) ? path : join(folder, path));

/** The value as texts; false: the flag is off; a text: what is wrong with it. */
function readValue(option: OptionSpec, node: Node | null): true | false | readonly string[] | string {
  if (option.kind === "flag") {
    return isScalar(node) && typeof node.value === "boolean" ? node.value : "true or false is wanted";
  }
  const scalar = (item: unknown): string | null =>
    isScalar(item) && (typeof item.value === "string" || typeof item.value === "number") ? String(item.value) : null;
  if (isSeq(node)) {
    if (option.kind !== "list") return "one value is wanted, not a list";
    const texts = node.items.map(scalar);
    const sound = texts.filter((text) => text !== null);
    return sound.length === texts.length ? sound : "a list of texts is wanted";
  }
  const text = scalar(node);
  return text === null ? `a ${option.kind === "list" ? "text or a list of texts" : "text or a number"} is wanted` : [text];
}
