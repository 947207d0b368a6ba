// One packet at a time through the same kernel and the same pipeline as a replay, on this thread, with every hook traced.
import type { DatapathTables } from "../control/tables.ts";
import { layOutMemory, type ClusterMemory } from "../engine/cluster-memory.ts";
import { CLOCK_START } from "../engine/chunk-filler.ts";
import { addressOf } from "../engine/image/arena.ts";
import type { Kernel } from "../engine/kernel-instance.ts";
import { STREAM_BYTES } from "../engine/memory-plan.ts";
import type { ReplayOptions, Semantics } from "../engine/replay-options.ts";
import { HOOK_NAMES, tracedNat } from "../engine/trace-comment.ts";
import {
  B_ENTRY, B_FRAME, B_LEN, B_NODE, B_NOW, B_OUTCOME, B_SEQ_LO, B_SHARD, B_WIRE_LEN, STREAM_EXTERNAL, STREAM_TRACE, TR_CT, TR_HOOK, TR_LEN,
  TR_NODE, TR_POLICY, TR_PV_FLAGS, TR_PV_MATCH, TR_PV_REMOTE, TR_PV_RULE, TR_REMOTE, TR_SIZE, TR_TO, TR_VERDICT, TR_VNI, X_CURSORS, X_LIMITS,
} from "../kernel/pipeline/layout-batch.ts";
import type { Address, HookName } from "../observe/run-result.ts";

/** What one hook did. */
export interface HookStep {
  readonly hook: HookName;
  readonly node: number;
  /** 0 and more: a verdict; below: minus Cilium's drop number. */
  readonly verdict: number;
  /** TO_…: where a redirect goes. */
  readonly to: number;
  /** Index of the policy of the egress entry that was hit, -1 for none. */
  readonly policy: number;
  readonly conntrack: number;
  readonly nat: { readonly address: Address; readonly port: number } | null;
  readonly tunnel: { readonly remote: number; readonly vni: number };
  /** PV_… bits (0: not asked), identity of the other end, MATCH_…, index of the rule that decided (-1 for none). */
  readonly networkPolicy: { readonly flags: number; readonly remote: number; readonly match: number; readonly rule: number };
  /** The frame as it left the hook. */
  readonly frame: Uint8Array;
}

export interface SingleResult {
  /** OUT_…. */
  readonly outcome: number;
  readonly steps: readonly HookStep[];
  /** The frame as it left a device last, null when it never did. */
  readonly outside: Uint8Array | null;
}

const RECORD_HEADER = 16, SLOT = 0, SHARD = 0;

export class SingleRun {
  /** Of the draws. */
  readonly seed: number;
  readonly #memory: ClusterMemory;
  readonly #kernel: Kernel;
  #sequence = 0;

  /** `kernelOn` makes a kernel for the memory of this run. */
  constructor(tables: DatapathTables, semantics: Semantics, seed: number, kernelOn: (memory: WebAssembly.Memory) => Kernel) {
    this.seed = seed | 0;
    const options: ReplayOptions = {
      captures: [], tables, outDir: ".", write: new Set(["external", "trace"]), workers: 1, kernel: "ts", captureInterface: null, assumeOpener: "pod",
      semantics, seed, tracePackets: Number.MAX_SAFE_INTEGER, maxFlows: 64,
    };
    this.#memory = layOutMemory(options, 1);
    this.#kernel = kernelOn(this.#memory.arena.memory);
  }

  /** Sends a frame in at `entry` (ENTRY_…) of a node. State stays for the next call. */
  send(frame: Uint8Array, entry: number, node: number): SingleResult {
    const { arena, workers, frameAreas } = this.#memory, [worker] = workers, area = (frameAreas[SLOT] ?? 0) + 64;
    if (worker === undefined) throw new RangeError("a run has at least one worker");
    const at = worker.descriptors[SLOT] ?? 0, streams = worker.streams[SLOT] ?? [];
    arena.bytes.set(frame, area);
    this.#sequence++;
    const fields: readonly (readonly [number, number])[] = [
      [B_FRAME, area], [B_LEN, frame.length], [B_WIRE_LEN, frame.length], [B_SEQ_LO, this.#sequence], [B_ENTRY, entry], [B_NODE, node], [B_SHARD, SHARD],
      [B_NOW, CLOCK_START],
    ];
    for (const [field, value] of fields) arena.put32(at + field, value);
    for (const [stream, start] of streams.entries()) {
      arena.put32(worker.context + X_CURSORS + 4 * stream, start);
      arena.put32(worker.context + X_LIMITS + 4 * stream, start + (STREAM_BYTES[stream] ?? 0));
    }
    this.#kernel.processBatch(worker.context, at, 1);
    const written = (stream: number): Uint8Array => arena.bytes.slice(streams[stream] ?? 0, arena.get32(worker.context + X_CURSORS + 4 * stream));
    return { outcome: arena.get32(at + B_OUTCOME), steps: readSteps(written(STREAM_TRACE)), outside: lastFrame(written(STREAM_EXTERNAL)) };
  }
}

function readSteps(trace: Uint8Array): HookStep[] {
  const view = new DataView(trace.buffer, trace.byteOffset, trace.byteLength), steps: HookStep[] = [];
  for (let at = 0; at < trace.length;) {
    const word = (offset: number): number => view.getInt32(at + offset, true), length = word(TR_LEN);
    steps.push({
      hook: HOOK_NAMES[word(TR_HOOK)] ?? "to-container", node: word(TR_NODE), verdict: word(TR_VERDICT), to: word(TR_TO), policy: word(TR_POLICY),
      conntrack: word(TR_CT), nat: tracedNat(view, at),
      tunnel: { remote: addressOf(word(TR_REMOTE)), vni: word(TR_VNI) },
      networkPolicy: { flags: word(TR_PV_FLAGS), remote: word(TR_PV_REMOTE) >>> 0, match: word(TR_PV_MATCH), rule: word(TR_PV_RULE) },
      frame: trace.slice(at + TR_SIZE, at + TR_SIZE + length),
    });
    at += TR_SIZE + length;
  }
  return steps;
}

function lastFrame(stream: Uint8Array): Uint8Array | null {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  let last: Uint8Array | null = null;
  for (let at = 0; at < stream.length;) {
    const length = view.getInt32(at + 8, true);
    last = stream.slice(at + RECORD_HEADER, at + RECORD_HEADER + length);
    at += RECORD_HEADER + length;
  }
  return last;
}
