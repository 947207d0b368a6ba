// `endpoint list` (cilium-dbg/cmd/endpoint_list.go): the pods of one node, as its agent knows them.
import { formatIpv4, formatIpv6 } from "../cluster/cidr.ts";
import type { ClusterEndpoint } from "../control/cluster-endpoints.ts";
import type { CompiledControl } from "../control/compile.ts";
import { IDENTITY_INIT } from "../control/identities.ts";
import type { NodeListing } from "./listing.ts";
import { mapTable } from "./map-table.ts";
import { securityLabels } from "./security-labels.ts";

const HEADER = ["ENDPOINT", "POLICY (ingress)", "POLICY (egress)", "IDENTITY", "LABELS (source:key[=value])", "IPv6", "IPv4", "STATUS"];
const SECOND_HEADER = ["", "ENFORCEMENT", "ENFORCEMENT", "", "", "", "", ""];
/** What policies ask of ingress the model does not enforce. */
const INGRESS_ENFORCEMENT = "Disabled";
/** The column by what status.policy.realized says. */
const EGRESS_ENFORCEMENT = { none: "Disabled", egress: "Enabled", "audit-egress": "Disabled (Audit)" } as const;

interface ListedEndpoint {
  readonly id: number;
  readonly title: string;
  readonly identity: number;
  readonly labels: readonly string[];
  readonly ipv4: string;
  readonly ipv6: string;
  readonly policyEnabled: keyof typeof EGRESS_ENFORCEMENT;
  readonly state: "ready" | "waiting-for-identity";
}

/** Endpoints by node, in order of their numbers. */
export class EndpointLists {
  readonly #control: CompiledControl;
  readonly #onNode: readonly (readonly ClusterEndpoint[])[];

  constructor(control: CompiledControl) {
    this.#control = control;
    const onNode: ClusterEndpoint[][] = control.tables.nodes.map(() => []);
    for (const endpoint of control.endpoints) onNode[endpoint.node.index]?.push(endpoint);
    this.#onNode = onNode;
  }

  listing(node: number, noHeaders: boolean): NodeListing {
    const endpoints = this.#endpointsOf(node);
    const rows = endpoints.flatMap((endpoint) => rowsOf(endpoint));
    const head = noHeaders ? [] : [HEADER, SECOND_HEADER];
    const [first, ...rest] = [...head, ...rows];
    return { node: this.#control.tables.nodes[node]?.name ?? "", data: endpoints.map(endpointModel), lines: first === undefined ? [] : mapTable(first, rest) };
  }

  #endpointsOf(node: number): readonly ListedEndpoint[] {
    const { nodes, networkPolicy } = this.#control.tables, table = nodes[node], enforced = networkPolicy.audit ? "audit-egress" : "egress";
    const ids = new Map<string, number>();
    for (const { host, label, endpointId } of [...(table?.endpoints ?? []), ...(table?.endpoints6 ?? [])]) if (!host) ids.set(label, endpointId);
    return (this.#onNode[node] ?? []).map((endpoint): ListedEndpoint => {
      const { title, identity, labels, addresses: [ipv4], addresses6: [ipv6] } = endpoint;
      return {
        id: ids.get(title) ?? endpoint.endpointId, title, identity, labels: securityLabels(labels), ipv4: ipv4 === undefined ? "" : formatIpv4(ipv4),
        ipv6: ipv6 === undefined ? "" : formatIpv6(ipv6), policyEnabled: networkPolicy.byIdentity.has(identity) ? enforced : "none",
        state: identity === IDENTITY_INIT ? "waiting-for-identity" : "ready",
      };
    }).sort((a, b) => a.id - b.id);
  }
}

/** The first label's row carries the rest. */
function rowsOf({ id, identity, labels, ipv4, ipv6, policyEnabled, state }: ListedEndpoint): readonly (readonly string[])[] {
  const [first = "no labels", ...further] = labels;
  const enforcement = [INGRESS_ENFORCEMENT, EGRESS_ENFORCEMENT[policyEnabled]];
  return [[String(id), ...enforcement, String(identity), first, ipv6, ipv4, state], ...further.map((label) => ["", "", "", "", label])];
}

/** The fields of api/v1/models.Endpoint that the model knows. */
function endpointModel({ id, title, identity, labels, ipv4, ipv6, policyEnabled, state }: ListedEndpoint): unknown {
  const [namespace = "", name = ""] = title.split("/");
  return {
    id,
    status: {
      "external-identifiers": { "k8s-namespace": namespace, "k8s-pod-name": name, "pod-name": title },
      identity: { id: identity, labels },
      labels: { "security-relevant": labels },
      networking: { addressing: [{ ...(ipv4 === "" ? {} : { ipv4 }), ...(ipv6 === "" ? {} : { ipv6 }) }] },
      policy: { realized: { "policy-enabled": policyEnabled } },
      state,
    },
  };
}
