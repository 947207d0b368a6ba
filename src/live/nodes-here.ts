import { InputError } from "../cluster/input-error.ts";
import { closestName } from "../cluster/spelling.ts";
import { type DatapathTables, GATEWAY_EXCLUDED, GATEWAY_NONE } from "../control/tables.ts";
import type { Role } from "./sides.ts";

/** The nodes whose part is played here: those named, or by role those that are gateways of a policy, or are not.
 * Throws InputError where there are none. */
export function nodesHere(tables: DatapathTables, role: Role, names: readonly string[]): ReadonlySet<number> {
  if (names.length > 0) return named(tables, names);
  if (role === "both") return new Set(tables.nodes.keys());
  const gateways = new Set([...tables.policyEntries, ...tables.policyEntries6]
    .filter(({ gatewayIp, gatewayNode }) => gatewayIp !== GATEWAY_NONE && gatewayIp !== GATEWAY_EXCLUDED && gatewayNode >= 0).map(({ gatewayNode }) => gatewayNode));
  const found = new Set([...tables.nodes.keys()].filter((node) => gateways.has(node) === (role === "gateway")));
  if (found.size === 0) {
    throw new InputError([{
      at: null, subject: `--role ${role}`, message: role === "gateway" ? "no node of the model is a gateway of an accepted policy" : "every node of the model is a gateway",
      cure: "name the nodes to stand in for: --node NAME",
    }]);
  }
  return found;
}

function named(tables: DatapathTables, names: readonly string[]): ReadonlySet<number> {
  const known = tables.nodes.map(({ name }) => name);
  const wrong = names.filter((name) => !known.includes(name));
  if (wrong.length === 0) return new Set(names.map((name) => known.indexOf(name)));
  throw new InputError(wrong.map((name) => {
    const nearest = closestName(name, known);
    return { at: null, subject: `--node ${name}`, message: "the model has no such node", cure: nearest === null ? `it has ${known.slice(0, 8).join(", ")}` : `did you mean ${nearest}?` };
  }));
}
