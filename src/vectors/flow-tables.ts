// Reads and writes the mutable tables (conntrack, NAT) in the kernel's memory in the words of the recordings.
import { formatAddress } from "../cluster/cidr.ts";
import { putAddress6 } from "../engine/image/address6.ts";
import { type Arena, wirePort, wireWord } from "../engine/image/arena.ts";
import type { Kernel } from "../engine/kernel-instance.ts";
import { addressAt, conntrackRecord, entryProtocol, MAPS4, MAPS6, type MapFamily, natRecord } from "../engine/map-entries.ts";
import {
  CF_FROM_TUNNEL, CF_LOOPBACK, CF_RX_CLOSING, CF_SEEN_NON_SYN, CF_TX_CLOSING, E_STATE, ES_LIVE, K0, K1, S_NAT, T_ENTRIES, T_STRIDE, T_USED, TUPLE_IN, X_ADDR,
} from "../kernel/layout.ts";
import { S_NAT6, X6_ADDR } from "../kernel/layout6.ts";
import { AF6_TAIL, AF_BACKEND, S_AFFINITY, S_AFFINITY6 } from "../kernel/layout-services.ts";
import { PROTO_TCP } from "../kernel/wire/ipv4.ts";
import type { MapKey } from "../observe/map-records.ts";
import { ipv4, ipv6, isIpv6Text } from "./lab-addresses.ts";
import type { AffinityEntry, ConntrackEntry, NatEntry, RecordedPrefill } from "./recording.ts";

const FAMILIES: readonly MapFamily[] = [MAPS4, MAPS6];

/** What names one mapping. */
export type NatName = Pick<NatEntry, "dir" | "saddr" | "sport" | "daddr" | "dport" | "nexthdr">;

/** Is this one of the real maps that a node's conntrack and NAT tables stand for? */
export function isFlowMap(map: string): boolean { return FAMILIES.some(({ tcpMap, anyMap, natMap }) => map === tcpMap || map === anyMap || map === natMap); }

export class FlowTables {
  readonly #arena: Arena;
  readonly #shard: number;
  readonly #kernel: Kernel;
  /** Room for the two addresses of an IPv6 key. */
  readonly #key: number;

  constructor(arena: Arena, shard: number, kernel: Kernel) {
    this.#arena = arena;
    this.#shard = shard;
    this.#kernel = kernel;
    this.#key = arena.take(32);
  }

  /** All conntrack entries of a node; lifetimes as seconds left at `now`. */
  conntrack(node: number, now: number): ConntrackEntry[] {
    return FAMILIES.flatMap((family) => this.#entries(family.conntrack, node).map((at) => this.#conntrackEntry(family, at, now)));
  }

  /** All NAT entries of a node. */
  nat(node: number): NatEntry[] {
    return FAMILIES.flatMap((family) => this.#entries(family.nat, node).map((at) => this.#natEntry(family, at)));
  }

  /** The clients of a node that services with session affinity remember. */
  affinity(node: number): AffinityEntry[] {
    const entry = (at: number, client: number | bigint): AffinityEntry => ({
      client_ip: formatAddress(client), rev_nat: this.#arena.get32(at + K0) & 0xffff, netns_cookie: 0, backend_id: this.#arena.get32(at + AF_BACKEND),
    });
    return [
      ...this.#entries(S_AFFINITY, node).map((at) => entry(at, addressAt(this.#arena, MAPS4, at + K1))),
      ...this.#entries(S_AFFINITY6, node).map((at) => entry(at, addressAt(this.#arena, MAPS6, at + AF6_TAIL))),
    ];
  }

  /** Puts a range of NAT entries into a node's map, one per port. */
  prefill(node: number, rows: Omit<RecordedPrefill, "node">): void {
    const except = new Set(rows.except_ports), [first, last] = rows.dports ?? rows.dport_range ?? [0, -1];
    for (let port = first; port <= last; port++) {
      if (except.has(port)) continue;
      const { family, at } = this.#insert(node, { ...rows, dport: port });
      if (at === 0) throw new RangeError(`the NAT table is too small for the entries of a recording (port ${port})`);
      if (family.isIpv6) putAddress6(this.#arena, at + X6_ADDR, ipv6(rows.to_addr));
      else this.#arena.put32(at + X_ADDR, wireWord(ipv4(rows.to_addr)));
      this.#arena.put32(at + family.toPort, wirePort(rows.to_port));
    }
  }

  /** Takes one mapping out of a node's map; false when it is not there. */
  delete(node: number, name: NatName): boolean {
    for (const family of FAMILIES) {
      for (const at of this.#entries(family.nat, node)) {
        const entry = this.#natEntry(family, at);
        if ((Object.keys(NAME_FIELDS) as (keyof NatName)[]).every((field) => entry[field] === name[field])) {
          this.#kernel.remove(this.#shard + family.nat, at);
          return true;
        }
      }
    }
    return false;
  }

  /** Empties the part of a node's tables that the named map stands for. */
  clear(node: number, map: string): void {
    for (const family of FAMILIES) {
      if (map === family.natMap) for (const at of this.#entries(family.nat, node)) this.#kernel.remove(this.#shard + family.nat, at);
      if (map !== family.tcpMap && map !== family.anyMap) continue;
      for (const at of this.#entries(family.conntrack, node))
        if ((entryProtocol(this.#arena, at) === PROTO_TCP) === (map === family.tcpMap)) this.#kernel.remove(this.#shard + family.conntrack, at);
    }
  }

  /** Takes out what the real maps evicted: the entries that `keep…` refuses. */
  evict(node: number, now: number, keepConntrack: (entry: ConntrackEntry) => boolean, keepNat: (entry: NatEntry) => boolean): void {
    for (const family of FAMILIES) {
      for (const at of this.#entries(family.conntrack, node))
        if (!keepConntrack(this.#conntrackEntry(family, at, now))) this.#kernel.remove(this.#shard + family.conntrack, at);
      for (const at of this.#entries(family.nat, node)) if (!keepNat(this.#natEntry(family, at))) this.#kernel.remove(this.#shard + family.nat, at);
    }
  }

  #conntrackEntry(family: MapFamily, at: number, now: number): ConntrackEntry {
    const { map, packets, bytes, expires, state, txFlagsSeen, rxFlagsSeen, revNat, identity, backendId, ...key } = conntrackRecord(this.#arena, this.#shard, family, at);
    return {
      map, ...tupleOf(key), nexthdr: key.protocol, flags: key.flags, packets, bytes, lifetime_left_s: expires - now,
      rx_closing: bit(state, CF_RX_CLOSING), tx_closing: bit(state, CF_TX_CLOSING), seen_non_syn: bit(state, CF_SEEN_NON_SYN),
      from_tunnel: bit(state, CF_FROM_TUNNEL), tx_flags: txFlagsSeen, rx_flags: rxFlagsSeen, rev_nat_index: revNat, src_sec_id: identity,
      lb_loopback: bit(state, CF_LOOPBACK), node_port: 0, backend_id: backendId,
    };
  }

  #natEntry(family: MapFamily, at: number): NatEntry {
    const { toAddress, toPort, needsCt, ...key } = natRecord(this.#arena, this.#shard, family, at);
    return {
      dir: (key.flags & TUPLE_IN) !== 0 ? "INGRESS" : "EGRESS", ...tupleOf(key), nexthdr: key.protocol, to_addr: formatAddress(toAddress), to_port: toPort,
      needs_ct: needsCt,
    };
  }

  #insert(node: number, name: NatName): { family: MapFamily; at: number } {
    const key = (node << 16) | (name.nexthdr << 8) | (name.dir === "INGRESS" ? TUPLE_IN : 0);
    const ports = wirePort(name.dport) | (wirePort(name.sport) << 16);
    if (!isIpv6Text(name.saddr))
      return { family: MAPS4, at: this.#kernel.insert(this.#shard + S_NAT, key, wireWord(ipv4(name.daddr)), wireWord(ipv4(name.saddr)), ports) };
    putAddress6(this.#arena, this.#key, ipv6(name.daddr));
    putAddress6(this.#arena, this.#key + 16, ipv6(name.saddr));
    return { family: MAPS6, at: this.#kernel.insert6(this.#shard + S_NAT6, key, this.#key, this.#key + 16, ports) };
  }

  #entries(table: number, node: number): number[] {
    const arena = this.#arena, at = this.#shard + table;
    const first = arena.get32(at + T_ENTRIES), stride = arena.get32(at + T_STRIDE), used = arena.get32(at + T_USED);
    const found: number[] = [];
    for (let k = 0; k < used; k++) {
      const entry = first + k * stride;
      if ((arena.get32(entry + E_STATE) & ES_LIVE) !== 0 && arena.get32(entry + K0) >>> 16 === node) found.push(entry);
    }
    return found;
  }
}

function tupleOf({ source, sourcePort, destination, destinationPort }: MapKey): { daddr: string; saddr: string; dport: number; sport: number } {
  return { daddr: formatAddress(destination), saddr: formatAddress(source), dport: destinationPort, sport: sourcePort };
}

const NAME_FIELDS: Readonly<Record<keyof NatName, true>> = { dir: true, saddr: true, sport: true, daddr: true, dport: true, nexthdr: true };

function bit(flags: number, mask: number): number { return (flags & mask) !== 0 ? 1 : 0; }
