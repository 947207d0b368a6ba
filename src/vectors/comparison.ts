// Compares what a hook did with what was recorded, field by field, and counts what it compared.
import { type AffinityEntry, type ConntrackEntry, type NatEntry, type PolicyStats, type PolicyVerdict, type RecordedStep } from "./recording.ts";

export const CATEGORIES = [
  "verdict", "drop reason", "redirect", "tunnel key", "frame", "mark", "conntrack", "nat", "affinity", "draw", "policy verdict", "policy stats",
] as const;
export type Category = (typeof CATEGORIES)[number];

export interface Difference {
  readonly category: Category;
  readonly field: string;
  readonly recorded: string;
  readonly ours: string;
}

/** What a hook did, in the words of the recordings. */
export interface HookOutcome {
  readonly verdict: RecordedStep["verdict"];
  /** Cilium's number, null for no drop. */
  readonly dropCode: number | null;
  readonly frameHex: string;
  readonly mark: number;
  readonly redirect: { readonly kind: string; readonly dev: string; readonly nexthop: string | null } | null;
  readonly tunnelKey: { readonly vni: number; readonly remote: string } | null;
  readonly conntrack: readonly ConntrackEntry[];
  readonly nat: readonly NatEntry[];
  readonly affinity: readonly AffinityEntry[];
  /** The notification that was sent, null for none. */
  readonly policyVerdict: PolicyVerdict | null;
  readonly policyStats: readonly PolicyStats[];
}

/** Seconds by which a recorded lifetime may be off: it was rounded. */
const LIFETIME_TOLERANCE = 1;
const NONE = "none";

export class Comparison {
  readonly differences: Difference[] = [];
  readonly compared = new Map<Category, number>();

  /** Everything that the recorded step says about its outcome. */
  outcome(step: RecordedStep, ours: HookOutcome): void {
    this.field("verdict", "verdict", step.verdict, ours.verdict);
    this.field("drop reason", "code", step.drop_reason?.code ?? NONE, ours.dropCode ?? NONE);
    this.field("mark", "out_mark", step.out_mark, `0x${(ours.mark >>> 0).toString(16)}`);
    if (step.out_hex != null) this.field("frame", "out_hex", step.out_hex, ours.frameHex);
    this.field("redirect", "kind", step.redirect?.kind ?? NONE, ours.redirect?.kind ?? NONE);
    if (step.redirect != null && ours.redirect !== null) {
      this.field("redirect", "dev", step.redirect.dev, ours.redirect.dev);
      this.field("redirect", "nexthop", step.redirect.nexthop ?? NONE, ours.redirect.nexthop ?? NONE);
    }
    this.field("tunnel key", "vni", step.tunnel_key?.vni ?? NONE, ours.tunnelKey?.vni ?? NONE);
    this.field("tunnel key", "remote", step.tunnel_key?.remote ?? NONE, ours.tunnelKey?.remote ?? NONE);
    if (step.ct_after != null) this.conntrack(step.ct_after, ours.conntrack);
    if (step.nat_after != null) this.nat(step.nat_after, ours.nat);
    if (step.affinity_after != null) this.affinity(step.affinity_after, ours.affinity);
    if (step.policy_verdict !== undefined) this.policyVerdict(step.policy_verdict, ours.policyVerdict);
    if (step.policy_stats_after != null) this.policyStats(step.policy_stats_after, ours.policyStats);
  }

  field(category: Category, field: string, recorded: string | number, ours: string | number): void {
    this.compared.set(category, (this.compared.get(category) ?? 0) + 1);
    if (recorded !== ours) this.differences.push({ category, field, recorded: String(recorded), ours: String(ours) });
  }

  private conntrack(recorded: readonly ConntrackEntry[], ours: readonly ConntrackEntry[]): void {
    const key = (entry: ConntrackEntry): string =>
      `${entry.map} ${entry.nexthdr} ${entry.saddr}:${entry.sport}>${entry.daddr}:${entry.dport} flags ${entry.flags}`;
    this.entries("conntrack", recorded, ours, key, (name, entry, found) => {
      const near = Math.abs(entry.lifetime_left_s - found.lifetime_left_s) <= LIFETIME_TOLERANCE;
      this.field("conntrack", `${name} lifetime_left_s`, entry.lifetime_left_s, near ? entry.lifetime_left_s : found.lifetime_left_s);
      for (const field of ["packets", "bytes", "rx_closing", "tx_closing", "seen_non_syn", "from_tunnel", "tx_flags", "rx_flags", "src_sec_id"] as const)
        this.field("conntrack", `${name} ${field}`, entry[field], found[field]);
      if (entry.rev_nat_index !== undefined) this.field("conntrack", `${name} rev_nat_index`, entry.rev_nat_index, found.rev_nat_index ?? 0);
      for (const field of ["lb_loopback", "node_port", "backend_id"] as const) this.field("conntrack", `${name} ${field}`, entry[field] ?? 0, found[field] ?? 0);
    });
  }

  private affinity(recorded: readonly AffinityEntry[], ours: readonly AffinityEntry[]): void {
    this.entries("affinity", recorded, ours, (entry) => `${entry.client_ip} rev_nat ${entry.rev_nat} netns ${entry.netns_cookie}`, (name, entry, found) => {
      this.field("affinity", `${name} backend_id`, entry.backend_id, found.backend_id);
    });
  }

  private nat(recorded: readonly NatEntry[], ours: readonly NatEntry[]): void {
    this.entries("nat", recorded, ours, natKey, (name, entry, found) => {
      for (const field of ["to_addr", "to_port", "needs_ct"] as const) this.field("nat", `${name} ${field}`, entry[field], found[field]);
    });
  }

  private policyVerdict(recorded: PolicyVerdict | null, ours: PolicyVerdict | null): void {
    this.field("policy verdict", "notification", recorded === null ? NONE : "sent", ours === null ? NONE : "sent");
    if (recorded === null || ours === null) return;
    for (const field of ["remote_identity", "dport", "proto", "match_type", "verdict", "auth_type", "audited", "cookie"] as const)
      this.field("policy verdict", field, recorded[field], ours[field]);
  }

  private policyStats(recorded: readonly PolicyStats[], ours: readonly PolicyStats[]): void {
    this.entries("policy stats", recorded, ours, policyStatsKey, (name, entry, found) => {
      for (const field of ["packets", "bytes"] as const) this.field("policy stats", `${name} ${field}`, entry[field], found[field]);
    });
  }

  private entries<Entry>(
    category: Category, recorded: readonly Entry[], ours: readonly Entry[], keyOf: (entry: Entry) => string,
    fields: (name: string, recorded: Entry, ours: Entry) => void,
  ): void {
    const left = new Map(ours.map((entry) => [keyOf(entry), entry]));
    for (const entry of recorded) {
      const name = keyOf(entry), found = left.get(name);
      left.delete(name);
      this.field(category, name, "present", found === undefined ? "absent" : "present");
      if (found !== undefined) fields(name, entry, found);
    }
    for (const name of left.keys()) this.field(category, name, "absent", "present");
  }
}

/** What makes two NAT entries the same one. */
export function natKey(entry: NatEntry): string {
  return `${entry.dir} ${entry.nexthdr} ${entry.saddr}:${entry.sport}>${entry.daddr}:${entry.dport}`;
}

/** What makes two counters of policy entries the same one. */
export function policyStatsKey(row: Omit<PolicyStats, "packets" | "bytes">): string {
  return `endpoint ${row.endpoint_id} ${row.dir} identity ${row.identity} proto ${row.proto} port ${row.dport}/${row.prefixlen}`;
}
