import { InputError } from "../cluster/input-error.ts";
import type { ByteSource } from "./byte-source.ts";
import { type CaptureReader, NEXT_END, NEXT_FILL } from "./capture-record.ts";

/** Most bytes of one frame that are accepted: MAXIMUM_SNAPLEN of libpcap (pcap-int.h), WTAP_MAX_PACKET_SIZE_STANDARD of
 * Wireshark (wiretap/wtap.h). */
export const MAX_FRAME_LENGTH = 262144;
/** Size of a reader's block unless told. Measured on a million 64-byte packets (Node 20, shared two-core Xeon): 64 KiB 112 ns
 * a packet, 256 KiB 65, 512 KiB 39, 1 MiB 37. */
export const DEFAULT_BLOCK_SIZE = 524288;

/** A block that holds at least so many bytes, for a reader to go on in; the one that it had stays as it is. */
export type BlockSupply = (least: number) => Uint8Array;

/** Room behind what was read that is worth another read into the same supplied block. */
const WORTH_READING = 65_536;

/** A source whose first bytes have been looked at: they are block[0] to block[end - 1]. */
export interface CaptureInput {
  /** As the user named it. */
  readonly name: string;
  readonly compressed: boolean;
  readonly source: ByteSource;
  readonly block: Uint8Array;
  readonly end: number;
}

/** What the readers of both formats share: a block of the file, refilled behind the unread tail. Every field is a number
 * or stays as it is, so next() of the subclasses allocates nothing. */
export abstract class BlockReader implements CaptureReader {
  readonly name: string;
  readonly compressed: boolean;
  abstract readonly format: "pcap" | "pcapng";

  block: Uint8Array;
  offset = 0;
  capLen = 0;
  origLen = 0;
  timeSec = 0;
  timeNsec = 0;
  linkType = 0;
  interfaceId = 0;
  /** Records given so far. */
  records = 0;

  protected view: DataView;
  /** The next byte to parse, and the end of what was read, both as indexes into the block. */
  protected position = 0;
  protected end: number;
  /** Bytes of the unit (record or block) being parsed that lie before the position. */
  protected consumed = 0;
  private readonly source: ByteSource;
  /** Offset in the (uncompressed) file of block[0]. */
  private base = 0;
  private wanted = 0;
  private ended = false;
  private supply: BlockSupply | null = null;

  constructor(input: CaptureInput) {
    this.name = input.name;
    this.compressed = input.compressed;
    this.source = input.source;
    this.block = input.block;
    this.view = new DataView(input.block.buffer, input.block.byteOffset, input.block.length);
    this.end = input.end;
  }

  abstract next(): number;
  abstract interfaceName(interfaceId: number): string;

  async fill(): Promise<void> {
    if (this.ended) return;
    this.makeRoom();
    do this.took(await this.source.read(this.block, this.end));
    while (!this.ended && this.end < this.wanted);
  }

  fillNow(): boolean {
    if (this.ended) return true;
    this.makeRoom();
    do {
      const count = this.source.readNow(this.block, this.end);
      if (count === null) return false;
      this.took(count);
    } while (!this.ended && this.end < this.wanted);
    return true;
  }

  /** From now on the capture is read into blocks of the caller's, who may go on using what was read: of a block that is left only
   * the unread end is copied. What has been read already moves at once. */
  readInto(supply: BlockSupply): void {
    this.supply = supply;
    this.goOnIn(supply(this.end - this.position));
  }

  private makeRoom(): void {
    const { supply, block, position, end, wanted } = this;
    if (supply === null) this.goOnIn(wanted > block.length ? new Uint8Array(2 ** Math.ceil(Math.log2(wanted))) : block);
    else if (block.length - Math.max(end, position + wanted) < WORTH_READING) this.goOnIn(supply(Math.max(wanted, end - position)));
  }

  private goOnIn(next: Uint8Array): void {
    const { block, position, end } = this;
    if (next !== block) {
      next.set(block.subarray(position, end));
      this.block = next;
      this.view = new DataView(next.buffer, next.byteOffset, next.length);
    } else if (position > 0) {
      block.copyWithin(0, position, end);
    }
    this.base += position;
    this.end -= position;
    this.position = 0;
  }

  private took(count: number): void {
    this.ended = count === 0;
    this.end += count;
  }

  close(): Promise<void> {
    return this.source.close();
  }

  /** For next() when fewer than `wanted` bytes from the position on are there: NEXT_FILL as long as the file has more,
   * NEXT_END where it ends with the unit before. Throws InputError where it ends within a unit, of `length` bytes. */
  protected missing(wanted: number, length = wanted): number {
    if (!this.ended) {
      this.wanted = wanted;
      return NEXT_FILL;
    }
    const left = this.consumed + this.end - this.position;
    if (left === 0) return NEXT_END;
    throw this.broken(
      `is cut short: it takes ${length} bytes, the file ends after ${left}`,
      "the records before it were read; `editcap IN OUT` writes a copy that ends there",
    );
  }

  /** Where in the file the unit being parsed begins, in words. */
  protected get place(): string {
    const offset = this.base + this.position - this.consumed;
    return `offset ${offset}${this.compressed ? " of the uncompressed data" : ""}`;
  }

  /** An InputError about what is being parsed; `message` goes on after "record N at offset M" or "block at offset M". */
  protected broken(message: string, cure: string): InputError {
    return new InputError([{ at: null, subject: this.name, message: `${this.subjectOfFault()} ${message}`, cure }]);
  }

  protected abstract subjectOfFault(): string;
}
