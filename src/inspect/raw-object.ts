import type { Origin } from "../cluster/origin.ts";

/** An object as its file has it; kind and version are added where a typed list left them out, as kubectl prints them. */
export function rawObject(origin: Origin, kind: string, apiVersion: string): Readonly<Record<string, unknown>> {
  let value: unknown = origin.document.value;
  for (const segment of origin.path) value = fieldOf(value, segment);
  return { apiVersion, kind, ...(isRecord(value) ? value : {}) };
}

/** A field of whatever was parsed, undefined where there is none. */
export function fieldOf(value: unknown, ...path: readonly (string | number)[]): unknown {
  let at = value;
  for (const segment of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, segment)) return undefined;
    at = (at as Record<string | number, unknown>)[segment];
  }
  return at;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
