// `bpf policy get` (cilium-dbg/cmd/bpf_policy_get.go): an endpoint's network policy map. Where no policy selects an endpoint
// the agent puts one entry a direction into it that allows everything (pkg/policy, fact sheet 4.1).
import type { IgnoredKind } from "../cluster/finding.ts";
import { mapTable } from "./map-table.ts";

export interface PolicyMapRow {
  readonly policy: "Allow" | "Deny";
  readonly direction: "Ingress" | "Egress";
  /** 0: any. */
  readonly identity: number;
  /** What the identity stands for, a row each; empty: the number is shown. */
  readonly labels: readonly string[];
  /** `443/TCP`, `8000-8015/TCP`, or ANY. */
  readonly portProto: string;
  /** Bits of protocol and port that are compared. */
  readonly prefix: number;
}

export const ALLOW_ALL: readonly PolicyMapRow[] = (["Ingress", "Egress"] as const).map((direction) => (
  { policy: "Allow", direction, identity: 0, labels: ["ANY"], portProto: "ANY", prefix: 0 }
));

const HEADER = ["POLICY", "DIRECTION", "LABELS (source:key[=value])", "PORT/PROTO", "PROXY PORT", "AUTH TYPE", "BYTES", "PACKETS", "PREFIX", "COOKIE"];
const NUMERIC_HEADER = HEADER.map((title, column) => (column === 2 ? "IDENTITY" : title));

/** Counters, proxies and authentication are not modelled: they show as the agent shows what it does not know or use. */
export function policyMapLines(rows: readonly PolicyMapRow[], numeric: boolean): readonly string[] {
  const cells = rows.flatMap(({ policy, direction, identity, labels, portProto, prefix }) => {
    const [first = String(identity), ...further] = numeric ? [] : labels;
    return [[policy, direction, first, portProto, "NONE", "disabled", "-", "-", String(prefix), "0"], ...further.map((label) => ["", "", label])];
  });
  return mapTable(numeric ? NUMERIC_HEADER : HEADER, cells);
}

const NETWORK_POLICIES = new Set(["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", "NetworkPolicy"]);

/** What has to be said beside the map: network policies among the manifests that the model does not have. */
export function unmodelledPolicies(ignored: readonly IgnoredKind[]): string | null {
  const kinds = ignored.filter(({ kind }) => NETWORK_POLICIES.has(kind)).map(({ kind, count }) => `${count} ${kind}`);
  return kinds.length === 0 ? null : `network policies are not modelled: ${kinds.join(", ")} of the manifests left out, so the real maps differ`;
}
