import { stringify } from "yaml";
import { InputError } from "../cluster/input-error.ts";
import { closestName } from "../cluster/spelling.ts";
import { GET_KINDS, KIND_NAMES, type ListedObject, objectTable } from "../inspect/kubernetes-objects.ts";
import { mapTable } from "../inspect/map-table.ts";
import { printable, printableJson, printableLines } from "../observe/printable.ts";
import { UsageError } from "./failure.ts";
import type { GetOptions } from "./get-command.ts";
import { openModel, print } from "./inspect-run.ts";
import type { Terminal } from "./terminal.ts";

export async function getObjects(written: string, names: readonly string[], options: GetOptions, terminal: Terminal): Promise<void> {
  const kind = KIND_NAMES.get(written.toLowerCase());
  if (kind === undefined) {
    const near = closestName(written, [...KIND_NAMES.keys()]);
    const cure = near === null ? "" : `did you mean ${near}?`;
    throw new UsageError([{ at: null, subject: "KIND", message: `"${written}" is none of ${GET_KINDS.join(", ")}`, cure }], "get");
  }
  const { cluster, control, node } = await openModel(options, terminal);
  const { header, wideHeader, objects } = objectTable(kind, cluster, control, { node, namespace: options.namespace ?? null });
  const chosen = names.length === 0 ? objects : objects.filter(({ name }) => names.includes(name));
  const missing = names.filter((name) => !chosen.some((object) => object.name === name));
  if (missing.length > 0) throw notFound(kind, missing, objects);
  if (options.output === "json" || options.output === "yaml") {
    const list = { apiVersion: "v1", kind: "List", items: chosen.map(({ raw }) => raw) };
    const value = names.length === 1 && chosen.length === 1 ? chosen[0]?.raw : list;
    print([options.output === "json" ? printableJson(`${JSON.stringify(value, null, 4)}\n`) : printableLines(stringify(value))], terminal);
    return;
  }
  if (chosen.length === 0) {
    terminal.err("No resources found\n");
    return;
  }
  const wide = options.output === "wide";
  const rows = chosen.map((object) => (wide ? [...object.cells, ...object.wide] : object.cells).map(printable));
  const lines = mapTable(wide ? [...header, ...wideHeader] : header, rows);
  print([`${lines.join("\n")}\n`], terminal);
}

function notFound(kind: string, missing: readonly string[], objects: readonly ListedObject[]): InputError {
  return new InputError(missing.map((name) => {
    const near = closestName(name, objects.map((object) => object.name));
    return { at: null, subject: `${kind} ${name}`, message: "not found", cure: near === null ? "" : `did you mean ${near}?` };
  }));
}
