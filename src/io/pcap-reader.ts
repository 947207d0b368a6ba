import { InputError } from "../cluster/input-error.ts";
import { BlockReader, type CaptureInput, MAX_FRAME_LENGTH } from "./block-reader.ts";
import { NEXT_RECORD } from "./capture-record.ts";
import { PCAP_FILE_HEADER_LENGTH, PCAP_RECORD_HEADER_LENGTH, type PcapMagic } from "./pcap-format.ts";

const NANOSECONDS = 1_000_000_000;

const INCLUDED_FIRST = 0;
const ORIGINAL_FIRST = 1;
const SMALLER_IS_INCLUDED = 2;

/** A classic capture file (draft-ietf-opsawg-pcap), versions 2.x and DG/UX's 543.0.
 *
 * A fraction of a second beyond its range is carried into the seconds (Wireshark and tcpdump print it as it stands).
 * Seconds are unsigned. A record larger than the header's snapshot length is given whole, as Wireshark does. origLen is
 * never less than capLen, whatever the file says. */
export class PcapReader extends BlockReader {
  override readonly format = "pcap";
  /** Snapshot length of the file's header, in bytes. */
  readonly snapLen: number;
  /** Parts of a second that time stamps count, and nanoseconds of one. */
  readonly fractionsPerSecond: number;
  readonly nsecPerFraction: number;
  private readonly littleEndian: boolean;
  private readonly headerLength: number;
  private readonly lengthOrder: number;

  /** Throws InputError unless the input begins with a whole and supported file header. */
  constructor(input: CaptureInput, magic: PcapMagic) {
    super(input);
    if (input.end < PCAP_FILE_HEADER_LENGTH) {
      const message = `its header is cut short: ${PCAP_FILE_HEADER_LENGTH} bytes expected, the file has ${input.end}`;
      throw new InputError([{ at: null, subject: input.name, message, cure: "take or copy the capture again" }]);
    }
    this.littleEndian = magic.littleEndian;
    this.headerLength = magic.recordHeaderLength;
    this.fractionsPerSecond = magic.nanoseconds ? NANOSECONDS : 1_000_000;
    this.nsecPerFraction = magic.nanoseconds ? 1 : 1000;
    const major = this.view.getUint16(4, this.littleEndian);
    const minor = this.view.getUint16(6, this.littleEndian);
    if (major !== 2 && major !== 543) {
      const message = `version ${major}.${minor} of the pcap format is not supported, only 2.x`;
      const cure = "write it anew in version 2.4 with the tool that made it";
      throw new InputError([{ at: null, subject: input.name, message, cure }]);
    }
    this.lengthOrder = lengthOrderOf(major, minor);
    this.snapLen = this.view.getUint32(16, this.littleEndian);
    // The six upper bits say whether frames end with a frame check sequence; what follows is the frame as captured.
    this.linkType = this.view.getUint32(20, this.littleEndian) & 0x03ffffff;
    this.position = PCAP_FILE_HEADER_LENGTH;
  }

  override next(): number {
    const view = this.view;
    const littleEndian = this.littleEndian;
    const start = this.position;
    const frame = start + this.headerLength;
    if (frame > this.end) return this.missing(this.headerLength);
    let capLen = view.getUint32(start + 8, littleEndian);
    let origLen = view.getUint32(start + 12, littleEndian);
    if (this.lengthOrder !== INCLUDED_FIRST && (this.lengthOrder === ORIGINAL_FIRST || capLen > origLen)) {
      const swapped = capLen;
      capLen = origLen;
      origLen = swapped;
    }
    if (capLen > MAX_FRAME_LENGTH) throw this.tooLong(capLen);
    const after = frame + capLen;
    if (after > this.end) return this.missing(this.headerLength + capLen);
    let sec = view.getUint32(start, littleEndian);
    let fraction = view.getUint32(start + 4, littleEndian);
    if (fraction >= this.fractionsPerSecond) {
      const carried = Math.floor(fraction / this.fractionsPerSecond);
      sec += carried;
      fraction -= carried * this.fractionsPerSecond;
    }
    this.timeSec = sec;
    this.timeNsec = fraction * this.nsecPerFraction;
    this.offset = frame;
    this.capLen = capLen;
    this.origLen = origLen > capLen ? origLen : capLen;
    this.position = after;
    this.records++;
    return NEXT_RECORD;
  }

  /** Little-endian records of 16 bytes and the frame, included length first. */
  get isCommon(): boolean {
    return this.littleEndian && this.headerLength === PCAP_RECORD_HEADER_LENGTH && this.lengthOrder === INCLUDED_FIRST;
  }

  /** For a caller who parses records by itself: the place in the block of the next record and of the end of what was read, and going on
   * behind `bytes` of them, which were `records` whole ones. */
  get nextRecord(): number {
    return this.position;
  }

  get endOfRead(): number {
    return this.end;
  }

  skip(bytes: number, records: number): void {
    this.position += bytes;
    this.records += records;
  }

  override interfaceName(): string {
    return "";
  }

  protected override subjectOfFault(): string {
    return `record ${this.records + 1} at ${this.place}`;
  }

  private tooLong(capLen: number): InputError {
    return this.broken(
      `claims ${capLen} bytes; the file's snapshot length is ${this.snapLen}, and no frame has more than ${MAX_FRAME_LENGTH}`,
      "the file is damaged there; the records before it were read",
    );
  }
}

/** libpcap's sf-pcap.c: the two lengths stood the other way round before 2.3, either way in files that say 2.3. */
function lengthOrderOf(major: number, minor: number): number {
  if (major === 543 || minor < 3) return ORIGINAL_FIRST;
  return minor === 3 ? SMALLER_IS_INCLUDED : INCLUDED_FIRST;
}
