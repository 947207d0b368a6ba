// What the peers have in common: an input, a folder to write to, and what a run of theirs took.
import type { DatapathTables } from "../../src/control/tables.ts";
import type { PacketBag } from "./output-digest.ts";

export type PeerFrames = "64" | "imix";

/** A capture of pods' frames, and the cluster that they belong to. */
export interface PeerInput {
  readonly frames: PeerFrames;
  readonly packets: number;
  readonly capture: string;
  readonly cluster: string;
  /** As peerPlan writes it. */
  readonly plan: string;
  readonly tables: DatapathTables;
}

/** What egwsim wrote of an input: the measure of the others' output. */
export interface Reference {
  /** Digest of overlay.pcap. */
  readonly overlay: string;
  /** What left through a gateway, as translatedPackets gives it. */
  readonly translated: PacketBag | null;
}

export interface Measured {
  /** Seconds of the input's packets. */
  readonly seconds: number;
  /** User and system time of all that worked on them. */
  readonly cpuSeconds: number;
  /** Seconds until the first packet could be taken, where it is not part of `seconds`. */
  readonly startSeconds: number | null;
  /** Whether the output is egwsim's; null where this run was not compared. */
  readonly output: string | null;
}

export interface Peer {
  readonly who: string;
  /** Its time holds its start, so that the length of the input matters. */
  readonly startsWithin: boolean;
  /** Rejects with what went wrong; what it started has ended by then. */
  measure(input: PeerInput, folder: string, reference: Reference | null): Promise<Measured>;
}

export type Found = { readonly peer: Peer } | { readonly what: string; readonly why: string };

/** Whose figures the targets are held against. */
export const C_LOOP = "plain C loop", EGWSIM = "egwsim, wasm", EGWSIM_BOTH_HOPS = "egwsim, wasm, both hops written";

export const SAME = "yes", OTHER_WORK = "other work";
