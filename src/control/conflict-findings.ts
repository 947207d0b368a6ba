// Conflicts in words: one finding for each set of policies, whatever the number of prefixes and pods.
import { formatAddress, formatPrefix } from "../cluster/cidr.ts";
import type { Finding } from "../cluster/finding.ts";
import type { EgressGatewayPolicy } from "../cluster/model.ts";
import type { PathSegment } from "../cluster/origin.ts";
import { policyFinding } from "./accepted-policies.ts";
import type { OpenConflict, TrafficOutcome } from "./conflicts.ts";

/** Pods that one set of policies quarrels over, by rule. */
export interface ConflictGroup {
  readonly conflicts: OpenConflict[];
  /** A pod with several contested prefixes or addresses counts once. */
  pods: number;
}

/** `policies` and `nodeNames` are those of the tables. */
export function conflictFinding(
  { conflicts, pods }: ConflictGroup,
  policies: readonly EgressGatewayPolicy[],
  nodeNames: readonly string[],
): Finding | null {
  const [first] = conflicts;
  if (first === undefined) return null;
  const involved = [...new Set(first.wants.map(({ policy }) => policy))].flatMap((index) => policies[index] ?? []);
  const [winner] = involved;
  const loser = involved.at(-1);
  if (winner === undefined || loser === undefined) return null;
  const prefixes = [...new Set(conflicts.map(({ prefix }) => formatPrefix(prefix)))];
  const prefix = prefixes[0] ?? "";
  const more = prefixes.length === 1 ? "" : ` and ${prefixes.length - 1} more`;
  const ofPods = `for ${pods.toLocaleString("en-US")} pod${pods === 1 ? "" : "s"}`;
  const outcomes = listed(conflicts.flatMap(({ traffic }) => traffic), nodeNames);
  switch (first.rule) {
    case "policy-conflict": {
      const names = involved.map(({ name }) => name).reverse();
      return policyFinding(loser, placeIn(loser, prefix), {
        rule: "policy-conflict",
        severity: "warning",
        message: `${joined(names)} want ${prefix}${more} ${ofPods}: the winner changes`,
        effect:
          "the agents write policies in random order, and each reconciliation moves the entry to another policy, on each node by itself: " +
          `traffic ${outcomes}; this run lets ${winner.name} win`,
        fix: "make the selectors or the prefixes disjoint",
      });
    }
    case "prefix-in-and-out":
      return policyFinding(winner, placeIn(winner, prefix), {
        rule: "prefix-in-and-out",
        severity: "warning",
        message: `${winner.name} lists ${prefix}${more} as destination and as exclusion`,
        effect: `each reconciliation turns the entry over, on each node by itself: traffic ${outcomes}; this run excludes it`,
        fix: `remove ${prefix} from destinationCIDRs or from excludedCIDRs`,
      });
    case "prefix-spelled-twice": {
      const spellings = [...new Set(first.wants.flatMap((want) => want.spellings))];
      return policyFinding(winner, placeIn(winner, prefix), {
        rule: "prefix-spelled-twice",
        severity: "info",
        message: `${joined(involved.map(({ name }) => name))} ${involved.length === 1 ? "writes" : "write"} ${prefix} as ${joined(spellings)}`,
        effect:
          "the kernel has one entry for all spellings: once one of them is given up, the agent deletes the entry, " +
          "and until the next reconciliation traffic leaves by its own node",
        fix: `write ${prefix} everywhere`,
      });
    }
    case "exclusion-crosses-policies": {
      const cut = first.wants[1]?.destination;
      const others = new Set(conflicts.map(({ wants }) => wants[1]?.policy)).size - 1;
      const wider = `${cut === undefined ? "" : formatPrefix(cut)}${others === 0 ? "" : ` and out of ${others} more policies`}`;
      return policyFinding(winner, placeIn(winner, prefix), {
        rule: "exclusion-crosses-policies",
        severity: "warning",
        message: `${winner.name} excludes ${prefix}${more}, which takes it out of ${loser.name}'s ${wider} ${ofPods} too`,
        effect: `the map knows no policies: the longest prefix wins, and this traffic ${outcomes}`,
        fix: `select other pods with ${winner.name}, or list ${prefix} among ${loser.name}'s destinations and not exclude it here`,
      });
    }
  }
}

const MOST_OUTCOMES = 6;

function listed(traffic: readonly TrafficOutcome[], nodeNames: readonly string[]): string {
  const texts = [...new Set(traffic.map((outcome) => inWords(outcome, nodeNames)))];
  const shown = texts.slice(0, MOST_OUTCOMES);
  if (texts.length > shown.length) shown.push(`has one of ${texts.length - shown.length} more outcomes`);
  return joined(shown, "or");
}

/** What becomes of traffic, as a clause that follows "traffic". */
export function inWords(outcome: TrafficOutcome, nodeNames: readonly string[]): string {
  const node = "node" in outcome ? (nodeNames[outcome.node] ?? "") : "";
  switch (outcome.kind) {
    case "egress":
      return `leaves by ${node} with ${formatAddress(outcome.egressIp)}`;
    case "own-node":
      return "leaves by its own node";
    case "drop":
      return outcome.code === 194 ? "is dropped at its own node (194)" : `is dropped on ${node} (204)`;
    case "passed":
      return `is handed to the host of ${node} with the pod's address`;
  }
}

function joined(texts: readonly string[], word: "and" | "or" = "and"): string {
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} ${word} ${texts.at(-1) ?? ""}`;
}

/** Where the policy writes the prefix, in either list; its destinations where it does so in another spelling. */
function placeIn(policy: EgressGatewayPolicy, prefix: string): readonly PathSegment[] {
  for (const [field, prefixes] of [["excludedCIDRs", policy.excludedCidrs], ["destinationCIDRs", policy.destinationCidrs]] as const) {
    const index = prefixes.findIndex((each) => formatPrefix(each) === prefix);
    if (index >= 0) return ["spec", field, index];
  }
  return ["spec", "destinationCIDRs"];
}
