// What else could become of a packet: policies that take an entry from one another, and what the input leaves open.
import { inWords } from "../control/conflict-findings.ts";
import type { Conflict } from "../control/conflicts.ts";
import type { PolicyEntryOf } from "../control/tables.ts";
import type { Address } from "../observe/run-result.ts";
import { type ExplainedControl, holds } from "./conditions.ts";
import type { PacketRequest } from "./packet-request.ts";
import { selects } from "./selection.ts";

export interface OtherOutcomes {
  readonly rule: Conflict["rule"];
  /** Names, the winner of this run first. */
  readonly policies: readonly string[];
  /** Everything that may happen to the traffic, this run's outcome included. */
  readonly outcomes: readonly string[];
}

/** Rules whose entries move from reconciliation to reconciliation. */
const MOVING: ReadonlySet<Conflict["rule"]> = new Set(["policy-conflict", "prefix-in-and-out"]);

/** The conflicts about the entry that decides. */
export function otherOutcomes(control: ExplainedControl, { pod }: PacketRequest, decider: PolicyEntryOf<Address> | undefined): OtherOutcomes[] {
  const { tables, conflicts, endpoints, policiesInForce } = control;
  const endpoint = endpoints.find(({ title }) => title === pod.label);
  if (decider === undefined || endpoint === undefined) return [];
  const nodeNames = tables.nodes.map(({ name }) => name);
  const isOfPod = ({ rule, prefix, wants }: Conflict): boolean =>
    MOVING.has(rule) && prefix.bits === decider.destination.bits && holds(decider.destination, prefix.address)
    && wants[0]?.policy === decider.policy && wants[0].gatewayNode === decider.gatewayNode
    && wants.every(({ policy }) => policiesInForce.some((accepted) => accepted.index === policy && selects(accepted, endpoint)));
  return conflicts.filter(isOfPod).map(({ rule, wants, traffic }) => ({
    rule, policies: [...new Set(wants.map(({ policy }) => tables.policies[policy]?.name ?? ""))],
    outcomes: [...new Set(traffic.map((outcome) => inWords(outcome, nodeNames)))],
  }));
}

/** What the input does not say and the answer depends on, a line each. */
export function undetermined(control: ExplainedControl, { pod }: PacketRequest, decider: PolicyEntryOf<Address> | undefined): string[] {
  const { endpoints, policiesInForce, assumptions } = control;
  const endpoint = endpoints.find(({ title }) => title === pod.label);
  const policy = policiesInForce.find(({ index }) => index === decider?.policy);
  if (endpoint === undefined || policy === undefined) return [];
  const lines: string[] = [];
  if (policy.gateways.length > 1 && !endpoint.uidKnown)
    lines.push(`which of ${policy.gateways.length} gateways is the pod's: the UID of its CiliumEndpoint is not in the input ` +
      "(kubectl get ciliumendpoints -A -o yaml)");
  if (policy.gateways.some(({ egressIp }) => egressIp !== null) && assumptions.some(({ rule }) => rule === "egress-ip-assumed"))
    lines.push("whether the gateway has the egress IP: its addresses are not in the input (a NodeNetwork, or a sysdump, tells them)");
  return lines;
}
