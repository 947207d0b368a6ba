// Policies that get into each other's way in the egress policy map. The agent compares what it wants with a dump taken before
// it starts to write (pkg/egressgateway/manager.go, updateEgressRules4 and 6), so a slot that two values are wanted for holds
// another one after each reconciliation, on each node for itself.
import { prefixContains, prefixContains6 } from "../cluster/cidr.ts";
import type { PolicyPrefix } from "./accepted-policies.ts";
import type { Choice, PolicySlots, SlotWant } from "./policy-slots.ts";
import { GATEWAY_EXCLUDED, GATEWAY_NONE, type PrefixOf } from "./tables.ts";

export type ConflictRule =
  /** Several policies want different values for one slot. */
  | "policy-conflict"
  /** One policy lists a prefix as destination and as exclusion. */
  | "prefix-in-and-out"
  /** One slot, one value, written in two ways: the map shows either, and dropping one of them deletes the entry. */
  | "prefix-spelled-twice"
  /** A narrow exclusion of one policy takes traffic out of another one's wider destination. Nothing moves here. */
  | "exclusion-crosses-policies";

/** What one node's map holds in turn. One value: nothing moves on this node. */
export interface NodeOutcomes {
  /** Index into nodes; -1 stands for every node that has no item of its own. */
  readonly node: number;
  readonly values: readonly {
    readonly gatewayIp: number;
    readonly egressIp: number | bigint;
    /** Indexes of the policies that want this value here. */
    readonly policies: readonly number[];
  }[];
}

/** What becomes of a packet of a pod that is not on a gateway itself. Its node and the gateway move independently. */
export type TrafficOutcome =
  | { readonly kind: "egress"; readonly node: number; readonly egressIp: number | bigint }
  /** Excluded: leaves by its own node. */
  | { readonly kind: "own-node" }
  /** 194 at the pod's node (node -1), 204 at the gateway. */
  | { readonly kind: "drop"; readonly code: 194 | 204; readonly node: number }
  /** The pod's node sends to a gateway whose own entry is excluded or without gateway: its host stack gets the packet. */
  | { readonly kind: "passed"; readonly node: number };

/** One class: all pods for which the same policies want the same values for the same prefix. */
export interface Conflict {
  readonly rule: ConflictRule;
  /** The contested prefix, or the excluded one that crosses into another policy. */
  readonly prefix: PrefixOf<number | bigint>;
  /** The winner of this run first. */
  readonly wants: readonly SlotWant<number | bigint>[];
  readonly outcomes: readonly NodeOutcomes[];
  readonly traffic: readonly TrafficOutcome[];
  readonly pods: number;
  /** namespace/name of one of them. */
  readonly example: string;
}

/** A class that is still being counted. */
export interface OpenConflict extends Omit<Conflict, "pods" | "example"> {
  pods: number;
  example: string;
}

/** The conflicts of pods that these policies select, in one family. */
export function conflictsOf<Address extends number | bigint>(slots: PolicySlots<Address>, choices: readonly Choice[]): readonly OpenConflict[] {
  const found: OpenConflict[] = [];
  for (const wants of slots.slotsOf(choices)) {
    const rule = ruleOf(wants);
    const [first] = wants;
    if (rule === null || first === undefined) continue;
    found.push({ rule, prefix: first.destination, wants, outcomes: outcomesOf(wants), traffic: trafficOf(wants), pods: 0, example: "" });
  }
  return [...found, ...crossingExclusions(slots, choices)];
}

function ruleOf(wants: readonly SlotWant<number | bigint>[]): ConflictRule | null {
  const [first] = wants;
  if (first === undefined) return null;
  if (wants.length === 1) return first.spellings.length > 1 ? "prefix-spelled-twice" : null;
  if (wants.some((want) => !sameEffect(first, want))) {
    return wants.every(({ policy }) => policy === first.policy) ? "prefix-in-and-out" : "policy-conflict";
  }
  return new Set(wants.flatMap(({ spellings }) => spellings)).size > 1 ? "prefix-spelled-twice" : null;
}

/** Excluded entries act alike whatever egress address they carry. */
function sameEffect(a: SlotWant<number | bigint>, b: SlotWant<number | bigint>): boolean {
  return a.gatewayIp === b.gatewayIp && (a.excluded || (a.egressIp === b.egressIp && a.egressIfindex === b.egressIfindex));
}

const EVERY_OTHER_NODE = -1;

/** Only a want's own gateway holds its egress address, so the gateways are told apart and all other nodes are alike. */
function outcomesOf(wants: readonly SlotWant<number | bigint>[]): readonly NodeOutcomes[] {
  const gateways = [...new Set(wants.map(({ gatewayNode }) => gatewayNode))].filter((node) => node >= 0).sort((a, b) => a - b);
  return [EVERY_OTHER_NODE, ...gateways].map((node) => ({ node, values: valuesOn(node, wants) }));
}

function valuesOn(node: number, wants: readonly SlotWant<number | bigint>[]): NodeOutcomes["values"] {
  const values = new Map<string, { readonly gatewayIp: number; readonly egressIp: number | bigint; readonly policies: number[] }>();
  for (const { policy, gatewayIp, gatewayNode, egressIp, egressIfindex } of wants) {
    const isGateway = gatewayNode === node;
    const none = typeof egressIp === "bigint" ? 0n : 0;
    const key = `${gatewayIp} ${isGateway ? `${egressIp} ${egressIfindex}` : ""}`;
    const known = values.get(key);
    if (known === undefined) values.set(key, { gatewayIp, egressIp: isGateway ? egressIp : none, policies: [policy] });
    else if (!known.policies.includes(policy)) known.policies.push(policy);
  }
  return [...values.values()];
}

function trafficOf(wants: readonly SlotWant<number | bigint>[]): readonly TrafficOutcome[] {
  const outcomes = new Map<string, TrafficOutcome>();
  const add = (outcome: TrafficOutcome): void => {
    outcomes.set(Object.values(outcome).join(" "), outcome);
  };
  const asked = new Set<number>();
  for (const { gatewayIp, gatewayNode } of wants) {
    const isNew = gatewayIp > GATEWAY_EXCLUDED && !asked.has(gatewayNode);
    if (gatewayIp > GATEWAY_EXCLUDED) asked.add(gatewayNode);
    if (gatewayIp === GATEWAY_EXCLUDED) add({ kind: "own-node" });
    else if (gatewayIp === GATEWAY_NONE) add({ kind: "drop", code: 194, node: -1 });
    else if (isNew) for (const value of valuesOn(gatewayNode, wants)) add(atGateway(gatewayNode, value));
  }
  return [...outcomes.values()];
}

/** The gateway does not compare the entry's gateway with itself: it goes by the egress address. */
function atGateway(node: number, value: NodeOutcomes["values"][number]): TrafficOutcome {
  if (value.gatewayIp === GATEWAY_EXCLUDED || value.gatewayIp === GATEWAY_NONE) return { kind: "passed", node };
  return Number(value.egressIp) === 0 ? { kind: "drop", code: 204, node } : { kind: "egress", node, egressIp: value.egressIp };
}

/** Crossings that are listed of one set of policies; a thousand policies of all pods could have a million. */
const MOST_CROSSINGS = 10_000;

/** One class for each exclusion and each other policy that it cuts into. */
function crossingExclusions<Address extends number | bigint>(slots: PolicySlots<Address>, choices: readonly Choice[]): readonly OpenConflict[] {
  if (choices.length < 2) return [];
  const found: OpenConflict[] = [];
  for (const excluder of choices) {
    for (const exclusion of slots.prefixesOf(excluder.position).excluded) {
      for (const other of choices) {
        if (other === excluder) continue;
        if (found.length >= MOST_CROSSINGS) return found;
        const cut = cutDestination(slots, other.position, exclusion);
        if (cut === null) continue;
        const wants = [slots.want(excluder, exclusion, true), slots.want(other, cut, false)];
        const held = wants.slice(0, 1);
        found.push({
          rule: "exclusion-crosses-policies", prefix: exclusion.prefix, wants, outcomes: outcomesOf(held), traffic: trafficOf(held), pods: 0, example: "",
        });
      }
    }
  }
  return found;
}

/** The destination of a policy that holds the excluded prefix, unless the policy itself says something narrower about it. */
function cutDestination<Address extends number | bigint>(
  slots: PolicySlots<Address>,
  position: number,
  { prefix }: PolicyPrefix<Address>,
): PolicyPrefix<Address> | null {
  const { destinations, excluded } = slots.prefixesOf(position);
  let longest: PolicyPrefix<Address> | null = null;
  for (const destination of destinations) {
    if (contains(destination.prefix, prefix) && (longest === null || destination.prefix.bits > longest.prefix.bits)) longest = destination;
  }
  if (longest === null || longest.prefix.bits === prefix.bits) return null;
  const { bits } = longest.prefix;
  return excluded.some((each) => each.prefix.bits >= bits && contains(each.prefix, prefix)) ? null : longest;
}

function contains(outer: PrefixOf<number | bigint>, inner: PrefixOf<number | bigint>): boolean {
  if (outer.bits > inner.bits) return false;
  if (typeof outer.address === "bigint" && typeof inner.address === "bigint") {
    return prefixContains6({ address: outer.address, bits: outer.bits }, inner.address);
  }
  return prefixContains({ address: Number(outer.address), bits: outer.bits }, Number(inner.address));
}
