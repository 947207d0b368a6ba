// What the pod's program says of its policy: the verdict notification, and the counters of the entries that decided.
import { type Arena, wirePort } from "../engine/image/arena.ts";
import { EP_ID, P_ENDPOINT, P_PORTS } from "../kernel/layout.ts";
import {
  P_PV_AUTH, P_PV_ENTRY, P_PV_FLAGS, P_PV_MATCH, P_PV_REMOTE, P_PV_VERDICT, PE_COOKIE, PE_PREFIX, PV_AUDITED, PV_INGRESS, PV_SENT, PV_WILDCARD,
} from "../kernel/layout-policy.ts";
import { policyStatsKey } from "./comparison.ts";
import type { PolicyStats, PolicyVerdict } from "./recording.ts";

const PROTOCOL_PREFIX = 8, FULL_PREFIX = 24;

/** IP protocol of an IPv4 or, without extension headers, an IPv6 frame. */
function protocolOf(frame: Buffer): number { return frame.readUInt16BE(12) === 0x0800 ? (frame[23] ?? 0) : (frame[20] ?? 0); }

function destinationPort(arena: Arena, packet: number): number { return wirePort(arena.get32(packet + P_PORTS) >>> 16); }

/** The notification of the packet's egress policy, null where none was sent. */
export function sentVerdict(arena: Arena, packet: number, frame: Buffer): PolicyVerdict | null {
  const flags = arena.get32(packet + P_PV_FLAGS), entry = arena.get32(packet + P_PV_ENTRY);
  if ((flags & PV_SENT) === 0 || (flags & PV_INGRESS) !== 0) return null;
  return {
    remote_identity: arena.get32(packet + P_PV_REMOTE) >>> 0, dport: destinationPort(arena, packet), proto: protocolOf(frame),
    match_type: arena.get32(packet + P_PV_MATCH), verdict: arena.get32(packet + P_PV_VERDICT), auth_type: arena.get32(packet + P_PV_AUTH),
    audited: (flags & PV_AUDITED) === 0 ? 0 : 1, cookie: entry === 0 ? 0 : arena.get32(entry + PE_COOKIE) >>> 0,
  };
}

/** cilium_policystats: packets and bytes by what decided (__policy_account). The key is made of the packet and of the prefix in
 * the entry's value, so that of an ICMP message it has the conntrack port and not the type (recorded). */
export class LabPolicyStats {
  readonly #rows = new Map<string, PolicyStats>();

  get rows(): readonly PolicyStats[] { return [...this.#rows.values()]; }

  count(arena: Arena, packet: number, frame: Buffer): void {
    const entry = arena.get32(packet + P_PV_ENTRY), flags = arena.get32(packet + P_PV_FLAGS);
    if (entry === 0) return;
    const prefixlen = arena.get32(entry + PE_PREFIX);
    const mask = prefixlen <= PROTOCOL_PREFIX ? 0 : (0xffff << (FULL_PREFIX - Math.min(prefixlen, FULL_PREFIX))) & 0xffff;
    const row = {
      endpoint_id: arena.get32(arena.get32(packet + P_ENDPOINT) + EP_ID), identity: (flags & PV_WILDCARD) !== 0 ? 0 : arena.get32(packet + P_PV_REMOTE) >>> 0,
      dir: (flags & PV_INGRESS) !== 0 ? "ingress" as const : "egress" as const, proto: prefixlen < PROTOCOL_PREFIX ? 0 : protocolOf(frame), dport: destinationPort(arena, packet) & mask, prefixlen,
    };
    const key = policyStatsKey(row), known = this.#rows.get(key);
    this.#rows.set(key, { ...row, packets: (known?.packets ?? 0) + 1, bytes: (known?.bytes ?? 0) + frame.length });
  }
}
