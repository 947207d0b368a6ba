// Entries of the nodes' conntrack and NAT maps, as the engine hands them over and as state.jsonl keeps them. Addresses are
// numbers (IPv4) or bigints (IPv6) in host order, ports numbers; what is called source and destination is so in the map's key,
// where conntrack has the two the other way round than the packet (fact sheet, section 2.7).

/** The real maps that a node's tables stand for. */
export const CONNTRACK_MAPS = ["cilium_ct4_global", "cilium_ct_any4_global", "cilium_ct6_global", "cilium_ct_any6_global"] as const;
export const NAT_MAPS = ["cilium_snat_v4_external", "cilium_snat_v6_external"] as const;
export const FLOW_MAPS = [...CONNTRACK_MAPS, ...NAT_MAPS] as const;

export type ConntrackMap = (typeof CONNTRACK_MAPS)[number];
export type NatMap = (typeof NAT_MAPS)[number];
export type FlowMap = ConntrackMap | NatMap;

/** The tuple that is a map's key. */
export interface MapKey<Address = number | bigint> {
  /** IP protocol number. */
  readonly protocol: number;
  /** TUPLE_F_… bits (bpf/lib/common.h): 1 in, 2 related, 4 service. */
  readonly flags: number;
  readonly source: Address;
  readonly sourcePort: number;
  readonly destination: Address;
  readonly destinationPort: number;
}

/** struct ct_entry (bpf/lib/conntrack.h). Times are seconds on the datapath's clock. */
export interface ConntrackValue {
  readonly packets: number;
  readonly bytes: number;
  readonly expires: number;
  /** Bit field: RxClosing 1, TxClosing 2, SeenNonSyn 16, … */
  readonly state: number;
  readonly revNat: number;
  readonly txFlagsSeen: number;
  readonly rxFlagsSeen: number;
  readonly identity: number;
  readonly lastTxReport: number;
  /** 0 in a service's entry, which sees requests only. */
  readonly lastRxReport: number;
  /** Of a service's entry, else 0. */
  readonly backendId: number;
}

/** struct ipv4_nat_entry and ipv6_nat_entry (bpf/lib/nat.h). */
export interface NatValue<Address = number | bigint> {
  readonly toAddress: Address;
  readonly toPort: number;
  /** Seconds on the datapath's clock. */
  readonly created: number;
  readonly needsCt: number;
}

export interface ConntrackRecord extends MapKey, ConntrackValue {
  /** Index into the tables' nodes. */
  readonly node: number;
  readonly map: ConntrackMap;
}

export interface NatRecord extends MapKey, NatValue {
  readonly node: number;
  readonly map: NatMap;
}

export type MapRecord = ConntrackRecord | NatRecord;

/** How many entries a node's map has, and how many of them are handed over. */
export interface MapFill {
  readonly node: number;
  readonly map: FlowMap;
  readonly entries: number;
  readonly listed: number;
}

/** The maps at the end of a run. */
export interface FlowMaps {
  /** Seconds on the datapath's clock. */
  readonly clock: number;
  /** Maps that hold anything, by node, then as in FLOW_MAPS. */
  readonly fills: readonly MapFill[];
  /** In the same order; to be walked once. */
  readonly records: Iterable<MapRecord>;
}
