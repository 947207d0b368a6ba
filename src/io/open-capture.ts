import type { Readable } from "node:stream";
import { InputError } from "../cluster/input-error.ts";
import { DEFAULT_BLOCK_SIZE } from "./block-reader.ts";
import { type ByteSource, FileSource, StreamSource } from "./byte-source.ts";
import type { CaptureReader } from "./capture-record.ts";
import { GunzipSource } from "./gunzip-source.ts";
import { PCAP_FILE_HEADER_LENGTH, readPcapMagic } from "./pcap-format.ts";
import { PcapReader } from "./pcap-reader.ts";
import { SECTION_HEADER_BLOCK, SECTION_HEADER_LENGTH } from "./pcapng-format.ts";
import { PcapngReader } from "./pcapng-reader.ts";
import { systemFault } from "./system-fault.ts";

export const STANDARD_INPUT = "-";
const SMALLEST_BLOCK = 64;

export interface OpenCaptureOptions {
  /** Bytes read at once, at least 64 (default 512 KiB); the block grows where one record needs more. */
  readonly blockSize?: number;
  /** What `-` reads (default: the process' standard input). */
  readonly standardInput?: Readable & { readonly isTTY?: boolean };
}

/** Opens a capture: classic pcap or pcapng, gzip-compressed or not, by its first bytes, never by its name. Rejects with
 * InputError where there is no such file, or it is empty or no capture. */
export async function openCapture(path: string, options: OpenCaptureOptions = {}): Promise<CaptureReader> {
  const name = path === STANDARD_INPUT ? "standard input" : path;
  const source = await openSource(path, name, options);
  try {
    return await recognize(name, source, options.blockSize ?? DEFAULT_BLOCK_SIZE);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openSource(path: string, name: string, options: OpenCaptureOptions): Promise<ByteSource> {
  if (path !== STANDARD_INPUT) return FileSource.open(path);
  const stream = options.standardInput ?? process.stdin;
  if (stream.isTTY === true) {
    throw noCapture(name, "is a terminal, not a capture", "pipe one into it: tcpdump -U -w - | egwsim replay -");
  }
  return new StreamSource(stream, (error) => systemFault(name, "reading it", error));
}

async function recognize(name: string, source: ByteSource, blockSize: number): Promise<CaptureReader> {
  let block = new Uint8Array(Math.max(blockSize, SMALLEST_BLOCK));
  let end = await readUpTo(PCAP_FILE_HEADER_LENGTH, source, block, 0);
  const compressed = end >= 2 && block[0] === 0x1f && block[1] === 0x8b;
  if (compressed) {
    source = new GunzipSource(name, source, block.slice(0, end));
    block = new Uint8Array(block.length);
    end = await readUpTo(PCAP_FILE_HEADER_LENGTH, source, block, 0);
  }
  if (end === 0) throw noCapture(name, compressed ? "is empty once unpacked" : "is empty", "give a pcap or pcapng capture");
  const magic = end < 4 ? 0 : new DataView(block.buffer).getUint32(0);
  if (magic === SECTION_HEADER_BLOCK) {
    end = await readUpTo(SECTION_HEADER_LENGTH, source, block, end);
    return new PcapngReader({ name, compressed, source, block, end });
  }
  const classic = readPcapMagic(magic);
  if (classic !== null) return new PcapReader({ name, compressed, source, block, end }, classic);
  throw notRecognized(name, block.subarray(0, end));
}

/** Reads until block[0] to block[least - 1] are there, or the input ends; resolves to the end of what is there. */
async function readUpTo(least: number, source: ByteSource, block: Uint8Array, from: number): Promise<number> {
  let end = from;
  while (end < least) {
    const count = await source.read(block, end);
    if (count === 0) break;
    end += count;
  }
  return end;
}

interface Foreign {
  readonly magic: string;
  readonly what: string;
  readonly cure: string;
}

const FOREIGN: readonly Foreign[] = [
  { magic: "28b52ffd", what: "is compressed with zstd", cure: "unpack it: zstd -dc FILE | egwsim replay -" },
  { magic: "fd377a58", what: "is compressed with xz", cure: "unpack it: xz -dc FILE | egwsim replay -" },
  { magic: "04224d18", what: "is compressed with lz4", cure: "unpack it: lz4 -dc FILE | egwsim replay -" },
  { magic: "425a68", what: "is compressed with bzip2", cure: "unpack it: bzip2 -dc FILE | egwsim replay -" },
  { magic: "504b0304", what: "is a zip archive", cure: "unpack it: unzip -p FILE | egwsim replay -" },
  { magic: "736e6f6f70", what: "is a snoop capture", cure: "convert it: editcap -F pcapng FILE OUT" },
];

function notRecognized(name: string, head: Uint8Array): InputError {
  const hex = Buffer.from(head).toString("hex");
  const foreign = FOREIGN.find(({ magic }) => hex.startsWith(magic));
  if (foreign !== undefined) return noCapture(name, foreign.what, foreign.cure);
  return noCapture(
    name,
    `is no pcap or pcapng capture: ${describeBytes(head.subarray(0, 4))} at offset 0`,
    "another capture format can be converted: editcap -F pcapng FILE OUT",
  );
}

function describeBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1");
  const hex = Buffer.from(bytes).toString("hex");
  return /^[ -~]+$/.test(text) ? `the bytes ${hex} (${JSON.stringify(text)})` : `the bytes ${hex}`;
}

function noCapture(subject: string, message: string, cure: string): InputError {
  return new InputError([{ at: null, subject, message, cure }]);
}
