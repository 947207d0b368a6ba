import { conntrackListing } from "../inspect/conntrack-map.ts";
import { EgressMaps } from "../inspect/egress-map.ts";
import { ipcacheListing } from "../inspect/ipcache-map.ts";
import type { NodeListing } from "../inspect/listing.ts";
import { natListing } from "../inspect/nat-map.ts";
import type { InspectOptions } from "./inspect-options.ts";
import { type InspectedState, openModel, openState, printListings, selectedNodes } from "./inspect-run.ts";
import type { Terminal } from "./terminal.ts";

export async function listEgress(options: InspectOptions, terminal: Terminal): Promise<void> {
  const model = await openModel(options, terminal), maps = new EgressMaps(model.control);
  const listings = each(selectedNodes(model), (node) => maps.listing(node, options.output === "wide"));
  await printListings(listings, model.node !== null, options.output, terminal);
}

export async function listIpcache(options: InspectOptions, terminal: Terminal): Promise<void> {
  const model = await openModel(options, terminal);
  const listings = each(selectedNodes(model), (node) => ipcacheListing(model.control.tables, node));
  await printListings(listings, model.node !== null, options.output, terminal);
}

export async function listConntrack(options: InspectOptions & { readonly timeDiff?: boolean }, terminal: Terminal): Promise<void> {
  const opened = await openState(options), { state, nodes } = opened;
  const now = options.timeDiff === true ? (state?.header.clock ?? 0) : null;
  const listings = each(nodes, (node) => conntrackListing(node, state?.conntrack.get(node) ?? [], now));
  await printListings(listings, options.node !== undefined, options.output, terminal);
  tellWhatIsMissing(opened, "cilium_ct", terminal);
}

export async function listNat(options: InspectOptions, terminal: Terminal): Promise<void> {
  const opened = await openState(options), { state, nodes } = opened, now = state?.header.clock ?? 0;
  const listings = each(nodes, (node) => natListing(node, state?.nat.get(node) ?? [], now));
  await printListings(listings, options.node !== undefined, options.output, terminal);
  tellWhatIsMissing(opened, "cilium_snat", terminal);
}

function* each<Node>(nodes: Iterable<Node>, list: (node: Node) => NodeListing): Generator<NodeListing> {
  for (const node of nodes) yield list(node);
}

/** Entries that a state does not hold, and why a model by itself has none. */
function tellWhatIsMissing({ state, nodes }: InspectedState, maps: string, terminal: Terminal): void {
  if (state === null) {
    terminal.err("No packet has been through the model: egwsim replay --out DIR saves what its packets leave, and --state DIR reads it.\n");
    return;
  }
  for (const { node, map, entries, listed } of state.header.maps) {
    if (listed < entries && map.startsWith(maps) && nodes.includes(node))
      terminal.err(`${node}: ${map} had ${entries} entries, the state holds ${listed} of them (replay --state-entries).\n`);
  }
}
