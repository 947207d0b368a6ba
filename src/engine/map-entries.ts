// One entry of the kernel's conntrack and NAT tables to plain data, for both families.
import {
  C_BYTES, C_FLAGS, C_IDENTITY, C_LIFETIME, C_PACKETS, C_RX_REPORT, C_SEEN, C_TX_REPORT, K0, K1, K2, K3, S_CT, S_NAT, T_TAIL, X_ADDR, X_CREATED, X_NEEDS_CT,
  X_PORT,
} from "../kernel/layout.ts";
import { S_CT6, S_NAT6, TAIL_DADDR, TAIL_SADDR, X6_ADDR, X6_CREATED, X6_NEEDS_CT, X6_PORT } from "../kernel/layout6.ts";
import { C_BACKEND, TUPLE_SERVICE } from "../kernel/layout-services.ts";
import { PROTO_TCP } from "../kernel/wire/ipv4.ts";
import type { ConntrackMap, ConntrackRecord, MapKey, NatMap, NatRecord } from "../observe/map-records.ts";
import { getAddress6 } from "./image/address6.ts";
import { addressOf, type Arena, wirePort } from "./image/arena.ts";

/** The tables and real maps of an address family, and where a NAT entry of it keeps what. */
export interface MapFamily {
  /** Offsets of the tables in a shard. */
  readonly conntrack: number;
  readonly nat: number;
  readonly tcpMap: ConntrackMap;
  readonly anyMap: ConntrackMap;
  readonly natMap: NatMap;
  readonly isIpv6: boolean;
  readonly toAddress: number;
  readonly toPort: number;
  readonly created: number;
  readonly needsCt: number;
}

export const MAPS4: MapFamily = {
  conntrack: S_CT, nat: S_NAT, tcpMap: "cilium_ct4_global", anyMap: "cilium_ct_any4_global", natMap: "cilium_snat_v4_external", isIpv6: false,
  toAddress: X_ADDR, toPort: X_PORT, created: X_CREATED, needsCt: X_NEEDS_CT,
};
export const MAPS6: MapFamily = {
  conntrack: S_CT6, nat: S_NAT6, tcpMap: "cilium_ct6_global", anyMap: "cilium_ct_any6_global", natMap: "cilium_snat_v6_external", isIpv6: true,
  toAddress: X6_ADDR, toPort: X6_PORT, created: X6_CREATED, needsCt: X6_NEEDS_CT,
};

/** Protocol of the entry at `at`, of either table. */
export function entryProtocol(arena: Arena, at: number): number { return (arena.get32(at + K0) >>> 8) & 0xff; }

/** Index of the node whose map the entry at `at` is in. */
export function entryNode(arena: Arena, at: number): number { return arena.get32(at + K0) >>> 16; }

export function conntrackMap(arena: Arena, family: MapFamily, at: number): ConntrackMap {
  return entryProtocol(arena, at) === PROTO_TCP ? family.tcpMap : family.anyMap;
}

/** `shard` and `at`: addresses of the shard and of a live entry of its conntrack table. */
export function conntrackRecord(arena: Arena, shard: number, family: MapFamily, at: number): ConntrackRecord {
  const { view } = arena, seen = view.getInt32(at + C_SEEN, true), key = keyOf(arena, shard + family.conntrack, family, at);
  const isService = (key.flags & TUPLE_SERVICE) !== 0;
  return {
    node: entryNode(arena, at), map: conntrackMap(arena, family, at), protocol: key.protocol, flags: key.flags,
    source: key.source, sourcePort: key.sourcePort, destination: key.destination, destinationPort: key.destinationPort, packets: view.getFloat64(at + C_PACKETS, true), bytes: view.getFloat64(at + C_BYTES, true), expires: view.getInt32(at + C_LIFETIME, true),
    state: view.getUint16(at + C_FLAGS, true), revNat: seen >>> 16, txFlagsSeen: seen & 0xff, rxFlagsSeen: (seen >>> 8) & 0xff,
    identity: view.getUint32(at + C_IDENTITY, true), lastTxReport: view.getInt32(at + C_TX_REPORT, true),
    lastRxReport: isService ? 0 : view.getInt32(at + C_RX_REPORT, true), backendId: isService ? view.getUint32(at + C_BACKEND, true) : 0,
  };
}

export function natRecord(arena: Arena, shard: number, family: MapFamily, at: number): NatRecord {
  const { view } = arena, key = keyOf(arena, shard + family.nat, family, at);
  return {
    node: entryNode(arena, at), map: family.natMap, protocol: key.protocol, flags: key.flags,
    source: key.source, sourcePort: key.sourcePort, destination: key.destination, destinationPort: key.destinationPort,
    toAddress: addressAt(arena, family, at + family.toAddress), toPort: portAt(arena, at + family.toPort),
    created: view.getInt32(at + family.created, true), needsCt: view.getInt32(at + family.needsCt, true),
  };
}

function keyOf(arena: Arena, table: number, family: MapFamily, at: number): MapKey {
  const tail = at + arena.get32(table + T_TAIL);
  return {
    protocol: entryProtocol(arena, at), flags: arena.get32(at + K0) & 0xff,
    source: addressAt(arena, family, family.isIpv6 ? tail + TAIL_SADDR : at + K2), sourcePort: portAt(arena, at + K3 + 2),
    destination: addressAt(arena, family, family.isIpv6 ? tail + TAIL_DADDR : at + K1), destinationPort: portAt(arena, at + K3),
  };
}

export function addressAt(arena: Arena, { isIpv6 }: MapFamily, at: number): number | bigint {
  return isIpv6 ? getAddress6(arena.view, at) : addressOf(arena.get32(at));
}

function portAt(arena: Arena, at: number): number { return wirePort(arena.view.getUint16(at, true)); }
