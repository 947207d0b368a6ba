// What network policy said of a packet: the kernel's verdict by the names of policies and rules, and why no rule allowed it.
import { formatSourceRef } from "../cluster/source.ts";
import type { IdentityPolicy } from "../control/network-policy/network-policy-tables.ts";
import type { PolicyPort } from "../control/network-policy/policy-map.ts";
import type { DatapathTables } from "../control/tables.ts";
import {
  MATCH_ALL, MATCH_L3_L4, MATCH_L3_ONLY, MATCH_L3_PROTO, MATCH_L4_ONLY, MATCH_PROTO_ONLY, PV_AUDITED, PV_INGRESS,
} from "../kernel/layout-policy.ts";
import { dropReason } from "../observe/drop-reasons.ts";
import { formatProtocol } from "../observe/ip-text.ts";
import type { Condition } from "./conditions.ts";
import type { PacketRequest } from "./packet-request.ts";
import type { HookStep } from "./single-run.ts";

/** As Hubble calls them. */
const MATCHES: ReadonlyMap<number, string> = new Map([
  [MATCH_L3_ONLY, "L3-Only"], [MATCH_L3_L4, "L3-L4"], [MATCH_L4_ONLY, "L4-Only"], [MATCH_ALL, "all"], [MATCH_L3_PROTO, "L3-Proto"], [MATCH_PROTO_ONLY, "Proto-Only"],
]);
const WORLDS: readonly number[] = [2, 9, 10];
const POLICY_DROPS: readonly number[] = [133, 181, 189, 197];
/** Rules named one by one. */
const NAMED = 8;

/** What a step's policy verdict was, null where no policy was asked. */
export function policyFact(tables: DatapathTables, step: HookStep): string | null {
  const { flags, remote, match, rule } = step.networkPolicy;
  if (flags === 0 || (flags & PV_INGRESS) !== 0) return null;
  const who = `identity ${remote}${WORLDS.includes(remote) ? ", world" : ""}`, how = MATCHES.get(match);
  if ((flags & PV_AUDITED) !== 0) return `network policy: audit mode lets pass what it would drop (${who})`;
  if (step.verdict < 0 && POLICY_DROPS.includes(-step.verdict)) {
    if (how === undefined) return `network policy denies: no entry matches (${who})`;
    return `network policy denies: ${rule < 0 ? "the pod is locked down, its policy map is too small" : ruleText(tables, rule)} (match ${how}, ${who})`;
  }
  return how === undefined ? null : `network policy allows: ${ruleText(tables, rule)} (match ${how}, ${who})`;
}

function ruleText(tables: DatapathTables, rule: number): string {
  const { rules, policies } = tables.networkPolicy, found = rules[rule];
  return found === undefined ? "default allow, no policy restricts this direction" : `${found.path} of ${policies[found.policy]?.title ?? "?"}, ${formatSourceRef(found.at)}`;
}

/** The condition that policy lets the packet out, by what the kernel did; none where no policy is enforced for the pod. */
export function policyCondition(tables: DatapathTables, request: PacketRequest, first: HookStep | undefined): readonly Condition[] {
  const policy = tables.networkPolicy.byIdentity.get(request.pod.identity);
  if (policy === undefined || first === undefined) return [];
  const fact = policyFact(tables, first), denied = first.verdict < 0 && POLICY_DROPS.includes(-first.verdict);
  if (!denied) return [{ condition: "network-policy", holds: true, detail: fact ?? "network policy lets it pass", change: "" }];
  const detail = `${fact ?? "network policy denies"}: drop ${-first.verdict} ${dropReason(-first.verdict).text}`;
  if (policy.map.lockedDown) return [{ condition: "network-policy", holds: false, detail, change: "its entries did not fit into the policy map: raise bpf-policy-map-max" }];
  const change = first.networkPolicy.rule >= 0
    ? ["a deny rule wins over every allow rule: narrow it, or take the pod out of its selector"]
    : ["allow the destination in one of the policies that select the pod", ...whyNoRule(tables, request, first.networkPolicy.remote, policy)];
  return [{ condition: "network-policy", holds: false, detail, change: change.join("\n") }];
}

/** A line per rule of the policies that select the pod: what of the packet it does not name. */
function whyNoRule(tables: DatapathTables, request: PacketRequest, remote: number, { map, policies }: IdentityPolicy): string[] {
  const byRule = new Map<number, NamedPort[]>();
  for (const { identities, ports } of map.groups)
    for (const port of ports) byRule.set(port.rule, [...(byRule.get(port.rule) ?? []), { identities, port }]);
  const lines = tables.networkPolicy.rules.flatMap((rule, index) => {
    if (!policies.includes(rule.policy) || rule.deny) return [];
    const made = byRule.get(index) ?? [], ofPeer = made.filter(({ identities }) => identities.includes(0) || identities.includes(remote));
    const why = made.length === 0 ? "makes no entry" : ofPeer.length === 0 ? `names ${identitiesText(made)}, not identity ${remote}`
      : `names ${[...new Set(ofPeer.map(({ port }) => portText(port)))].join(", ")}, not ${formatProtocol(request.protocol)} ${request.destinationPort}`;
    return [`${ruleText(tables, index)}: ${why}`];
  });
  if (lines.length === 0) return policies.map((policy) => `${tables.networkPolicy.policies[policy]?.title ?? "?"} has no rule: it denies everything`);
  return lines.length > NAMED ? [...lines.slice(0, NAMED), `and ${lines.length - NAMED} more rules`] : lines;
}

interface NamedPort {
  readonly identities: readonly number[];
  readonly port: PolicyPort;
}

function identitiesText(made: readonly NamedPort[]): string {
  const identities = [...new Set(made.flatMap((each) => each.identities))].sort((a, b) => a - b);
  const shown = identities.slice(0, NAMED).join(", ");
  return identities.length === 1 ? `identity ${shown}` : `identities ${shown}${identities.length > NAMED ? ` and ${identities.length - NAMED} more` : ""}`;
}

function portText({ protocol, port, prefix }: PolicyPort): string {
  if (prefix === 0) return "every port";
  if (prefix <= 8) return `every ${formatProtocol(protocol)} port`;
  const last = port + 2 ** (24 - prefix) - 1;
  return `${formatProtocol(protocol)} ${last === port ? port : `${port}-${last}`}`;
}
