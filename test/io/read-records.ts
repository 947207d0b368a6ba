import { Readable } from "node:stream";
import { InputError } from "../../src/cluster/input-error.ts";
import { type CaptureReader, type CaptureRecord, NEXT_END, NEXT_FILL } from "../../src/io/capture-record.ts";
import { openCapture } from "../../src/io/open-capture.ts";

/** A record copied out of the reader's block. */
export interface ReadRecord {
  readonly sec: number;
  readonly nsec: number;
  readonly frame: Uint8Array;
  readonly origLen: number;
  readonly linkType: number;
  readonly interfaceId: number;
  readonly interfaceName: string;
}

export interface ReadOutcome {
  readonly records: readonly ReadRecord[];
  /** The message of the InputError that ended it, or null; any other error is thrown. */
  readonly fault: string | null;
}

export interface Loop extends CaptureRecord {
  next(): number;
  fill(): Promise<void>;
  interfaceName(interfaceId: number): string;
}

/** Runs a reader as the engine does, to its end or to an InputError. */
export async function drain(reader: Loop, each: (record: ReadRecord) => void = () => {}): Promise<ReadOutcome> {
  const records: ReadRecord[] = [];
  try {
    for (;;) {
      const status = reader.next();
      if (status === NEXT_END) return { records, fault: null };
      if (status === NEXT_FILL) await reader.fill();
      else {
        const record = copyRecord(reader);
        each(record);
        records.push(record);
      }
    }
  } catch (error) {
    return { records, fault: faultOf(error) };
  }
}

export async function readFile(path: string, blockSize?: number): Promise<ReadOutcome> {
  return drainAndClose(() => openCapture(path, blockSize === undefined ? {} : { blockSize }));
}

/** Reads a capture out of memory, through the way that standard input takes; in pieces of `pieceSize` bytes. */
export async function readBytes(bytes: Uint8Array, blockSize = 64, pieceSize = bytes.length): Promise<ReadOutcome> {
  return drainAndClose(() => openBytes(bytes, blockSize, pieceSize));
}

export function openBytes(bytes: Uint8Array, blockSize = 64, pieceSize = bytes.length): Promise<CaptureReader> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceSize) pieces.push(bytes.slice(at, at + pieceSize));
  return openCapture("-", { blockSize, standardInput: Readable.from(pieces) });
}

async function drainAndClose(open: () => Promise<CaptureReader>): Promise<ReadOutcome> {
  let reader: CaptureReader;
  try {
    reader = await open();
  } catch (error) {
    return { records: [], fault: faultOf(error) };
  }
  try {
    return await drain(reader);
  } finally {
    await reader.close();
  }
}

export function faultOf(error: unknown): string {
  if (error instanceof InputError) return error.message;
  throw error;
}

export function copyRecord(reader: Loop): ReadRecord {
  const { block, offset, capLen } = reader;
  if (offset < 0 || offset + capLen > block.length) throw new Error(`record ${offset}+${capLen} is outside the block`);
  return {
    sec: reader.timeSec,
    nsec: reader.timeNsec,
    frame: block.slice(offset, offset + capLen),
    origLen: reader.origLen,
    linkType: reader.linkType,
    interfaceId: reader.interfaceId,
    interfaceName: reader.interfaceName(reader.interfaceId),
  };
}
