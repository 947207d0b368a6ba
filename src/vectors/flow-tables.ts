// Reads and writes the mutable tables (conntrack, NAT) in the kernel's memory in the words of the recordings.
import { addressOf, type Arena, wirePort, wireWord } from "../engine/image/arena.ts";
import type { Kernel } from "../engine/kernel-instance.ts";
import {
  C_BYTES, C_FLAGS, C_IDENTITY, C_LIFETIME, C_PACKETS, C_SEEN, CF_FROM_TUNNEL, CF_RX_CLOSING, CF_SEEN_NON_SYN, CF_TX_CLOSING, E_STATE, ES_LIVE, K0, K1, K2,
  K3, S_CT, S_NAT, T_ENTRIES, T_STRIDE, T_USED, TUPLE_IN, X_ADDR, X_NEEDS_CT, X_PORT,
} from "../kernel/layout.ts";
import { PROTO_TCP } from "../kernel/wire/ipv4.ts";
import { dotted, ipv4 } from "./lab-addresses.ts";
import type { ConntrackEntry, NatEntry, RecordedPrefill } from "./recording.ts";

const CT_TCP = "cilium_ct4_global", CT_ANY = "cilium_ct_any4_global", NAT = "cilium_snat_v4_external";

/** Is this one of the real maps that a node's conntrack and NAT tables stand for? */
export function isFlowMap(map: string): boolean { return map === CT_TCP || map === CT_ANY || map === NAT; }

export class FlowTables {
  readonly #arena: Arena;
  readonly #shard: number;
  readonly #kernel: Kernel;

  constructor(arena: Arena, shard: number, kernel: Kernel) {
    this.#arena = arena;
    this.#shard = shard;
    this.#kernel = kernel;
  }

  /** All conntrack entries of a node; lifetimes as seconds left at `now`. */
  conntrack(node: number, now: number): ConntrackEntry[] {
    const { view } = this.#arena;
    return this.#entries(S_CT, node).map((at) => {
      const key = view.getInt32(at + K0, true), flags = view.getUint16(at + C_FLAGS, true), seen = view.getInt32(at + C_SEEN, true);
      const nexthdr = (key >>> 8) & 0xff;
      return {
        map: nexthdr === PROTO_TCP ? CT_TCP : CT_ANY,
        daddr: this.#address(at + K1), saddr: this.#address(at + K2), dport: this.#port(at + K3), sport: this.#port(at + K3 + 2), nexthdr,
        flags: key & 0xff,
        packets: view.getFloat64(at + C_PACKETS, true), bytes: view.getFloat64(at + C_BYTES, true),
        lifetime_left_s: view.getInt32(at + C_LIFETIME, true) - now,
        rx_closing: bit(flags, CF_RX_CLOSING), tx_closing: bit(flags, CF_TX_CLOSING), seen_non_syn: bit(flags, CF_SEEN_NON_SYN),
        from_tunnel: bit(flags, CF_FROM_TUNNEL),
        tx_flags: seen & 0xff, rx_flags: (seen >>> 8) & 0xff, rev_nat_index: seen >>> 16,
        src_sec_id: view.getUint32(at + C_IDENTITY, true),
      };
    });
  }

  /** All NAT entries of a node. */
  nat(node: number): NatEntry[] {
    const { view } = this.#arena;
    return this.#entries(S_NAT, node).map((at) => {
      const key = view.getInt32(at + K0, true);
      return {
        dir: (key & TUPLE_IN) !== 0 ? "INGRESS" : "EGRESS",
        daddr: this.#address(at + K1), saddr: this.#address(at + K2), dport: this.#port(at + K3), sport: this.#port(at + K3 + 2), nexthdr: (key >>> 8) & 0xff,
        to_addr: this.#address(at + X_ADDR), to_port: this.#port(at + X_PORT), needs_ct: view.getInt32(at + X_NEEDS_CT, true),
      };
    });
  }

  /** Puts a range of NAT entries into a node's map, one per port. */
  prefill(node: number, rows: RecordedPrefill): void {
    const [first, last] = rows.dports ?? rows.dport_range ?? [0, -1];
    const except = new Set(rows.except_ports);
    const key = (node << 16) | (rows.nexthdr << 8) | (rows.dir === "INGRESS" ? TUPLE_IN : 0);
    const daddr = wireWord(ipv4(rows.daddr)), saddr = wireWord(ipv4(rows.saddr)), target = wireWord(ipv4(rows.to_addr));
    for (let port = first; port <= last; port++) {
      if (except.has(port)) continue;
      const at = this.#kernel.insert(this.#shard + S_NAT, key, daddr, saddr, wirePort(port) | (wirePort(rows.sport) << 16));
      if (at === 0) throw new RangeError(`the NAT table is too small for the entries of a recording (port ${port})`);
      this.#arena.put32(at + X_ADDR, target);
      this.#arena.put32(at + X_PORT, wirePort(rows.to_port));
    }
  }

  /** Empties the part of a node's tables that the named map stands for. */
  clear(node: number, map: string): void {
    if (map === NAT) for (const at of this.#entries(S_NAT, node)) this.#kernel.remove(this.#shard + S_NAT, at);
    else for (const at of this.#entries(S_CT, node)) if ((this.#protocol(at) === PROTO_TCP) === (map === CT_TCP)) this.#kernel.remove(this.#shard + S_CT, at);
  }

  /** Takes out what the real maps evicted: the entries that `keep…` refuses. */
  evict(node: number, now: number, keepConntrack: (entry: ConntrackEntry) => boolean, keepNat: (entry: NatEntry) => boolean): void {
    const conntrack = this.#entries(S_CT, node), nat = this.#entries(S_NAT, node);
    for (const [k, entry] of this.conntrack(node, now).entries()) if (!keepConntrack(entry)) this.#remove(S_CT, conntrack[k]);
    for (const [k, entry] of this.nat(node).entries()) if (!keepNat(entry)) this.#remove(S_NAT, nat[k]);
  }

  #remove(table: number, at: number | undefined): void {
    if (at !== undefined) this.#kernel.remove(this.#shard + table, at);
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
  #address(at: number): string { return dotted(addressOf(this.#arena.get32(at))); }
  #port(at: number): number { return wirePort(this.#arena.view.getUint16(at, true)); }
}

function bit(flags: number, mask: number): number { return (flags & mask) !== 0 ? 1 : 0; }
