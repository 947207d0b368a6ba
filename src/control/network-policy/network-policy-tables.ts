// What network policy hands to the engine: policies and rules by name, and the map of each identity.
import type { SourceRef } from "../../cluster/source.ts";
import type { EndpointPolicyMap } from "./policy-map.ts";

export interface NetworkPolicyRef {
  /** Kind and name, with the namespace: CiliumNetworkPolicy shop/allow-db. */
  readonly title: string;
  readonly at: SourceRef;
}

export interface NetworkPolicyRuleRef {
  /** Index into policies. */
  readonly policy: number;
  /** Path below the object, e.g. spec.egress[0]. */
  readonly path: string;
  readonly at: SourceRef;
  readonly deny: boolean;
}

export interface IdentityPolicy {
  readonly map: EndpointPolicyMap;
  /** Policies with rules for this direction that select the identity, by index; empty where the enforcement mode alone asks. */
  readonly policies: readonly number[];
}

export interface NetworkPolicyTables {
  readonly enforcement: "default" | "always" | "never";
  readonly policies: readonly NetworkPolicyRef[];
  readonly rules: readonly NetworkPolicyRuleRef[];
  /** Pods of one identity have one map; without an entry nothing is enforced for them. */
  readonly byIdentity: ReadonlyMap<number, IdentityPolicy>;
  /** Audit mode: what policy drops passes. */
  readonly audit: boolean;
  /** ICMP types count as ports. */
  readonly icmpRules: boolean;
}

export const NO_NETWORK_POLICY: NetworkPolicyTables = {
  enforcement: "default", policies: [], rules: [], byIdentity: new Map(), audit: false, icmpRules: true,
};
