// zod's issues in the reader's words: file, line, column, path, the value found and what was expected.
import type { z } from "zod";
import type { InputProblem } from "./input-error.ts";
import { formatPath, keyPlaceOf, type Origin, type PathSegment, placeOf } from "./origin.ts";
import { closestName } from "./spelling.ts";

const LONGEST_VALUE = 60;

/** zod's type names where YAML's readers know others. */
const NOUNS: Readonly<Record<string, string>> = { record: "object", int: "integer", array: "list" };

export interface SchemaSubject {
  readonly kind: string;
  /** The object as parsed, for showing the values found. */
  readonly value: unknown;
  readonly origin: Origin;
  /** Field names of strict kinds, for "did you mean". */
  readonly knownFields: readonly string[];
}

export function schemaProblems(subject: SchemaSubject, issues: readonly z.core.$ZodIssue[]): readonly InputProblem[] {
  return issues.flatMap((issue) => problemsOf(subject, issue, []));
}

function problemsOf(subject: SchemaSubject, issue: z.core.$ZodIssue, outer: readonly PathSegment[]): readonly InputProblem[] {
  const path = [...outer, ...issue.path.map((segment) => (typeof segment === "symbol" ? String(segment) : segment))];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      at: keyPlaceOf(subject.origin, ...path, key),
      subject: subject.kind,
      message: `${subject.kind} ${nameOf(subject.value)}: ${formatPath([...path, key])} is not a known field`,
      cure: cureOf(key, subject.knownFields),
    }));
  }
  if (issue.code === "invalid_union") {
    // The branch that got furthest into the value knows best what is wrong with it.
    const branches = issue.errors.filter((branch) => branch.length > 0);
    const best = branches.find((branch) => branch.every((each) => each.code !== "invalid_type" && each.code !== "invalid_value"));
    if (best !== undefined) return best.flatMap((each) => problemsOf(subject, each, path));
  }
  const found = valueAt(subject.value, path);
  const atKey = issue.code === "invalid_key";
  const place = atKey ? keyPlaceOf(subject.origin, ...path) : placeOf(subject.origin, ...path);
  return [
    {
      at: place,
      subject: subject.kind,
      message: `${subject.kind} ${nameOf(subject.value)}: ${formatPath(path)} is ${describe(found)}: ${expectation(issue)}`,
      cure: issue.code === "invalid_type" && issue.expected === "string" && isScalarValue(found) ? "put it in quotes" : "",
    },
  ];
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${article(NOUNS[issue.expected] ?? issue.expected)}`;
    case "invalid_value":
      return `expected ${issue.values.map((value) => String(value)).join(" or ")}`;
    case "invalid_key":
      return issue.issues[0]?.message ?? "not allowed as a key";
    case "too_big":
      return issue.message.startsWith("Too big") ? `expected at most ${issue.maximum}` : issue.message;
    case "too_small":
      return issue.message.startsWith("Too small") ? `expected at least ${issue.minimum}` : issue.message;
    default:
      return issue.message;
  }
}

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  const text = JSON.stringify(value);
  const shown = text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}… (${text.length} characters)` : text;
  return typeof value === "string" ? shown : `the ${typeof value} ${shown}`;
}

function isScalarValue(value: unknown): boolean {
  return typeof value === "number" || typeof value === "boolean";
}

function cureOf(key: string, known: readonly string[]): string {
  const close = closestName(key, known);
  return close === null ? "remove it, or move it to where it belongs" : `did you mean ${close}?`;
}

function valueAt(value: unknown, path: readonly PathSegment[]): unknown {
  let at = value;
  for (const segment of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, segment)) return undefined;
    at = (at as Record<PathSegment, unknown>)[segment];
  }
  return at;
}

function nameOf(value: unknown): string {
  const name = valueAt(value, ["metadata", "name"]);
  return (typeof name === "string" && name !== "") || typeof name === "number" ? String(name).slice(0, LONGEST_VALUE).replace(/[^\x20-\x7e]/g, "?") : "(no name)";
}
