// What does not fit into an egress policy map: the agent logs an error for each entry (error 28, no space) and goes on.
import type { Finding } from "../cluster/finding.ts";
import type { EgressGatewayPolicy } from "../cluster/model.ts";
import { policyFinding } from "./accepted-policies.ts";
import type { ClusterEndpoint } from "./cluster-endpoints.ts";

export interface MapOverflow {
  readonly map: "cilium_egress_gw_policy_v4" | "cilium_egress_gw_policy_v6";
  readonly limit: number;
  /** Entries that the policies make, those left out included. */
  readonly wanted: number;
  /** Entries left out, by index of the policy, most first. */
  readonly lost: readonly { readonly policy: number; readonly entries: number }[];
  /** Every pod that lost an entry, as namespace/name, in order of address. */
  readonly pods: readonly string[];
}

export class OverflowTally {
  readonly #map: MapOverflow["map"];
  readonly #limit: number;
  readonly #lost = new Map<number, number>();
  readonly #pods = new Set<string>();
  #taken = 0;
  #refused = 0;
  /** The pod that lost the last entry: a pod's entries come one after the other. */
  #latest: ClusterEndpoint | null = null;

  constructor(map: MapOverflow["map"], limit: number) {
    this.#map = map;
    this.#limit = limit;
  }

  /** Whether one more entry fits. */
  takes(policy: number, endpoint: ClusterEndpoint): boolean {
    if (this.#taken < this.#limit) {
      this.#taken++;
      return true;
    }
    this.#refused++;
    this.#lost.set(policy, (this.#lost.get(policy) ?? 0) + 1);
    if (this.#latest !== endpoint) this.#pods.add(endpoint.title);
    this.#latest = endpoint;
    return false;
  }

  overflow(): MapOverflow | null {
    if (this.#refused === 0) return null;
    return {
      map: this.#map,
      limit: this.#limit,
      wanted: this.#taken + this.#refused,
      lost: [...this.#lost].map(([policy, entries]) => ({ policy, entries })).sort((a, b) => b.entries - a.entries || a.policy - b.policy),
      pods: [...this.#pods],
    };
  }
}

/** From here on there is a warning: Cilium's metric cilium_bpf_map_pressure shows the same share. */
const PRESSURE = 0.9;

/** A map that holds everything, but hardly. */
export function pressureFinding(map: MapOverflow["map"], entries: number, limit: number, policies: readonly EgressGatewayPolicy[]): readonly Finding[] {
  const [policy] = policies;
  if (policy === undefined || entries < PRESSURE * limit) return [];
  return [
    policyFinding(policy, [], {
      rule: "policy-map-pressure",
      severity: "warning",
      message: `the policies make ${grouped(entries)} entries, and ${map} holds ${grouped(limit)}`,
      effect: "everything fits; a few more pods or prefixes will not, and then the agent logs an error for each entry and pods leave by their own nodes",
      fix: "raise egress-gateway-policy-map-max (Helm: egressGateway.maxPolicyEntries), or name fewer prefixes",
    }),
  ];
}

const MOST_NAMED = 3;

export function overflowFinding({ map, limit, wanted, lost, pods }: MapOverflow, policies: readonly EgressGatewayPolicy[]): readonly Finding[] {
  const policy = policies[lost[0]?.policy ?? -1];
  if (policy === undefined) return [];
  const ipv6 = map === "cilium_egress_gw_policy_v6" ? "IPv6 " : "";
  const [total, most, gone] = [wanted, limit, wanted - limit].map(grouped);
  const more = pods.length > MOST_NAMED ? ` and ${grouped(pods.length - MOST_NAMED)} more` : "";
  return [
    policyFinding(policy, [], {
      rule: "policy-map-full",
      severity: "error",
      message: `the policies make ${total} ${ipv6}entries, the map holds ${most}: ${gone} are left out, most of them ${policy.name}'s`,
      effect:
        "the agent logs an error for each; traffic of the pods concerned leaves by its own node. Which pods is a matter of chance; " +
        `this run leaves out the highest addresses: ${pods.slice(0, MOST_NAMED).join(", ")}${more}`,
      fix: "raise egress-gateway-policy-map-max (Helm: egressGateway.maxPolicyEntries), or name fewer prefixes",
    }),
  ];
}

function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
