// `bpf egress list` (cilium-dbg/cmd/bpf_egress_list.go): the egress policy maps of one node.
import { formatAddress, formatIpv4, formatPrefix } from "../cluster/cidr.ts";
import { formatSourceRef } from "../cluster/source.ts";
import type { CompiledControl } from "../control/compile.ts";
import { GATEWAY_EXCLUDED, GATEWAY_NONE, type PolicyEntryOf } from "../control/tables.ts";
import type { NodeListing } from "./listing.ts";
import { mapTable } from "./map-table.ts";

/** Keys as cilium-dbg's JSON has them. */
export interface EgressRow {
  readonly SourceIP: string;
  readonly DestCIDR: string;
  readonly EgressIP: string;
  readonly GatewayIP: string;
}

/** What no map holds: whose entry it is. */
export interface EgressOwner {
  readonly Pod: string;
  readonly Policy: string;
  /** file:line:column of the policy, "" where it has none. */
  readonly At: string;
}

export class EgressMaps {
  readonly #control: CompiledControl;
  readonly #spellings: ReadonlyMap<string, string>;
  #pods: ReadonlyMap<number | bigint, string> | null = null;

  constructor(control: CompiledControl) {
    this.#control = control;
    this.#spellings = spellings(control);
  }

  /** IPv4 first; `wide` adds pod and policy. */
  listing(node: number, wide: boolean): NodeListing {
    const { tables } = this.#control, rows: (EgressRow & Partial<EgressOwner>)[] = [];
    for (const entries of [tables.policyEntries, tables.policyEntries6]) {
      for (const entry of entries) rows.push(wide ? { ...this.#row(entry, node), ...this.#owner(entry) } : this.#row(entry, node));
    }
    const header = ["Source IP", "Destination CIDR", "Egress IP", "Gateway IP", ...(wide ? ["Pod", "Policy", "Place"] : [])];
    const owner = ({ Pod = "", Policy = "", At = "" }: Partial<EgressOwner>): readonly string[] => (wide ? [Pod, Policy, At] : []);
    const cells = rows.map((row) => [row.SourceIP, row.DestCIDR, row.EgressIP, row.GatewayIP, ...owner(row)]);
    return { node: tables.nodes[node]?.name ?? "", data: rows, lines: rows.length === 0 ? [] : mapTable(header, cells) };
  }

  #row(entry: PolicyEntryOf<number | bigint>, node: number): EgressRow {
    const { source, destination, egressIp, gatewayIp, gatewayNode, policy } = entry;
    const none = typeof egressIp === "bigint" ? 0n : 0;
    const gateway = gatewayIp === GATEWAY_NONE ? "Not Found" : gatewayIp === GATEWAY_EXCLUDED ? "Excluded CIDR" : formatIpv4(gatewayIp);
    const written = formatPrefix(destination);
    return {
      SourceIP: formatAddress(source), DestCIDR: this.#spellings.get(`${policy} ${gatewayIp === GATEWAY_EXCLUDED} ${written}`) ?? written,
      EgressIP: formatAddress(gatewayNode === node ? egressIp : none), GatewayIP: gateway,
    };
  }

  #owner({ source, policy }: PolicyEntryOf<number | bigint>): EgressOwner {
    const { endpoints, tables } = this.#control, ref = tables.policies[policy];
    this.#pods ??= new Map(endpoints.flatMap(({ title, addresses, addresses6 }) =>
      [...addresses, ...addresses6].map((address) => [address, title] as const)));
    return { Pod: this.#pods.get(source) ?? "", Policy: ref?.name ?? "", At: ref?.at ? formatSourceRef(ref.at) : "" };
  }
}

/** The map's key keeps a prefix as the policy wrote it, host bits and all; of two spellings the one written last. */
function spellings({ policiesInForce }: CompiledControl): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { index, fourth, sixth } of policiesInForce) {
    for (const { destinations, excluded } of [fourth, sixth]) {
      for (const [list, isExcluded] of [[destinations, false], [excluded, true]] as const) {
        for (const { prefix, spellings: written } of list) found.set(`${index} ${isExcluded} ${formatPrefix(prefix)}`, written.at(-1) ?? "");
      }
    }
  }
  return found;
}
