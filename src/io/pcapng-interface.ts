import { IF_NAME, IF_TSOFFSET, IF_TSRESOL, MICROSECOND_RESOLUTION, OPT_END, paddingOf } from "./pcapng-format.ts";
import { TimestampScale } from "./timestamp-scale.ts";

/** A longer name is cut, so that a hostile file cannot fill the memory with names. Linux' own have 15 bytes at most. */
const MAX_NAME_LENGTH = 256;
const OPTIONS_AT = 16;
const OPTION_HEADER_LENGTH = 4;

export interface PcapngInterface {
  readonly linkType: number;
  /** 0 for no limit. */
  readonly snapLen: number;
  /** Control characters replaced by U+FFFD; "" where the file gives none. */
  readonly name: string;
  readonly scale: TimestampScale;
}

/** Parses the Interface Description Block (section 4.2) of `length` bytes, framing included, at `start`. Throws RangeError,
 * whose message goes on after "block at offset N", where it breaks the format. */
export function parseInterface(view: DataView, start: number, length: number, littleEndian: boolean): PcapngInterface {
  const end = start + length - 4;
  let name = "";
  let resolution = MICROSECOND_RESOLUTION;
  let offsetSeconds = 0n;
  let at = start + OPTIONS_AT;
  while (at + OPTION_HEADER_LENGTH <= end) {
    const code = view.getUint16(at, littleEndian);
    const size = view.getUint16(at + 2, littleEndian);
    const value = at + OPTION_HEADER_LENGTH;
    if (code === OPT_END) break;
    if (value + size > end) {
      throw new RangeError(`has an option ${code} of ${size} bytes, ${end - value} are left in the block`);
    }
    if (code === IF_NAME) {
      name = readableName(new Uint8Array(view.buffer, view.byteOffset + value, Math.min(size, MAX_NAME_LENGTH)));
    } else if (code === IF_TSRESOL) {
      expectSize("if_tsresol", size, 1);
      resolution = view.getUint8(value);
    } else if (code === IF_TSOFFSET) {
      expectSize("if_tsoffset", size, 8);
      offsetSeconds = view.getBigInt64(value, littleEndian);
    }
    at = value + size + paddingOf(size);
  }
  return {
    linkType: view.getUint16(start + 8, littleEndian),
    snapLen: view.getUint32(start + 12, littleEndian),
    name,
    scale: scaleOf(resolution, offsetSeconds),
  };
}

function expectSize(option: string, size: number, expected: number): void {
  if (size !== expected) throw new RangeError(`has an ${option} option of ${size} bytes, expected ${expected}`);
}

function scaleOf(resolution: number, offsetSeconds: bigint): TimestampScale {
  try {
    return new TimestampScale(resolution, offsetSeconds);
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`has a time resolution of ${error.message}, too fine to read`);
    throw error;
  }
}

function readableName(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  const end = text.indexOf("\0");
  return (end < 0 ? text : text.slice(0, end)).replace(/\p{Cc}/gu, "\u{fffd}");
}
