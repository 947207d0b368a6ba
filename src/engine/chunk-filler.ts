// Reads records of the merged captures, steers them and writes their descriptors, a chunk at a time. What is in a chunk
// depends on the capture alone, never on the number of workers.
import { B_SIZE, ENTRY_OVERLAY } from "../kernel/pipeline/layout-batch.ts";
import { NEXT_RECORD } from "../io/capture-record.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2, LINK_OK, LINK_UNSUPPORTED, LinkLayer, locateNetworkHeader } from "../io/link-layer.ts";
import type { MergedCaptures } from "../io/merge.ts";
import type { IgnoredReason } from "../observe/run-result.ts";
import type { CaptureTally } from "./capture-tally.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { FrameCopier } from "./frame-copier.ts";
import type { Intake } from "./intake.ts";
import { IPV4, IPV6 } from "./ip-header.ts";
import { CHUNK_BYTES, CHUNK_PACKETS, SLOT_COUNT } from "./memory-plan.ts";
import { putDescriptor } from "./packet-descriptor.ts";
import { RepeatWatch } from "./repeat-watch.ts";
import type { CaptureInput, ReplayOptions } from "./replay-options.ts";
import type { Steering } from "./steer.ts";
import { slotOf } from "./worker-protocol.ts";

const ETHERTYPE_ARP = 0x0806, ETHERTYPE_LLDP = 0x88cc, ETH_HEADER = 14;
/** The datapath's clock when the capture begins, in seconds: more than any report interval, so that times never go below 0. */
export const CLOCK_START = 1000;
const CLOCK_END = 0x3fffffff;
const LAST_SECOND = 0xffffffff;

/** Why a chunk was closed. */
export type FillEnd = "full" | "needs-fill" | "ended" | "collection-due";

export class ChunkFiller {
  readonly repeats = new RepeatWatch();
  /** Datapath clock of the last packet. */
  now = CLOCK_START;
  /** Workers of the chunk's packets, in capture order; as long as the chunk has its slot. */
  owners = new Uint8Array(0);
  packets = 0;
  bytes = 0;
  readonly #merged: MergedCaptures;
  readonly #captures: readonly CaptureInput[];
  readonly #memory: ClusterMemory;
  readonly #steering: Steering;
  readonly #tally: CaptureTally;
  readonly #copier: FrameCopier;
  readonly #link = new LinkLayer();
  readonly #intake: Intake | null;
  readonly #interface: string | null;
  readonly #ipv6: boolean;
  readonly #perWorker: Int32Array;
  readonly #ownersBySlot = Array.from({ length: SLOT_COUNT }, () => new Uint8Array(CHUNK_PACKETS));
  #slot = 0;
  #firstSecond: number | null = null;
  /** A record was read whose turn comes after a collection. */
  #held = false;

  constructor(merged: MergedCaptures, memory: ClusterMemory, steering: Steering, tally: CaptureTally, options: ReplayOptions, intake: Intake | null = null) {
    this.#merged = merged;
    this.#captures = options.captures;
    this.#intake = intake;
    this.#memory = memory;
    this.#steering = steering;
    this.#tally = tally;
    this.#copier = new FrameCopier(memory.arena);
    this.#interface = options.captureInterface;
    this.#ipv6 = options.tables.config.ipv6;
    this.#perWorker = new Int32Array(memory.workers.length);
  }

  /** `chunk`: its number; all chunks that had its slot before are finished. */
  begin(chunk: number): void {
    const slot = slotOf(chunk);
    this.#slot = slot;
    this.owners = this.#ownersBySlot[slot] ?? this.owners;
    this.packets = 0;
    this.bytes = 0;
    this.#perWorker.fill(0);
    this.#intake?.begin(chunk);
    this.#copier.begin(this.#memory.frameAreas[slot] ?? 0);
  }

  /** Adds records until the chunk is full, the reader wants to be filled, the captures end, or the clock reaches
   * `collectionDue`; the record that reached it waits for the next call. */
  fill(collectionDue: number): FillEnd {
    for (;;) {
      if (this.packets === CHUNK_PACKETS || this.bytes >= CHUNK_BYTES) return "full";
      if (!this.#held) {
        if (this.#takeRun(collectionDue)) continue;
        const status = this.#merged.next();
        if (status !== NEXT_RECORD) {
          this.#copier.flush();
          return status < 0 ? "ended" : "needs-fill";
        }
      }
      this.#tick(this.#merged.timeSec);
      if (this.now >= collectionDue) {
        this.#held = true;
        return "collection-due";
      }
      this.#held = false;
      this.#take();
    }
  }

  /** Completes the chunk: frames copied, counts told to the workers. */
  close(): void {
    this.#copier.flush();
    for (const [worker, addresses] of this.#memory.workers.entries()) this.#memory.arena.put32(addresses.counts[this.#slot] ?? 0, this.#perWorker[worker] ?? 0);
  }

  /** Takes a run of common records at once; false where the next record is to be taken by itself. */
  #takeRun(collectionDue: number): boolean {
    if (this.#intake === null || this.#firstSecond === null) return false;
    const taken = this.#intake.take(
      this.#slot, CHUNK_PACKETS - this.packets, CHUNK_BYTES - this.bytes, this.#perWorker, this.owners, this.#tally.packets, this.#firstSecond, this.now, collectionDue,
    );
    if (taken === null) return false;
    this.#tally.receiveRun(this.#merged.captureIndex, taken.packets, taken.bytes, taken.lastSecond, taken.lastNanosecond);
    this.now = taken.now;
    this.packets += taken.packets;
    this.bytes += taken.bytes;
    return true;
  }

  /** The clock follows the capture and never goes back. */
  #tick(second: number): void {
    this.#firstSecond ??= second;
    const now = CLOCK_START + (second - this.#firstSecond);
    if (now > this.now) this.now = Math.min(now, CLOCK_END);
  }

  #take(): void {
    const merged = this.#merged, capture = merged.captureIndex;
    const reason = this.#enter(capture);
    if (reason === null) return;
    this.#tally.receive(capture, merged, merged.origLen);
    this.#tally.ignore(reason, merged.origLen);
  }

  /** Steers the record and writes its descriptor; or says why it enters nowhere. */
  #enter(capture: number): IgnoredReason | null {
    const merged = this.#merged, link = this.#link;
    if (this.#interface !== null && merged.interfaceName(merged.interfaceId) !== this.#interface) return "other-interface";
    const status = locateNetworkHeader(merged.linkType, merged.block, merged.offset, merged.capLen, link);
    if (status !== LINK_OK) return status === LINK_UNSUPPORTED ? "link-type" : "too-short";
    if (link.etherType !== ETHERTYPE_IPV4 && !(this.#ipv6 && link.etherType === ETHERTYPE_IPV6)) return otherProtocol(link.etherType);
    const ip = merged.offset + link.networkOffset, length = merged.capLen - link.networkOffset, wireLength = merged.origLen - link.networkOffset;
    const reason = this.#steering.steer(link.etherType === ETHERTYPE_IPV6 ? IPV6 : IPV4, merged.block, ip, length, wireLength, this.#captures[capture]?.point !== "node");
    if (reason !== null) return reason;
    this.repeats.see(merged.block, ip, length, this.#place());
    const inner = this.#steering.entry === ENTRY_OVERLAY ? this.#steering.innerOffset : 0;
    const frame = this.#copyFrame(ip, inner, length);
    const frameLength = inner === 0 ? length + ETH_HEADER : length - inner, wire = Math.max(frameLength, inner === 0 ? wireLength + ETH_HEADER : wireLength - inner);
    this.#tally.receive(capture, merged, wire);
    this.#describe(frame, frameLength, wire);
    return null;
  }

  /** Interface and direction, where the capture tells them. */
  #place(): number {
    const { linkType, interfaceId, captureIndex } = this.#merged;
    if (linkType === LINKTYPE_LINUX_SLL || linkType === LINKTYPE_LINUX_SLL2) return ((this.#link.deviceIndex & 0xffff) << 4) | (this.#link.packetType & 0xf);
    return this.#merged.readers[captureIndex]?.format === "pcapng" ? interfaceId : -1;
  }

  #copyFrame(ip: number, inner: number, length: number): number {
    const merged = this.#merged;
    if (inner !== 0) return this.#copier.plain(merged, ip + inner, length - inner);
    if (merged.linkType === LINKTYPE_ETHERNET && this.#link.networkOffset === ETH_HEADER) return this.#copier.plain(merged, merged.offset, merged.capLen);
    return this.#copier.rebuilt(merged, ip, length, this.#link.etherType, merged.linkType === LINKTYPE_ETHERNET ? merged.offset : -1);
  }

  #describe(frame: number, length: number, wire: number): void {
    const steering = this.#steering, { arena, workers } = this.#memory;
    const worker = steering.shard % workers.length, index = this.#perWorker[worker] as number;
    putDescriptor(
      arena.words, (workers[worker]?.descriptors[this.#slot] ?? 0) + index * B_SIZE, steering, frame, length, wire, this.#tally.packets,
      Math.min(Math.max(this.#merged.timeSec, 0), LAST_SECOND), this.#merged.timeNsec, this.now,
    );
    this.#perWorker[worker] = index + 1;
    this.owners[this.packets] = worker;
    this.packets++;
    this.bytes += length;
  }
}

function otherProtocol(etherType: number): IgnoredReason {
  if (etherType === ETHERTYPE_ARP) return "arp";
  if (etherType === ETHERTYPE_LLDP) return "lldp";
  return etherType === ETHERTYPE_IPV6 ? "ipv6" : "not-ip";
}
