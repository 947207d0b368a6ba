// Reads and writes the mutable tables (conntrack, NAT) in the kernel's memory in the words of the recordings.
import { formatIpv6 } from "../cluster/cidr.ts";
import { getAddress6, putAddress6 } from "../engine/image/address6.ts";
import { addressOf, type Arena, wirePort, wireWord } from "../engine/image/arena.ts";
import type { Kernel } from "../engine/kernel-instance.ts";
import {
  C_BYTES, C_FLAGS, C_IDENTITY, C_LIFETIME, C_PACKETS, C_SEEN, CF_FROM_TUNNEL, CF_RX_CLOSING, CF_SEEN_NON_SYN, CF_TX_CLOSING, E_STATE, ES_LIVE, K0, K1, K2,
  K3, S_CT, S_NAT, T_ENTRIES, T_STRIDE, T_TAIL, T_USED, TUPLE_IN, X_ADDR, X_NEEDS_CT, X_PORT,
} from "../kernel/layout.ts";
import { S_CT6, S_NAT6, TAIL_DADDR, TAIL_SADDR, X6_ADDR, X6_NEEDS_CT, X6_PORT } from "../kernel/layout6.ts";
import { PROTO_TCP } from "../kernel/wire/ipv4.ts";
import { dotted, ipv4, ipv6, isIpv6Text } from "./lab-addresses.ts";
import type { ConntrackEntry, NatEntry, RecordedPrefill } from "./recording.ts";

/** The tables and real maps of an address family. */
interface Family {
  readonly conntrack: number;
  readonly nat: number;
  readonly tcpMap: string;
  readonly anyMap: string;
  readonly natMap: string;
  readonly toAddress: number;
  readonly toPort: number;
  readonly needsCt: number;
}
const IPV4: Family = {
  conntrack: S_CT, nat: S_NAT, tcpMap: "cilium_ct4_global", anyMap: "cilium_ct_any4_global", natMap: "cilium_snat_v4_external", toAddress: X_ADDR,
  toPort: X_PORT, needsCt: X_NEEDS_CT,
};
const IPV6: Family = {
  conntrack: S_CT6, nat: S_NAT6, tcpMap: "cilium_ct6_global", anyMap: "cilium_ct_any6_global", natMap: "cilium_snat_v6_external", toAddress: X6_ADDR,
  toPort: X6_PORT, needsCt: X6_NEEDS_CT,
};
const FAMILIES: readonly Family[] = [IPV4, IPV6];

/** What names one mapping. */
export type NatName = Pick<NatEntry, "dir" | "saddr" | "sport" | "daddr" | "dport" | "nexthdr">;

/** Is this one of the real maps that a node's conntrack and NAT tables stand for? */
export function isFlowMap(map: string): boolean { return FAMILIES.some((family) => [family.tcpMap, family.anyMap, family.natMap].includes(map)); }

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

  /** Puts a range of NAT entries into a node's map, one per port. */
  prefill(node: number, rows: Omit<RecordedPrefill, "node">): void {
    const except = new Set(rows.except_ports), [first, last] = rows.dports ?? rows.dport_range ?? [0, -1];
    for (let port = first; port <= last; port++) {
      if (except.has(port)) continue;
      const { family, at } = this.#insert(node, { ...rows, dport: port });
      if (at === 0) throw new RangeError(`the NAT table is too small for the entries of a recording (port ${port})`);
      if (family === IPV6) putAddress6(this.#arena, at + X6_ADDR, ipv6(rows.to_addr));
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
        if ((this.#protocol(at) === PROTO_TCP) === (map === family.tcpMap)) this.#kernel.remove(this.#shard + family.conntrack, at);
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

  #conntrackEntry(family: Family, at: number, now: number): ConntrackEntry {
    const { view } = this.#arena;
    const key = view.getInt32(at + K0, true), flags = view.getUint16(at + C_FLAGS, true), seen = view.getInt32(at + C_SEEN, true);
    const nexthdr = (key >>> 8) & 0xff;
    return {
      map: nexthdr === PROTO_TCP ? family.tcpMap : family.anyMap,
      ...this.#tuple(family, family.conntrack, at), nexthdr, flags: key & 0xff,
      packets: view.getFloat64(at + C_PACKETS, true), bytes: view.getFloat64(at + C_BYTES, true),
      lifetime_left_s: view.getInt32(at + C_LIFETIME, true) - now,
      rx_closing: bit(flags, CF_RX_CLOSING), tx_closing: bit(flags, CF_TX_CLOSING), seen_non_syn: bit(flags, CF_SEEN_NON_SYN),
      from_tunnel: bit(flags, CF_FROM_TUNNEL),
      tx_flags: seen & 0xff, rx_flags: (seen >>> 8) & 0xff, rev_nat_index: seen >>> 16,
      src_sec_id: view.getUint32(at + C_IDENTITY, true),
    };
  }

  #natEntry(family: Family, at: number): NatEntry {
    const { view } = this.#arena, key = view.getInt32(at + K0, true), to = at + family.toAddress;
    return {
      dir: (key & TUPLE_IN) !== 0 ? "INGRESS" : "EGRESS",
      ...this.#tuple(family, family.nat, at), nexthdr: (key >>> 8) & 0xff,
      to_addr: family === IPV6 ? this.#address6(to) : this.#address4(to), to_port: this.#port(at + family.toPort),
      needs_ct: view.getInt32(at + family.needsCt, true),
    };
  }

  #tuple(family: Family, table: number, at: number): { daddr: string; saddr: string; dport: number; sport: number } {
    const ports = { dport: this.#port(at + K3), sport: this.#port(at + K3 + 2) };
    if (family === IPV4) return { daddr: this.#address4(at + K1), saddr: this.#address4(at + K2), ...ports };
    const tail = at + this.#arena.get32(this.#shard + table + T_TAIL);
    return { daddr: this.#address6(tail + TAIL_DADDR), saddr: this.#address6(tail + TAIL_SADDR), ...ports };
  }

  #insert(node: number, name: NatName): { family: Family; at: number } {
    const key = (node << 16) | (name.nexthdr << 8) | (name.dir === "INGRESS" ? TUPLE_IN : 0);
    const ports = wirePort(name.dport) | (wirePort(name.sport) << 16);
    if (!isIpv6Text(name.saddr))
      return { family: IPV4, at: this.#kernel.insert(this.#shard + S_NAT, key, wireWord(ipv4(name.daddr)), wireWord(ipv4(name.saddr)), ports) };
    putAddress6(this.#arena, this.#key, ipv6(name.daddr));
    putAddress6(this.#arena, this.#key + 16, ipv6(name.saddr));
    return { family: IPV6, at: this.#kernel.insert6(this.#shard + S_NAT6, key, this.#key, this.#key + 16, ports) };
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

  #protocol(at: number): number { return (this.#arena.get32(at + K0) >>> 8) & 0xff; }
  #address4(at: number): string { return dotted(addressOf(this.#arena.get32(at))); }
  #address6(at: number): string { return formatIpv6(getAddress6(this.#arena.view, at)); }
  #port(at: number): number { return wirePort(this.#arena.view.getUint16(at, true)); }
}

const NAME_FIELDS: Readonly<Record<keyof NatName, true>> = { dir: true, saddr: true, sport: true, daddr: true, dport: true, nexthdr: true };

function bit(flags: number, mask: number): number { return (flags & mask) !== 0 ? 1 : 0; }
