// A pod's policy map as the agent writes it (cilium_policy_v2 of an endpoint, pkg/maps/policymap/policymap.go).

export type PolicyDirection = "egress" | "ingress";

export interface PolicyMapKey {
  /** Security identity of the other end, 0 for any. */
  readonly identity: number;
  readonly direction: PolicyDirection;
  /** IP protocol, 0 for any. */
  readonly protocol: number;
  /** First port of the prefix; of ICMP the type. */
  readonly port: number;
  /** Bits of protocol and port that must be equal: 0, 8, or 8 and the 1 to 16 of a port prefix. */
  readonly prefix: number;
}

export interface PolicyMapEntry extends PolicyMapKey {
  readonly deny: boolean;
  /** Unsigned 32-bit: of an identity's and any identity's entry the higher one decides. */
  readonly precedence: number;
  /** 0 none, 1 SPIRE, 2 always refused. */
  readonly authType: number;
  readonly authExplicit: boolean;
  /** Port of the node's proxy, 0 for none. */
  readonly proxyPort: number;
  readonly cookie: number;
  /** Index of the rule behind it (NetworkPolicyTables.rules), -1 for what the agent adds of its own. */
  readonly rule: number;
}

/** The entries of one pod; pods of one identity on one set of rules share the object. */
export interface EndpointPolicyMap {
  /** In order of direction, identity, protocol, port, prefix. */
  readonly entries: readonly PolicyMapEntry[];
  /** The entries did not fit: the agent replaced them all by a denial of everything. */
  readonly lockedDown: boolean;
}

/** Bits of a key in front of protocol and port: the identity and the byte with the direction. */
export const STATIC_PREFIX_BITS = 40;
/** Prefix of a key that names the protocol and no port. */
export const PROTOCOL_PREFIX = 8;
/** Prefix of a key that names one port. */
export const PORT_PREFIX = 24;

export function policyKeyText({ identity, direction, protocol, port, prefix }: PolicyMapKey): string {
  return `${direction} ${identity} ${protocol} ${port} ${prefix}`;
}
