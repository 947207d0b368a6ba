// The quick way of records into a chunk: a run of the reader's block is copied once, and the kernel turns its records into
// descriptors (kernel/pipeline/intake.ts). For one classic Ethernet capture; anything else goes record by record.
import { LINKTYPE_ETHERNET } from "../io/link-layer.ts";
import type { MergedCaptures } from "../io/merge.ts";
import { PcapReader } from "../io/pcap-reader.ts";
import {
  IN_ADDRESSES, IN_AT, IN_AT_PODS, IN_BYTES, IN_DUE, IN_END, IN_FIRST_SECOND, IN_LAST_NSEC, IN_LAST_SEC, IN_LEAST_BYTES, IN_NOW, IN_OWNERS, IN_PACKETS,
  IN_PER_SECOND, IN_ROOM, IN_SCALE, IN_SEQ_HI, IN_SEQ_LO, IN_SHARD_MASK, IN_SHARD_OWNERS, IN_WORKER, INW_COUNT, INW_FIRST, INW_SIZE,
} from "../kernel/pipeline/layout-intake.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { translatesPackets } from "./image/cluster-services.ts";
import { INTAKE_AREA_BYTES, SHARD_COUNT } from "./memory-plan.ts";
import type { MainKernel } from "./main-kernel.ts";
import type { ReplayOptions } from "./replay-options.ts";

const LATEST = 0x7fffffff;
const RECORD_HEADER = 16;
/** Bytes copied beyond what the records so far let expect. */
const MARGIN = 4096;

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
  #area = 0;
  #used = 0;
  /** What of the file lies in the area: from this offset to before that one, the first at this address. */
  #from = 0;
  #to = 0;
  #address = 0;
  #bytesSoFar = 0;
  #recordsSoFar = 0;

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

  begin(slot: number): void {
    this.#area = this.#memory.intake.areas[slot] ?? 0;
    this.#used = 0;
    this.#from = this.#to = 0;
  }

  /** Takes records from where the reader stands; null where not one is of the common kind. `descriptors` and `counts` are the
   * chunk's by worker, the counts are brought up to date; `sequence` is the number of the packet before, `due` the clock's
   * reading that is not to be reached. */
  take(slot: number, room: number, leastBytes: number, counts: Int32Array, owners: Uint8Array, sequence: number, firstSecond: number, now: number, due: number): Taken | null {
    const reader = this.#reader;
    if (firstSecond > LATEST || !this.#hold(room)) return null;
    const start = this.#address + (reader.fileOffset - this.#from), end = this.#address + (this.#to - this.#from);
    const { arena: { bytes }, workers, intake } = this.#memory;
    this.#put(IN_AT, start);
    this.#put(IN_END, end);
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
    const taken = this.#get(IN_AT) - start;
    reader.skip(taken, packets);
    this.#bytesSoFar += taken;
    this.#recordsSoFar += packets;
    return { packets, bytes: this.#get(IN_BYTES), lastSecond: this.#get(IN_LAST_SEC), lastNanosecond: this.#get(IN_LAST_NSEC), now: this.#get(IN_NOW) };
  }

  /** Sees to it that records from the reader's place on are in the area; false where there is nothing to take. */
  #hold(room: number): boolean {
    const reader = this.#reader, at = reader.fileOffset;
    if (at >= this.#from && at + RECORD_HEADER < this.#to) return true;
    const unread = reader.unread(), expected = room * (this.#recordsSoFar === 0 ? 0 : this.#bytesSoFar / this.#recordsSoFar);
    const length = Math.min(unread.length, INTAKE_AREA_BYTES - this.#used, Math.ceil(expected) + MARGIN);
    // A copy that ends where the last one did brings nothing new: the record there is the reader's.
    if (length <= RECORD_HEADER || (at + length <= this.#to && at >= this.#from)) return false;
    this.#address = this.#area + this.#used;
    this.#from = at;
    this.#to = at + length;
    this.#used += length;
    this.#memory.arena.bytes.set(unread.subarray(0, length), this.#address);
    return true;
  }

  #put(field: number, value: number): void {
    this.#memory.arena.words[(this.#memory.intake.words + field) >> 2] = value;
  }

  #get(field: number): number {
    return this.#memory.arena.words[(this.#memory.intake.words + field) >> 2] as number;
  }
}
