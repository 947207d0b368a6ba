import { InputError } from "../cluster/input-error.ts";
import { closestName } from "../cluster/spelling.ts";
import type { DatapathTables } from "../control/tables.ts";
import { IdentityLabels } from "../inspect/identity-labels.ts";
import { policyMapLines, policyMapOf, policyMapRecords } from "../inspect/policy-map.ts";
import { printable, printableJson } from "../observe/printable.ts";
import { UsageError } from "./failure.ts";
import type { InspectOptions } from "./inspect-options.ts";
import { openModel, print, selectedNodes } from "./inspect-run.ts";
import type { Terminal } from "./terminal.ts";

interface NamedEndpoint {
  readonly node: string;
  readonly id: number;
  /** namespace/name. */
  readonly label: string;
  readonly identity: number;
}

/** One endpoint's map as cilium-dbg prints it; several under their numbers. */
export async function getPolicyMaps(
  endpoint: string | undefined, options: InspectOptions & { readonly all?: boolean; readonly numeric?: boolean }, terminal: Terminal,
): Promise<void> {
  if (endpoint === undefined && options.all !== true)
    throw new UsageError([{ at: null, subject: "ENDPOINT", message: "no endpoint is named", cure: "a number, NAMESPACE/POD, or --all" }], "bpf policy get");
  const model = await openModel(options, terminal), { tables } = model.control;
  const all = [...endpointsOn(tables, selectedNodes(model))];
  const chosen = endpoint === undefined ? all : all.filter(({ id, label }) => label === endpoint || String(id) === endpoint);
  if (endpoint !== undefined && chosen.length === 0) throw unknown(endpoint, all);
  const isOne = chosen.length === 1 && options.all !== true;
  if (options.output === "json") return print(jsonOf(tables, chosen, isOne), terminal);
  const labels = options.numeric === true ? null : new IdentityLabels(model.control, model.cluster.identities);
  return print(textOf(tables, chosen, isOne, labels), terminal);
}

/** A piece for each endpoint: a map may have 65,536 entries. */
function* textOf({ networkPolicy }: DatapathTables, chosen: readonly NamedEndpoint[], isOne: boolean, labels: IdentityLabels | null): Generator<string> {
  for (const { node, id, label, identity } of chosen) {
    const map = policyMapLines(policyMapOf(networkPolicy, identity), labels).map((line) => `${printable(line)}\n`).join("");
    yield isOne ? map : `${printable(`Endpoint ID: ${id} (${label}, ${node})`)}\n\n${map}\n`;
  }
}

function* jsonOf({ networkPolicy }: DatapathTables, chosen: readonly NamedEndpoint[], isOne: boolean): Generator<string> {
  const text = (value: unknown): string => printableJson(JSON.stringify(value, null, 2));
  let before = "[";
  for (const { node, id, label, identity } of chosen) {
    const content = policyMapRecords(policyMapOf(networkPolicy, identity));
    yield isOne ? text(content) : `${before}\n${text({ Node: node, EndpointID: String(id), Pod: label, Content: content })}`;
    before = ",";
  }
  yield isOne ? "\n" : chosen.length === 0 ? "[]\n" : "\n]\n";
}

function* endpointsOn({ nodes }: DatapathTables, selected: readonly number[]): Generator<NamedEndpoint> {
  for (const index of selected) {
    const table = nodes[index], found = new Map<string, NamedEndpoint>();
    for (const { host, label, endpointId, identity } of [...(table?.endpoints ?? []), ...(table?.endpoints6 ?? [])])
      if (!host) found.set(label, { node: table?.name ?? "", id: endpointId, label, identity });
    yield* found.values();
  }
}

function unknown(endpoint: string, all: readonly NamedEndpoint[]): InputError {
  const near = closestName(endpoint, all.map(({ label }) => label));
  const cure = near === null ? "egwsim endpoint list names them" : `did you mean ${near}?`;
  return new InputError([{ at: null, subject: `endpoint ${endpoint}`, message: "no such endpoint there", cure }]);
}
