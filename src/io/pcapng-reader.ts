import { InputError } from "../cluster/input-error.ts";
import { BlockReader, type CaptureInput, MAX_FRAME_LENGTH } from "./block-reader.ts";
import { NEXT_RECORD } from "./capture-record.ts";
import {
  BLOCK_FRAMING_LENGTH,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET_BLOCK,
  ENHANCED_PACKET_LENGTH,
  INTERFACE_DESCRIPTION_BLOCK,
  INTERFACE_DESCRIPTION_LENGTH,
  PACKET_BLOCK,
  PACKET_BLOCK_LENGTH,
  SECTION_HEADER_BLOCK,
  SECTION_HEADER_LENGTH,
  SIMPLE_PACKET_BLOCK,
  SIMPLE_PACKET_LENGTH,
} from "./pcapng-format.ts";
import { parseInterface, type PcapngInterface } from "./pcapng-interface.ts";

/** Largest packet or interface block that is held; it bounds the reader's memory (libpcap and Wireshark: 16 MiB). Other
 * blocks are skipped at any size. */
const MAX_HELD_BLOCK = 2 * 1024 * 1024;
/** Interfaces of one section; with their names they take some MiB at most. */
const MAX_INTERFACES = 8192;

const NOT_A_RECORD = 2;
const DAMAGED = "the file is damaged there; the records before it were read";

/** A pcapng file (draft-ietf-opsawg-pcapng): sections of either byte order, Enhanced, Simple and the obsolete Packet
 * Blocks; every other kind of block is skipped once its two lengths agree. A Simple Packet Block has no time: it takes that
 * of the record before it. origLen is never less than capLen, whatever the file says. */
export class PcapngReader extends BlockReader {
  override readonly format = "pcapng";
  /** Number of the section that the record stands in, from 1; interface numbers begin anew with each. */
  section = 0;
  private littleEndian = false;
  private interfaces: PcapngInterface[] = [];
  /** Total length of the block that is being skipped, 0 for none. */
  private skippedLength = 0;

  /** Throws InputError unless the input begins with a whole and supported section header. */
  constructor(input: CaptureInput) {
    super(input);
    if (input.end < SECTION_HEADER_LENGTH) {
      const message = `its section header is cut short: ${SECTION_HEADER_LENGTH} bytes expected, the file has ${input.end}`;
      throw new InputError([{ at: null, subject: input.name, message, cure: "take or copy the capture again" }]);
    }
    this.checkSection();
  }

  override next(): number {
    if (this.skippedLength !== 0) {
      const status = this.skip();
      if (status !== NOT_A_RECORD) return status;
    }
    for (;;) {
      const view = this.view;
      const start = this.position;
      if (start + BLOCK_FRAMING_LENGTH > this.end) return this.missing(BLOCK_FRAMING_LENGTH);
      const type = view.getUint32(start, this.littleEndian);
      const status = type === ENHANCED_PACKET_BLOCK ? this.enhancedPacket() : this.otherBlock(type);
      if (status !== NOT_A_RECORD) return status;
    }
  }

  override interfaceName(interfaceId: number): string {
    return this.interfaces[interfaceId]?.name ?? "";
  }

  protected override subjectOfFault(): string {
    return `block at ${this.place} (${this.records === 0 ? "before the first record" : `after record ${this.records}`})`;
  }

  private enhancedPacket(): number {
    const status = this.wholeBlock(ENHANCED_PACKET_LENGTH);
    if (status !== NOT_A_RECORD) return status;
    const view = this.view;
    const littleEndian = this.littleEndian;
    const start = this.position;
    return this.packet(
      view.getUint32(start + 8, littleEndian),
      view.getUint32(start + 12, littleEndian),
      view.getUint32(start + 16, littleEndian),
    );
  }

  /** An Enhanced or Packet Block, alike from the time on (section 4.3, appendix A). */
  private packet(interfaceId: number, timeHigh: number, timeLow: number): number {
    const view = this.view;
    const start = this.position;
    const described = this.interfaces[interfaceId];
    if (described === undefined) throw this.noInterface(interfaceId);
    const capLen = view.getUint32(start + 20, this.littleEndian);
    const origLen = view.getUint32(start + 24, this.littleEndian);
    const length = view.getUint32(start + 4, this.littleEndian);
    if (capLen > MAX_FRAME_LENGTH || capLen > length - ENHANCED_PACKET_LENGTH) throw this.tooLong(capLen, length);
    const scale = described.scale;
    scale.split(timeHigh, timeLow);
    this.timeSec = scale.sec;
    this.timeNsec = scale.nsec;
    return this.give(interfaceId, described.linkType, start + 28, capLen, origLen, length);
  }

  private give(id: number, linkType: number, at: number, capLen: number, origLen: number, blockLength: number): number {
    this.interfaceId = id;
    this.linkType = linkType;
    this.offset = at;
    this.capLen = capLen;
    this.origLen = origLen > capLen ? origLen : capLen;
    this.position += blockLength;
    this.records++;
    return NEXT_RECORD;
  }

  private otherBlock(type: number): number {
    switch (type) {
      case SECTION_HEADER_BLOCK:
        return this.sectionHeader();
      case INTERFACE_DESCRIPTION_BLOCK:
        return this.interfaceDescription();
      case PACKET_BLOCK:
        return this.obsoletePacket();
      case SIMPLE_PACKET_BLOCK:
        return this.simplePacket();
      default:
        return this.startSkipping(BLOCK_FRAMING_LENGTH);
    }
  }

  private sectionHeader(): number {
    if (this.position + SECTION_HEADER_LENGTH > this.end) return this.missing(SECTION_HEADER_LENGTH);
    this.checkSection();
    this.section++;
    this.interfaces = [];
    return this.startSkipping(SECTION_HEADER_LENGTH);
  }

  /** Section 4.1: takes over the byte order of the section header at the position. */
  private checkSection(): void {
    const view = this.view;
    const start = this.position;
    const littleEndian = view.getUint32(start + 8, true) === BYTE_ORDER_MAGIC;
    if (!littleEndian && view.getUint32(start + 8, false) !== BYTE_ORDER_MAGIC) {
      throw this.broken("begins a section, but has no byte-order magic 1a2b3c4d", DAMAGED);
    }
    const major = view.getUint16(start + 12, littleEndian);
    const minor = view.getUint16(start + 14, littleEndian);
    // 1.2 was written by some tools and means the same as 1.0 (section 4.1).
    if (major !== 1 || (minor !== 0 && minor !== 2)) {
      const cure = "write it anew in version 1.0 with the tool that made it";
      throw this.broken(`begins a section of version ${major}.${minor}; only 1.0 is known`, cure);
    }
    this.littleEndian = littleEndian;
  }

  private interfaceDescription(): number {
    const status = this.wholeBlock(INTERFACE_DESCRIPTION_LENGTH);
    if (status !== NOT_A_RECORD) return status;
    const start = this.position;
    const length = this.view.getUint32(start + 4, this.littleEndian);
    if (this.interfaces.length === MAX_INTERFACES) {
      throw this.broken(`describes one more interface than the ${MAX_INTERFACES} allowed in a section`, "split the capture");
    }
    try {
      this.interfaces.push(parseInterface(this.view, start, length, this.littleEndian));
    } catch (error) {
      if (error instanceof RangeError) throw this.broken(error.message, DAMAGED);
      throw error;
    }
    this.position += length;
    return NOT_A_RECORD;
  }

  private obsoletePacket(): number {
    const status = this.wholeBlock(PACKET_BLOCK_LENGTH);
    if (status !== NOT_A_RECORD) return status;
    const view = this.view;
    const littleEndian = this.littleEndian;
    const start = this.position;
    return this.packet(
      view.getUint16(start + 8, littleEndian),
      view.getUint32(start + 12, littleEndian),
      view.getUint32(start + 16, littleEndian),
    );
  }

  /** Section 4.4: of the section's first interface, cut at its snapshot length. */
  private simplePacket(): number {
    const status = this.wholeBlock(SIMPLE_PACKET_LENGTH);
    if (status !== NOT_A_RECORD) return status;
    const start = this.position;
    const described = this.interfaces[0];
    if (described === undefined) throw this.noInterface(0);
    const length = this.view.getUint32(start + 4, this.littleEndian);
    const origLen = this.view.getUint32(start + 8, this.littleEndian);
    const capLen = described.snapLen !== 0 && described.snapLen < origLen ? described.snapLen : origLen;
    if (capLen > MAX_FRAME_LENGTH || capLen > length - SIMPLE_PACKET_LENGTH) throw this.tooLong(capLen, length);
    return this.give(0, described.linkType, start + 12, capLen, origLen, length);
  }

  /** NOT_A_RECORD once the whole block at the position is held and its two lengths agree; else what next() returns. */
  private wholeBlock(shortest: number): number {
    const length = this.blockLength(shortest);
    if (this.position + length > this.end) {
      if (length > MAX_HELD_BLOCK) {
        throw this.broken(`claims ${length} bytes; blocks of this kind are read up to ${MAX_HELD_BLOCK}`, DAMAGED);
      }
      return this.missing(length);
    }
    const again = this.view.getUint32(this.position + length - 4, this.littleEndian);
    if (again !== length) throw this.unequalLengths(length, again);
    return NOT_A_RECORD;
  }

  private blockLength(shortest: number): number {
    const length = this.view.getUint32(this.position + 4, this.littleEndian);
    if (length < shortest) throw this.broken(`claims ${length} bytes; its kind has at least ${shortest}`, DAMAGED);
    if ((length & 3) !== 0) throw this.broken(`claims ${length} bytes, which is no multiple of 4`, DAMAGED);
    return length;
  }

  private startSkipping(shortest: number): number {
    this.skippedLength = this.blockLength(shortest);
    return this.skip();
  }

  /** Goes on to the second length of a block that need not be held as a whole. */
  private skip(): number {
    const length = this.skippedLength;
    const step = Math.min(length - 4 - this.consumed, this.end - this.position);
    this.position += step;
    this.consumed += step;
    if (this.consumed < length - 4) return this.missing(1, length);
    if (this.position + 4 > this.end) return this.missing(4, length);
    const again = this.view.getUint32(this.position, this.littleEndian);
    if (again !== length) throw this.unequalLengths(length, again);
    this.position += 4;
    this.consumed = 0;
    this.skippedLength = 0;
    return NOT_A_RECORD;
  }

  private unequalLengths(first: number, second: number): InputError {
    return this.broken(`gives its length as ${first} bytes at its beginning and as ${second} at its end`, DAMAGED);
  }

  private noInterface(id: number): InputError {
    return this.broken(`is of interface ${id}; its section describes ${this.interfaces.length} so far`, DAMAGED);
  }

  private tooLong(capLen: number, blockLength: number): InputError {
    const limit = capLen > MAX_FRAME_LENGTH ? `no frame has more than ${MAX_FRAME_LENGTH}` : `the block has ${blockLength} in all`;
    return this.broken(`claims a frame of ${capLen} bytes; ${limit}`, DAMAGED);
  }
}
