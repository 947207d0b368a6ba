// What each policy wants in the egress policy map, by slot: one slot is one (pod address, prefix as the kernel compares it).
import { formatPrefix } from "../cluster/cidr.ts";
import type { AcceptedPolicy, PolicyPrefix, PolicyPrefixes } from "./accepted-policies.ts";
import type { AddressFamily } from "./address-family.ts";
import { GATEWAY_EXCLUDED, type PrefixOf } from "./tables.ts";

/** A gateway with the egress addresses that were found on it. */
export interface ResolvedGateway {
  readonly address: number;
  readonly egressIp: number;
  readonly egressIp6: bigint;
  readonly egressIfindex: number;
  readonly node: number;
}

export interface ResolvedPolicy {
  readonly accepted: AcceptedPolicy;
  /** In order of address; empty: drop 194. */
  readonly gateways: readonly ResolvedGateway[];
}

/** A policy that selects a pod, with the gateway that is the pod's. */
export interface Choice {
  /** Index into the resolved policies. */
  readonly position: number;
  readonly gateway: ResolvedGateway;
}

/** What one policy wants in a slot. Egress address and ifindex are in the map of gatewayNode only. */
export interface SlotWant<Address extends number | bigint> {
  /** Index into the tables' policies. */
  readonly policy: number;
  readonly excluded: boolean;
  /** The prefix as the policy writes it (each way once). */
  readonly spellings: readonly string[];
  readonly destination: PrefixOf<Address>;
  readonly gatewayIp: number;
  readonly gatewayNode: number;
  readonly egressIp: Address;
  readonly egressIfindex: number;
}

interface WantedPrefix<Address> {
  readonly written: PolicyPrefix<Address>;
  readonly key: string;
  readonly excluded: boolean;
}

/** One family's wants of every policy. */
export class PolicySlots<Address extends number | bigint> {
  readonly family: AddressFamily<Address>;
  readonly #policies: readonly ResolvedPolicy[];
  readonly #wanted: readonly (readonly WantedPrefix<Address>[])[];
  readonly #prefixes: (accepted: AcceptedPolicy) => PolicyPrefixes<Address>;
  readonly #egressIp: (gateway: ResolvedGateway) => Address;

  constructor(
    family: AddressFamily<Address>,
    policies: readonly ResolvedPolicy[],
    prefixes: (accepted: AcceptedPolicy) => PolicyPrefixes<Address>,
    egressIp: (gateway: ResolvedGateway) => Address,
  ) {
    this.family = family;
    this.#policies = policies;
    this.#prefixes = prefixes;
    this.#egressIp = egressIp;
    this.#wanted = policies.map(({ accepted }) => wantedBy(prefixes(accepted)));
  }

  prefixesOf(position: number): PolicyPrefixes<Address> {
    const policy = this.#policies[position];
    return policy === undefined ? { destinations: [], excluded: [] } : this.#prefixes(policy.accepted);
  }

  /** Per slot all wants, the winner first: the policy whose name comes first, and within a policy the exclusion. */
  slotsOf(choices: readonly Choice[]): readonly (readonly SlotWant<Address>[])[] {
    const slots = new Map<string, SlotWant<Address>[]>();
    for (const choice of choices) {
      for (const wanted of this.#wanted[choice.position] ?? []) {
        const want = this.want(choice, wanted.written, wanted.excluded);
        const slot = slots.get(wanted.key);
        if (slot === undefined) slots.set(wanted.key, [want]);
        else slot.push(want);
      }
    }
    return [...slots.values()];
  }

  want({ position, gateway }: Choice, { prefix, spellings }: PolicyPrefix<Address>, excluded: boolean): SlotWant<Address> {
    return {
      policy: this.#policies[position]?.accepted.index ?? -1,
      excluded,
      spellings,
      destination: prefix,
      gatewayIp: excluded ? GATEWAY_EXCLUDED : gateway.address,
      gatewayNode: gateway.node,
      egressIp: this.#egressIp(gateway),
      egressIfindex: gateway.egressIfindex,
    };
  }
}

/** Destinations, then exclusions, then the destinations that an equal exclusion has beaten: the agent writes exclusions last. */
function wantedBy<Address extends number | bigint>({ destinations, excluded }: PolicyPrefixes<Address>): readonly WantedPrefix<Address>[] {
  const keyed = (isExcluded: boolean) => (written: PolicyPrefix<Address>): WantedPrefix<Address> =>
    ({ written, key: formatPrefix(written.prefix), excluded: isExcluded });
  const exclusions = excluded.map(keyed(true));
  const beaten = new Set(exclusions.map(({ key }) => key));
  const wanted = destinations.map(keyed(false));
  return [...wanted.filter(({ key }) => !beaten.has(key)), ...exclusions, ...wanted.filter(({ key }) => beaten.has(key))];
}
