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

/** An entry, whichever identity it is for. */
export type PolicyPort = Omit<PolicyMapEntry, "identity" | "direction">;

/** Identities that have the same ports. In a cluster of thousands of identities a map has a handful of these. */
export interface PolicyMapGroup {
  readonly direction: PolicyDirection;
  /** 0 alone for any. */
  readonly identities: readonly number[];
  readonly ports: readonly PolicyPort[];
}

/** The map of one pod; pods under the same policies share the object. */
export interface EndpointPolicyMap {
  readonly groups: readonly PolicyMapGroup[];
  /** The entries did not fit: the agent replaced them all by a denial of everything. */
  readonly lockedDown: boolean;
}

/** Every entry, in order of direction, identity, protocol, port, prefix. */
export function mapEntries({ groups }: EndpointPolicyMap): readonly PolicyMapEntry[] {
  const entries = groups.flatMap(({ direction, identities, ports }) => identities.flatMap((identity) => ports.map((port) => ({ ...port, identity, direction }))));
  return entries.sort((a, b) => compareDirections(a, b) || a.identity - b.identity || a.protocol - b.protocol || a.port - b.port || a.prefix - b.prefix);
}

function compareDirections(a: PolicyMapKey, b: PolicyMapKey): number {
  return a.direction === b.direction ? 0 : a.direction < b.direction ? -1 : 1;
}

export function mapSize({ groups }: Pick<EndpointPolicyMap, "groups">): number {
  return groups.reduce((sum, { identities, ports }) => sum + identities.length * ports.length, 0);
}

/** Prefix of a key that names the protocol and no port. */
export const PROTOCOL_PREFIX = 8;
/** Prefix of a key that names one port. */
export const PORT_PREFIX = 24;

export function policyKeyText({ identity, direction, protocol, port, prefix }: PolicyMapKey): string {
  return `${direction} ${identity} ${protocol} ${port} ${prefix}`;
}
