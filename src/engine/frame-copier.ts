import type { CaptureRecord } from "../io/capture-record.ts";
import type { Arena } from "./image/arena.ts";
import { FRAME_AREA_BYTES, RUN_HEADROOM } from "./memory-plan.ts";

/** Records of one block at most this far apart are copied with what lies between them. */
const LARGEST_GAP = 64;
const ETH_HEADER = 14;
/** 02:00:00:00:ee:02 to 02:00:00:00:ee:01: frames that came without Ethernet addresses. */
const MADE_MACS = Uint8Array.of(0x02, 0, 0, 0, 0xee, 0x01, 0x02, 0, 0, 0, 0xee, 0x02);

/** Copies frames from reader blocks into a chunk's frame area: neighbouring records of a block in one copy (a copy per
 * record costs 44 ns, a run of a block next to nothing a record). Frames that need an Ethernet header get one in place. */
export class FrameCopier {
  readonly #bytes: Uint8Array;
  #area = 0;
  #cursor = 0;
  #block: Uint8Array | null = null;
  #start = 0;
  #end = 0;
  #target = 0;

  constructor(arena: Arena) {
    this.#bytes = arena.bytes;
  }

  /** Begins a chunk whose frames go to the area at `address`. */
  begin(address: number): void {
    this.#area = address;
    this.#cursor = address + RUN_HEADROOM;
  }

  /** Address in memory of an Ethernet frame that starts at `offset` of the record's block; copied at the next flush(). */
  plain(record: CaptureRecord, offset: number, length: number): number {
    if (this.#block !== record.block || offset < this.#end || offset - this.#end > LARGEST_GAP) {
      this.flush();
      this.#block = record.block;
      this.#start = offset;
      this.#target = this.#cursor;
    }
    this.#end = offset + length;
    return this.#target + (offset - this.#start);
  }

  /** Address of a frame made of an Ethernet header and the packet at `offset`: the MACs of the record where it has them
   * (`macs` is their offset), made-up ones otherwise. */
  rebuilt(record: CaptureRecord, offset: number, length: number, etherType: number, macs: number): number {
    this.flush();
    const at = this.#cursor;
    this.#bytes.set(MADE_MACS, at);
    this.#bytes[at + 12] = etherType >> 8;
    this.#bytes[at + 13] = etherType & 0xff;
    if (macs >= 0) this.#bytes.set(record.block.subarray(macs, macs + 12), at);
    this.#bytes.set(record.block.subarray(offset, offset + length), at + ETH_HEADER);
    this.#advance(at + ETH_HEADER + length);
    return at;
  }

  /** Must be called before the record's block changes, and before the chunk is posted. */
  flush(): void {
    if (this.#block === null) return;
    this.#bytes.set(this.#block.subarray(this.#start, this.#end), this.#target);
    this.#advance(this.#target + this.#end - this.#start);
    this.#block = null;
    this.#end = 0;
  }

  #advance(end: number): void {
    this.#cursor = ((end + 7) & -8) + RUN_HEADROOM;
    if (this.#cursor > this.#area + FRAME_AREA_BYTES) throw new RangeError("a chunk's frames outgrew their area");
  }
}
