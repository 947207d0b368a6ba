// Builds capture files byte by byte, independently of the writers under test.

export interface SampleRecord {
  readonly sec: number;
  readonly nsec: number;
  readonly frame: Uint8Array;
  readonly origLen?: number;
  readonly interfaceId?: number;
}

export interface ClassicShape {
  readonly littleEndian: boolean;
  readonly nanoseconds: boolean;
}

export const CLASSIC_SHAPES: readonly ClassicShape[] = [
  { littleEndian: true, nanoseconds: false },
  { littleEndian: false, nanoseconds: false },
  { littleEndian: true, nanoseconds: true },
  { littleEndian: false, nanoseconds: true },
];

/** A frame whose every byte depends on its place and on `seed`, so that a shifted read shows. */
export function sampleFrame(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + seed * 31 + 1) & 0xff);
}

export interface ClassicHeader {
  readonly magic?: number;
  readonly major?: number;
  readonly minor?: number;
  readonly snapLen?: number;
  readonly network?: number;
}

export function classicHeader(shape: ClassicShape, header: ClassicHeader = {}): Uint8Array {
  const view = new DataView(new ArrayBuffer(24));
  const le = shape.littleEndian;
  view.setUint32(0, header.magic ?? (shape.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4), le);
  view.setUint16(4, header.major ?? 2, le);
  view.setUint16(6, header.minor ?? 4, le);
  view.setUint32(16, header.snapLen ?? 65535, le);
  view.setUint32(20, header.network ?? 1, le);
  return new Uint8Array(view.buffer);
}

export function classicRecord(shape: ClassicShape, record: SampleRecord): Uint8Array {
  const fraction = shape.nanoseconds ? record.nsec : Math.floor(record.nsec / 1000);
  return rawRecord(shape, record.sec, fraction, record.frame.length, record.origLen ?? record.frame.length, record.frame);
}

/** A record that may lie in every field. */
export function rawRecord(
  shape: ClassicShape,
  sec: number,
  fraction: number,
  third: number,
  fourth: number,
  frame: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(16 + frame.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, sec, shape.littleEndian);
  view.setUint32(4, fraction, shape.littleEndian);
  view.setUint32(8, third, shape.littleEndian);
  view.setUint32(12, fourth, shape.littleEndian);
  bytes.set(frame, 16);
  return bytes;
}

export function classicFile(shape: ClassicShape, records: readonly SampleRecord[], header: ClassicHeader = {}): Uint8Array {
  return join([classicHeader(shape, header), ...records.map((record) => classicRecord(shape, record))]);
}

export type Option = readonly [code: number, value: Uint8Array];

/** Blocks of one byte order; each method returns a whole block. */
export class PcapngBlocks {
  private readonly littleEndian: boolean;

  constructor(littleEndian: boolean) {
    this.littleEndian = littleEndian;
  }

  block(type: number, body: Uint8Array, claimed = 12 + body.length, claimedAgain = claimed): Uint8Array {
    return join([this.u32(type), this.u32(claimed), body, this.u32(claimedAgain)]);
  }

  section(options: readonly Option[] = [], version: readonly [number, number] = [1, 0]): Uint8Array {
    const body = [this.u32(0x1a2b3c4d), this.u16(version[0]), this.u16(version[1]), new Uint8Array(8).fill(0xff)];
    return this.block(0x0a0d0d0a, join([...body, this.options(options)]));
  }

  interface(options: readonly Option[] = [], linkType = 1, snapLen = 0): Uint8Array {
    return this.block(1, join([this.u16(linkType), this.u16(0), this.u32(snapLen), this.options(options)]));
  }

  enhanced(id: number, time: bigint, frame: Uint8Array, origLen = frame.length, options: readonly Option[] = []): Uint8Array {
    const head = [this.u32(id), this.time(time), this.u32(frame.length), this.u32(origLen)];
    return this.block(6, join([...head, padded(frame), this.options(options)]));
  }

  simple(origLen: number, frame: Uint8Array): Uint8Array {
    return this.block(3, join([this.u32(origLen), padded(frame)]));
  }

  obsolete(id: number, time: bigint, frame: Uint8Array, origLen = frame.length): Uint8Array {
    const head = [this.u16(id), this.u16(5), this.time(time), this.u32(frame.length), this.u32(origLen)];
    return this.block(2, join([...head, padded(frame)]));
  }

  u32(value: number): Uint8Array {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, value, this.littleEndian);
    return new Uint8Array(view.buffer);
  }

  i64(value: bigint): Uint8Array {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigInt64(0, value, this.littleEndian);
    return new Uint8Array(view.buffer);
  }

  u16(value: number): Uint8Array {
    const view = new DataView(new ArrayBuffer(2));
    view.setUint16(0, value, this.littleEndian);
    return new Uint8Array(view.buffer);
  }

  private time(time: bigint): Uint8Array {
    return join([this.u32(Number(time >> 32n)), this.u32(Number(time & 0xffffffffn))]);
  }

  private options(options: readonly Option[]): Uint8Array {
    if (options.length === 0) return new Uint8Array(0);
    const parts = options.map(([code, value]) => join([this.u16(code), this.u16(value.length), padded(value)]));
    return join([...parts, this.u32(0)]);
  }
}

export function padded(bytes: Uint8Array): Uint8Array {
  return join([bytes, new Uint8Array((4 - (bytes.length % 4)) % 4)]);
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
