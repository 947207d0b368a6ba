import { InputError } from "../cluster/input-error.ts";
import { closestName } from "../cluster/spelling.ts";
import type { DatapathTables } from "../control/tables.ts";
import { ALLOW_ALL, policyMapLines, unmodelledPolicies } from "../inspect/policy-map.ts";
import { UsageError } from "./failure.ts";
import type { InspectOptions } from "./inspect-options.ts";
import { openModel, print, selectedNodes } from "./inspect-run.ts";
import type { Terminal } from "./terminal.ts";

interface NamedEndpoint {
  readonly node: string;
  readonly id: number;
  /** namespace/name. */
  readonly label: string;
}

/** Every endpoint's map is that of an endpoint which no network policy selects; where the manifests hold some, that is said. */
export async function getPolicyMaps(
  endpoint: string | undefined, options: InspectOptions & { readonly all?: boolean; readonly numeric?: boolean }, terminal: Terminal,
): Promise<void> {
  if (endpoint === undefined && options.all !== true)
    throw new UsageError([{ at: null, subject: "ENDPOINT", message: "no endpoint is named", cure: "a number, NAMESPACE/POD, or --all" }], "bpf policy get");
  const model = await openModel(options, terminal), missing = unmodelledPolicies(model.control.ignored);
  if (missing !== null) terminal.err(`${missing}\n`);
  const all = [...endpointsOn(model.control.tables, selectedNodes(model))];
  const chosen = endpoint === undefined ? all : all.filter(({ id, label }) => label === endpoint || String(id) === endpoint);
  if (endpoint !== undefined && chosen.length === 0) throw unknown(endpoint, all);
  if (options.output === "json") {
    const maps = chosen.map(({ node, id, label }) => ({ Node: node, EndpointID: String(id), Pod: label, Content: ALLOW_ALL }));
    await print([`${JSON.stringify(maps, null, 2)}\n`], terminal);
    return;
  }
  const lines = policyMapLines(ALLOW_ALL, options.numeric === true);
  const isOne = chosen.length === 1 && options.all !== true;
  const map = `${lines.join("\n")}\n`;
  await print(isOne ? [map] : chosen.map(({ node, id, label }) => `Endpoint ID: ${id} (${label}, ${node})\n\n${map}\n`), terminal);
}

function* endpointsOn({ nodes }: DatapathTables, selected: readonly number[]): Generator<NamedEndpoint> {
  for (const index of selected) {
    const table = nodes[index];
    const ids = new Map<string, number>();
    for (const { host, label, endpointId } of [...(table?.endpoints ?? []), ...(table?.endpoints6 ?? [])]) if (!host) ids.set(label, endpointId);
    for (const [label, id] of ids) yield { node: table?.name ?? "", id, label };
  }
}

function unknown(endpoint: string, all: readonly NamedEndpoint[]): InputError {
  const near = closestName(endpoint, all.map(({ label }) => label));
  const cure = near === null ? "egwsim endpoint list names them" : `did you mean ${near}?`;
  return new InputError([{ at: null, subject: `endpoint ${endpoint}`, message: "no such endpoint there", cure }]);
}
