// Opens what a listing command is asked about, and prints listings piece by piece.
import { InputError } from "../cluster/input-error.ts";
import { loadCluster } from "../cluster/load.ts";
import type { Cluster } from "../cluster/model.ts";
import { closestName } from "../cluster/spelling.ts";
import { type CompiledControl, compileTables } from "../control/compile.ts";
import { briefFindings } from "../inspect/finding-lines.ts";
import { listingJson, listingText, type NodeListing } from "../inspect/listing.ts";
import { readState, type SavedState } from "../inspect/saved-state.ts";
import { tableDigest } from "../inspect/table-digest.ts";
import { UsageError } from "./failure.ts";
import type { InspectOptions } from "./inspect-options.ts";
import type { Terminal } from "./terminal.ts";

export interface InspectedModel {
  readonly cluster: Cluster;
  readonly control: CompiledControl;
  /** Index of the node that --node names, null without it. */
  readonly node: number | null;
}

/** The manifests, compiled; their findings go to standard error, briefly. Throws InputError. */
export async function openModel(options: InspectOptions, terminal: Terminal): Promise<InspectedModel> {
  const model = await compiledModel(options);
  for (const line of briefFindings(model.control.findings)) terminal.err(`${line}\n`);
  return model;
}

/** As openModel; the findings are left to the caller. */
export async function compiledModel(options: InspectOptions): Promise<InspectedModel> {
  const saved = options.state === undefined ? null : (await readState(options.state)).header;
  const paths = options.cluster ?? saved?.cluster ?? [];
  if (paths.length === 0) throw nothingNamed();
  const cluster = await loadCluster(paths);
  const control = compileTables(cluster, { semantics: options.semantics ?? saved?.semantics ?? "cilium-1.19" });
  if (saved !== null && tableDigest(control.tables) !== saved.tables) throw changedSince(options.state ?? "", paths);
  const names = control.tables.nodes.map(({ name }) => name);
  return { cluster, control, node: options.node === undefined ? null : indexOf(options.node, names) };
}

export interface InspectedState {
  readonly state: SavedState | null;
  /** Nodes to list: the one named, else all that have entries. */
  readonly nodes: readonly string[];
}

/** The saved maps of a replay. With --cluster alone there are none: no packet has been through the model. */
export async function openState(options: InspectOptions): Promise<InspectedState> {
  if (options.state === undefined) {
    const { control, node } = await compiledModel(options);
    const name = node === null ? undefined : control.tables.nodes[node]?.name;
    return { state: null, nodes: name === undefined ? [] : [name] };
  }
  const state = await readState(options.state);
  const names = [...new Set(state.header.maps.map(({ node }) => node))];
  if (options.node === undefined) return { state, nodes: names };
  // A node without entries is not in the file; only the manifests know whether there is one.
  if (!names.includes(options.node)) await compiledModel(options);
  return { state, nodes: [options.node] };
}

export function selectedNodes({ control, node }: InspectedModel): readonly number[] {
  return node === null ? control.tables.nodes.map((_table, index) => index) : [node];
}

/** `single`: one node was asked for, so that what is printed is what its agent would print. */
export async function printListings(listings: Iterable<NodeListing>, single: boolean, output: string | undefined, terminal: Terminal): Promise<void> {
  const seen = { lines: 0 };
  const counted = function* (): Generator<NodeListing> {
    for (const listing of listings) {
      seen.lines += listing.lines.length;
      if (single || output === "json" || listing.lines.length > 0) yield listing;
    }
  };
  print(output === "json" ? listingJson(counted(), single) : listingText(counted(), single), terminal);
  if (seen.lines === 0 && output !== "json") terminal.err("No entries found.\n");
}

/** Piece by piece: a listing of a large cluster is larger than memory should be. */
export function print(pieces: Iterable<string>, terminal: Terminal): void {
  for (const piece of pieces) terminal.out(piece);
}

function indexOf(node: string, names: readonly string[]): number {
  const index = names.indexOf(node);
  if (index >= 0) return index;
  const near = closestName(node, names);
  const some = names.slice(0, 5).join(", ");
  const cure = near !== null ? `did you mean ${near}?` : `the model has ${some}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
  throw new InputError([{ at: null, subject: `--node ${node}`, message: "no node of that name in the model", cure }]);
}

function nothingNamed(): UsageError {
  const message = "neither manifests nor the state of a replay are named";
  return new UsageError([{ at: null, subject: "--cluster", message, cure: "--cluster PATH, or --state DIR" }], "COMMAND");
}

function changedSince(state: string, paths: readonly string[]): InputError {
  return new InputError([{
    at: null, subject: `--state ${state}`,
    message: `${paths.join(", ")} no longer say what they said in that replay: their maps would not fit its entries`,
    cure: "replay again, or name the manifests as they were with --cluster",
  }]);
}
