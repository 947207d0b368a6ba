import { LINKTYPE_ETHERNET } from "./link-layer.ts";
import { OutputFile } from "./output-file.ts";
import { PCAP_FILE_HEADER_LENGTH, PCAP_MAGIC_NANOSECONDS, WRITTEN_SNAPLEN } from "./pcap-format.ts";

export interface WriterOptions {
  /** Default false: a file that is there already is a fault. */
  readonly overwrite?: boolean;
}

/** A classic capture file: nanoseconds, little-endian, Ethernet. It takes runs of finished records, each with its 16 bytes
 * of header (see putPcapRecordHeader). Throws SystemFault (an InputError) where the system refuses. */
export class PcapWriter {
  private readonly file: OutputFile;

  constructor(path: string, options: WriterOptions = {}) {
    this.file = new OutputFile(path, options.overwrite ?? false);
    const header = new DataView(new ArrayBuffer(PCAP_FILE_HEADER_LENGTH));
    header.setUint32(0, PCAP_MAGIC_NANOSECONDS, true);
    header.setUint16(4, 2, true);
    header.setUint16(6, 4, true);
    header.setUint32(16, WRITTEN_SNAPLEN, true);
    header.setUint32(20, LINKTYPE_ETHERNET, true);
    this.file.write(new Uint8Array(header.buffer));
  }

  get path(): string {
    return this.file.path;
  }

  /** Bytes of the file so far, header included. */
  get length(): number {
    return this.file.length;
  }

  /** Appends any number of finished records, or parts of them; a view of a SharedArrayBuffer will do. */
  write(bytes: Uint8Array): void {
    this.file.write(bytes);
  }

  close(): void {
    this.file.close();
  }
}

/** The header of one record of such a file, 16 bytes at `at`. `timeSec` is 0 to 2^32 - 1, `timeNsec` below 10^9. */
export function putPcapRecordHeader(
  view: DataView,
  at: number,
  timeSec: number,
  timeNsec: number,
  capLen: number,
  origLen: number,
): void {
  view.setUint32(at, timeSec, true);
  view.setUint32(at + 4, timeNsec, true);
  view.setUint32(at + 8, capLen, true);
  view.setUint32(at + 12, origLen, true);
}
