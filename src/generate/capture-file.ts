import { open, type FileHandle } from "node:fs/promises";

const FILE_HEADER_LEN = 24;
export const RECORD_HEADER_LEN = 16;
/** Magic number of a classic capture with nanoseconds (draft-ietf-opsawg-pcap, section 4). */
const NANOSECOND_MAGIC = 0xa1b23c4d;
const LINKTYPE_ETHERNET = 1;
const SNAPLEN = 262_144;
const BLOCK_LEN = 1 << 20;

/** A classic nanosecond capture in little-endian byte order, written in blocks: memory does not grow with the file.
 * Write a frame at `block[frameAt]`, then `commit` it; await `flush` where there is no room. */
export class CaptureFile {
  readonly block = new Uint8Array(BLOCK_LEN);
  private readonly view = new DataView(this.block.buffer);
  private readonly file: FileHandle;
  private used = 0;
  private written = 0;

  private constructor(file: FileHandle) {
    this.file = file;
  }

  static async create(path: string): Promise<CaptureFile> {
    const capture = new CaptureFile(await open(path, "w"));
    const { view } = capture;
    view.setUint32(0, NANOSECOND_MAGIC, true);
    view.setUint16(4, 2, true);
    view.setUint16(6, 4, true);
    view.setUint32(16, SNAPLEN, true);
    view.setUint32(20, LINKTYPE_ETHERNET, true);
    capture.used = FILE_HEADER_LEN;
    return capture;
  }

  /** Bytes of the file so far. */
  get bytes(): number {
    return this.written + this.used;
  }

  get frameAt(): number {
    return this.used + RECORD_HEADER_LEN;
  }

  hasRoom(frameLen: number): boolean {
    return this.used + RECORD_HEADER_LEN + frameLen <= BLOCK_LEN;
  }

  /** Seconds since 1970 and nanoseconds. */
  commit(frameLen: number, seconds: number, nanoseconds: number): void {
    this.view.setUint32(this.used, seconds, true);
    this.view.setUint32(this.used + 4, nanoseconds, true);
    this.view.setUint32(this.used + 8, frameLen, true);
    this.view.setUint32(this.used + 12, frameLen, true);
    this.used += RECORD_HEADER_LEN + frameLen;
  }

  async flush(): Promise<void> {
    let at = 0;
    while (at < this.used) at += (await this.file.write(this.block, at, this.used - at)).bytesWritten;
    this.written += this.used;
    this.used = 0;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}
