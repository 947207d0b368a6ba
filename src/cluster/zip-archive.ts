// Reads zip archives (PKWARE APPNOTE 6.3.10; section numbers below are its own) without loading them whole. Nothing is ever
// written to disk, so names inside lead nowhere.
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { inflateRaw } from "node:zlib";

const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
/** 4.3.16: the end record has 22 bytes and a comment of up to 65,535. */
const LONGEST_END = 22 + 0xffff;
const LARGEST_DIRECTORY = 64 * 1024 * 1024;
const MOST_ENTRIES = 200_000;
const STORED = 0;
const DEFLATED = 8;

export interface ZipEntry {
  /** With / between folders, as the archive has it. */
  readonly name: string;
  /** Bytes after unpacking, as the directory says; reading checks it. */
  readonly size: number;
  readonly packedSize: number;
  readonly method: number;
  readonly crc: number;
  /** Of the local header. */
  readonly offset: number;
}

/** What is wrong with the archive; its reader turns this into a problem with the file's name. */
export class ZipFault extends Error {
  override readonly name = "ZipFault";
}

export class ZipArchive {
  readonly entries: readonly ZipEntry[];
  readonly #file: FileHandle;

  private constructor(file: FileHandle, entries: readonly ZipEntry[]) {
    this.#file = file;
    this.entries = entries;
  }

  /** Throws ZipFault for what is no zip archive or a broken one, system errors as they are. */
  static async open(path: string): Promise<ZipArchive> {
    const file = await open(path);
    try {
      return new ZipArchive(file, await readDirectory(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Throws ZipFault where the entry is broken, encrypted or larger than it says. */
  async read(entry: ZipEntry): Promise<Buffer> {
    const header = await readAt(this.#file, entry.offset, 30);
    if (header.readUInt32LE(0) !== LOCAL_SIGNATURE) throw new ZipFault(`${entry.name}: no local header where the directory says (4.3.7)`);
    if ((header.readUInt16LE(6) & 1) !== 0) throw new ZipFault(`${entry.name} is encrypted`);
    const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    const packed = await readAt(this.#file, start, entry.packedSize);
    const bytes = await unpack(entry, packed);
    if (bytes.length !== entry.size || crc32(bytes) !== entry.crc) throw new ZipFault(`${entry.name} is damaged: its checksum does not fit`);
    return bytes;
  }
}

async function unpack(entry: ZipEntry, packed: Buffer): Promise<Buffer> {
  if (entry.method === STORED) return packed;
  if (entry.method !== DEFLATED) throw new ZipFault(`${entry.name} is packed with method ${entry.method}; only stored and deflated entries are read`);
  try {
    return await promisify(inflateRaw)(packed, { maxOutputLength: Math.max(1, entry.size) });
  } catch (error) {
    throw new ZipFault(`${entry.name} is damaged: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Directory {
  readonly entries: number;
  readonly size: number;
  readonly offset: number;
}

async function readDirectory(file: FileHandle): Promise<readonly ZipEntry[]> {
  const directory = await findDirectory(file);
  if (directory.size > LARGEST_DIRECTORY || directory.entries > MOST_ENTRIES) throw new ZipFault(`its directory lists ${directory.entries} entries, which is too many`);
  const bytes = await readAt(file, directory.offset, directory.size);
  const entries: ZipEntry[] = [];
  let at = 0;
  while (entries.length < directory.entries) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== CENTRAL_SIGNATURE) throw new ZipFault("its directory is broken (4.3.12)");
    const [nameLength, extraLength, commentLength] = [bytes.readUInt16LE(at + 28), bytes.readUInt16LE(at + 30), bytes.readUInt16LE(at + 32)];
    const end = at + 46 + nameLength + extraLength + commentLength;
    if (end > bytes.length) throw new ZipFault("its directory is broken (4.3.12)");
    const sizes = wideSizes(bytes, at, bytes.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength));
    entries.push({
      name: bytes.toString("utf8", at + 46, at + 46 + nameLength),
      method: bytes.readUInt16LE(at + 10),
      crc: bytes.readUInt32LE(at + 16),
      ...sizes,
    });
    at = end;
  }
  return entries;
}

async function findDirectory(file: FileHandle): Promise<Directory> {
  const { size } = await file.stat();
  const length = Math.min(size, LONGEST_END);
  const tail = await readAt(file, size - length, length);
  for (let at = tail.length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    const plain: Directory = { entries: tail.readUInt16LE(at + 10), size: tail.readUInt32LE(at + 12), offset: tail.readUInt32LE(at + 16) };
    const isWide = plain.entries === 0xffff || plain.size === 0xffffffff || plain.offset === 0xffffffff;
    return isWide && at >= 20 && tail.readUInt32LE(at - 20) === LOCATOR64_SIGNATURE ? wideDirectory(file, safe(tail.readBigUInt64LE(at - 12))) : plain;
  }
  throw new ZipFault("it is no zip archive, or one that was cut off (no end record, 4.3.16)");
}

/** 4.3.14: the directory of an archive above 4 GiB or 65,534 entries. */
async function wideDirectory(file: FileHandle, offset: number): Promise<Directory> {
  const record = await readAt(file, offset, 56);
  if (record.readUInt32LE(0) !== END64_SIGNATURE) throw new ZipFault("its zip64 end record is missing (4.3.14)");
  return { entries: safe(record.readBigUInt64LE(32)), size: safe(record.readBigUInt64LE(40)), offset: safe(record.readBigUInt64LE(48)) };
}

/** 4.5.3: fields that do not fit into 32 bits stand in the extra field, in this order and only those. */
function wideSizes(bytes: Buffer, at: number, extra: Buffer): Pick<ZipEntry, "size" | "packedSize" | "offset"> {
  let wide = Buffer.alloc(0);
  for (let field = 0; field + 4 <= extra.length; field += 4 + extra.readUInt16LE(field + 2)) {
    if (extra.readUInt16LE(field) === 1) wide = Buffer.from(extra.subarray(field + 4, field + 4 + extra.readUInt16LE(field + 2)));
  }
  let taken = 0;
  const value = (narrow: number): number => {
    if (narrow !== 0xffffffff) return narrow;
    if (taken + 8 > wide.length) throw new ZipFault("its directory is broken (4.5.3)");
    taken += 8;
    return safe(wide.readBigUInt64LE(taken - 8));
  };
  const size = value(bytes.readUInt32LE(at + 24));
  const packedSize = value(bytes.readUInt32LE(at + 20));
  return { size, packedSize, offset: value(bytes.readUInt32LE(at + 42)) };
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ZipFault("its directory is broken: a size is beyond all bounds");
  return Number(value);
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { size } = await file.stat();
  if (offset < 0 || offset + length > size) throw new ZipFault("it was cut off, or its directory is broken: an entry lies beyond the end");
  const bytes = Buffer.alloc(length);
  let taken = 0;
  while (taken < length) {
    const { bytesRead } = await file.read(bytes, taken, length - taken, offset + taken);
    if (bytesRead === 0) throw new ZipFault("it was cut off while being read");
    taken += bytesRead;
  }
  return bytes;
}

/** The reversed polynomial of 4.4.7. node:zlib has crc32 from 20.15 and 22.2 on only. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0xedb88320;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}
