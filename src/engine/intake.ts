// The quick way of records into a chunk: the capture is read straight into the memory that workers see, and the kernel turns its records
// into descriptors where they lie (kernel/pipeline/intake.ts). For one classic Ethernet capture; anything else goes record by record.
import { LINKTYPE_ETHERNET } from "../io/link-layer.ts";
import type { MergedCaptures } from "../io/merge.ts";
import { PcapReader } from "../io/pcap-reader.ts";
import {
  IN_ADDRESSES, IN_AT, IN_AT_PODS, IN_BYTES, IN_DUE, IN_END, IN_FIRST_SECOND, IN_LAST_NSEC, IN_LAST_SEC, IN_LEAST_BYTES, IN_NOW, IN_OWNERS, IN_PACKETS,
  IN_PER_SECOND, IN_ROOM, IN_SCALE, IN_SEQ_HI, IN_SEQ_LO, IN_SHARD_MASK, IN_SHARD_OWNERS, IN_WORKER, INW_COUNT, INW_FIRST, INW_SIZE,
} from "../kernel/pipeline/layout-intake.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { translatesPackets } from "./image/cluster-services.ts";
import { INTAKE_BLOCK_BYTES, SHARD_COUNT, SLOT_COUNT } from "./memory-plan.ts";
import type { MainKernel } from "./main-kernel.ts";
import type { ReplayOptions } from "./replay-options.ts";

const LATEST = 0x7fffffff;
const RECORD_HEADER = 16;

export interface Taken {
  readonly packets: number;
  readonly bytes: number;
  readonly lastSecond: number;
  readonly lastNanosecond: number;
  /** Clock of the last packet. */
  readonly now: number;
}

export class Intake {
  readonly #memory: ClusterMemory;
  readonly #reader: PcapReader;
  readonly #kernel: MainKernel;
  /** The shared blocks, and by block the last chunk that has frames in it. */
  readonly #blocks: readonly Uint8Array[];
  readonly #lastChunk: Int32Array;
  /** Where every block still has frames of a chunk under way: nothing is taken from here, records go one by one and are copied. */
  #spare = new Uint8Array(0);
  /** Index of the block that the reader is in, -1: the spare one; of the last shared one that it was in. */
  #current = -1;
  #last = -1;
  #chunk = 0;

  private constructor(memory: ClusterMemory, reader: PcapReader, kernel: MainKernel, atPods: boolean) {
    this.#memory = memory;
    this.#reader = reader;
    this.#kernel = kernel;
    this.#put(IN_ADDRESSES, memory.image.addresses);
    this.#put(IN_AT_PODS, atPods ? 1 : 0);
    this.#put(IN_PER_SECOND, reader.fractionsPerSecond);
    this.#put(IN_SCALE, reader.nsecPerFraction);
    this.#put(IN_OWNERS, memory.intake.owners);
    this.#put(IN_SHARD_MASK, SHARD_COUNT - 1);
    this.#blocks = memory.intake.blocks.map((at) => memory.arena.bytes.subarray(at, at + INTAKE_BLOCK_BYTES));
    this.#lastChunk = new Int32Array(this.#blocks.length).fill(-SLOT_COUNT);
    reader.readInto((least) => this.#nextBlock(least));
    for (let shard = 0; shard < SHARD_COUNT; shard++) memory.arena.bytes[memory.intake.words + IN_SHARD_OWNERS + shard] = shard % memory.workers.length;
  }

  /** null where these captures are not read this way. */
  static of(memory: ClusterMemory, merged: MergedCaptures, options: ReplayOptions, kernel: MainKernel): Intake | null {
    const [reader] = merged.readers, [capture] = options.captures;
    if (merged.readers.length !== 1 || !(reader instanceof PcapReader) || !reader.isCommon || options.captureInterface !== null) return null;
    // The shard of a packet to a service is its backend's, which only Steering draws.
    if (translatesPackets(options.tables.services)) return null;
    return reader.linkType === LINKTYPE_ETHERNET ? new Intake(memory, reader, kernel, capture?.point !== "node") : null;
  }

  /** `chunk` is about to be filled, with all chunks finished that had its slot before. */
  begin(chunk: number): void {
    this.#chunk = chunk;
  }

  /** Takes records from where the reader stands; null where not one is of the common kind. `descriptors` and `counts` are the
   * chunk's by worker, the counts are brought up to date; `sequence` is the number of the packet before, `due` the clock's
   * reading that is not to be reached. */
  take(slot: number, room: number, leastBytes: number, counts: Int32Array, owners: Uint8Array, sequence: number, firstSecond: number, now: number, due: number): Taken | null {
    const reader = this.#reader, { nextRecord, endOfRead } = reader, base = reader.block.byteOffset;
    if (this.#current < 0 || firstSecond > LATEST || nextRecord + RECORD_HEADER >= endOfRead) return null;
    const { arena: { bytes }, workers, intake } = this.#memory;
    this.#put(IN_AT, base + nextRecord);
    this.#put(IN_END, base + endOfRead);
    this.#put(IN_ROOM, room);
    this.#put(IN_LEAST_BYTES, leastBytes);
    this.#put(IN_FIRST_SECOND, firstSecond);
    this.#put(IN_NOW, now);
    this.#put(IN_DUE, Math.min(due, LATEST));
    this.#put(IN_SEQ_LO, sequence | 0);
    this.#put(IN_SEQ_HI, Math.floor(sequence / 4_294_967_296));
    for (const [worker, { descriptors }] of workers.entries()) {
      this.#put(IN_WORKER + worker * INW_SIZE + INW_FIRST, descriptors[slot] ?? 0);
      this.#put(IN_WORKER + worker * INW_SIZE + INW_COUNT, counts[worker] ?? 0);
    }
    this.#kernel.get().takeRecords(intake.words);
    const packets = this.#get(IN_PACKETS);
    if (packets === 0) return null;
    for (let worker = 0; worker < workers.length; worker++) counts[worker] = this.#get(IN_WORKER + worker * INW_SIZE + INW_COUNT);
    owners.set(bytes.subarray(intake.owners, intake.owners + packets), owners.length - room);
    reader.skip(this.#get(IN_AT) - base - nextRecord, packets);
    this.#lastChunk[this.#current] = this.#chunk;
    return { packets, bytes: this.#get(IN_BYTES), lastSecond: this.#get(IN_LAST_SEC), lastNanosecond: this.#get(IN_LAST_NSEC), now: this.#get(IN_NOW) };
  }

  /** The next of the shared blocks where no worker needs it any more. Frames of chunk N are out of use when chunk N + SLOT_COUNT begins. */
  #nextBlock(least: number): Uint8Array {
    const next = (this.#last + 1) % this.#blocks.length, block = this.#blocks[next];
    if (block !== undefined && least < block.length && (this.#lastChunk[next] as number) + SLOT_COUNT <= this.#chunk) {
      this.#last = this.#current = next;
      return block;
    }
    this.#current = -1;
    if (this.#spare.length <= least) this.#spare = new Uint8Array(Math.max(INTAKE_BLOCK_BYTES, least + 1));
    return this.#spare;
  }

  #put(field: number, value: number): void {
    this.#memory.arena.words[(this.#memory.intake.words + field) >> 2] = value;
  }

  #get(field: number): number {
    return this.#memory.arena.words[(this.#memory.intake.words + field) >> 2] as number;
  }
}
