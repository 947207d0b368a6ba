// `bpf ipcache list` (cilium-dbg/cmd/bpf_ipcache_list.go, pkg/maps/ipcache): one node's ipcache.
import { formatIpv4, formatPrefix } from "../cluster/cidr.ts";
import { IDENTITY_HOST } from "../control/identities.ts";
import type { DatapathTables, IpcacheEntryOf } from "../control/tables.ts";
import type { NodeListing } from "./listing.ts";
import { mapTable } from "./map-table.ts";

export function ipcacheListing(tables: DatapathTables, node: number): NodeListing {
  const rows = new Map<string, readonly string[]>();
  for (const entries of [tables.ipcache, tables.ipcache6]) {
    for (const entry of entries) {
      if (!entry.ownerOnly || entry.ownerNode === node) rows.set(formatPrefix(entry.prefix), [valueText(tables, entry, node)]);
    }
  }
  const lines = mapTable(["IP PREFIX/ADDRESS", "IDENTITY"], [...rows].map(([prefix, [value = ""]]) => [prefix, value]));
  return { node: tables.nodes[node]?.name ?? "", data: Object.fromEntries(rows), lines };
}

/** A pod of another node has that node as tunnel endpoint; a node's own addresses are the host. */
function valueText({ nodes }: DatapathTables, entry: IpcacheEntryOf<number | bigint>, node: number): string {
  const { identity, ownerNode, isNode, ownerOnly, skipTunnel } = entry;
  const isOwn = ownerNode === node;
  const owner = isOwn || isNode || ownerOnly ? undefined : nodes[ownerNode];
  const flags = [...(skipTunnel ? ["skiptunnel"] : []), ...(owner === undefined ? [] : ["hastunnel"])];
  const seen = isOwn && isNode ? IDENTITY_HOST : identity;
  return `identity=${seen} encryptkey=0 tunnelendpoint=${formatIpv4(owner?.address ?? 0)} flags=${flags.length === 0 ? "<none>" : flags.join(",")}`;
}
