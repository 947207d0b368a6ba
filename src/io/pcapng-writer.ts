import { LINKTYPE_ETHERNET } from "./link-layer.ts";
import { OutputFile } from "./output-file.ts";
import { WRITTEN_SNAPLEN } from "./pcap-format.ts";
import type { WriterOptions } from "./pcap-writer.ts";
import {
  BLOCK_FRAMING_LENGTH,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET_BLOCK,
  IF_NAME,
  IF_TSRESOL,
  INTERFACE_DESCRIPTION_BLOCK,
  NANOSECOND_RESOLUTION,
  OPT_COMMENT,
  OPT_END,
  paddingOf,
  SECTION_HEADER_BLOCK,
  SHB_USERAPPL,
} from "./pcapng-format.ts";

const OPTION_HEADER_LENGTH = 4;
const MAX_OPTION_LENGTH = 65535;
const FRAME_AT = 28;

/** A pcapng file of one section (draft-ietf-opsawg-pcapng), little-endian: a named Ethernet interface for every name given,
 * all with nanoseconds and the same snapshot length, so that tools which want one link type open it too. Throws
 * SystemFault (an InputError) where the system refuses. */
export class PcapngWriter {
  private readonly file: OutputFile;
  private readonly interfaceCount: number;
  private view: DataView;
  private viewed: Uint8Array;
  private lastText = "";
  private lastTextBytes: Uint8Array = new Uint8Array(0);

  /** `application`: the program's name and version, for the section header. */
  constructor(path: string, interfaceNames: readonly string[], application: string, options: WriterOptions = {}) {
    this.file = new OutputFile(path, options.overwrite ?? false);
    this.interfaceCount = interfaceNames.length;
    this.viewed = this.file.buffer;
    this.view = viewOf(this.viewed);
    this.file.write(sectionHeader(application));
    for (const name of interfaceNames) this.file.write(interfaceDescription(name));
  }

  get path(): string {
    return this.file.path;
  }

  /** Bytes of the file so far. */
  get length(): number {
    return this.file.length;
  }

  /** Appends one packet: block[offset] to block[offset + capLen - 1], of `origLen` bytes on the wire, with a comment in
   * UTF-8 ("" or no bytes for none; cut at 65,535 bytes). `interfaceId` counts from 0 in the order of the names; `timeSec`
   * is 0 to 2^34, `timeNsec` below 10^9. */
  writePacket(
    interfaceId: number,
    timeSec: number,
    timeNsec: number,
    block: Uint8Array,
    offset: number,
    capLen: number,
    origLen: number,
    comment: string | Uint8Array,
  ): void {
    if (interfaceId >= this.interfaceCount) throw new RangeError(`interface ${interfaceId} of ${this.interfaceCount}`);
    const text = typeof comment === "string" ? this.encode(comment) : optionValue(comment);
    const textLength = text.length;
    const optionsAt = FRAME_AT + capLen + paddingOf(capLen);
    const optionsLength = textLength === 0 ? 0 : 2 * OPTION_HEADER_LENGTH + textLength + paddingOf(textLength);
    const length = optionsAt + optionsLength + 4;

    const start = this.file.reserve(length);
    const buffer = this.file.buffer;
    if (buffer !== this.viewed) {
      this.viewed = buffer;
      this.view = viewOf(buffer);
    }
    const view = this.view;
    view.setUint32(start, ENHANCED_PACKET_BLOCK, true);
    view.setUint32(start + 4, length, true);
    view.setUint32(start + 8, interfaceId, true);
    putNanoseconds(view, start + 12, timeSec, timeNsec);
    view.setUint32(start + 20, capLen, true);
    view.setUint32(start + 24, origLen, true);
    buffer.set(block.subarray(offset, offset + capLen), start + FRAME_AT);
    for (let at = start + FRAME_AT + capLen; at < start + optionsAt; at++) buffer[at] = 0;
    if (textLength > 0) {
      putOption(view, buffer, start + optionsAt, OPT_COMMENT, text);
      view.setUint32(start + length - 8, OPT_END, true);
    }
    view.setUint32(start + length - 4, length, true);
    this.file.commit(length);
  }

  close(): void {
    this.file.close();
  }

  /** Comments repeat: the same hook and verdict for many packets. */
  private encode(comment: string): Uint8Array {
    if (comment !== this.lastText) {
      this.lastText = comment;
      this.lastTextBytes = optionValue(new TextEncoder().encode(comment));
    }
    return this.lastTextBytes;
  }
}

/** sec · 10^9 + nsec as the two halves of a 64-bit number, high one first (section 4.3), without leaving the doubles' 53
 * bits: the seconds are multiplied in two parts of 16 bits. */
function putNanoseconds(view: DataView, at: number, sec: number, nsec: number): void {
  const secHigh = Math.floor(sec / 65536);
  const upper = secHigh * 1_000_000_000;
  const lower = (sec - secHigh * 65536) * 1_000_000_000 + nsec + (upper % 65536) * 65536;
  view.setUint32(at, Math.floor(upper / 65536) + Math.floor(lower / 4294967296), true);
  view.setUint32(at + 4, lower % 4294967296, true);
}

function sectionHeader(application: string): Uint8Array {
  const body = new DataView(new ArrayBuffer(16));
  body.setUint32(0, BYTE_ORDER_MAGIC, true);
  body.setUint16(4, 1, true);
  body.setUint16(6, 0, true);
  body.setBigInt64(8, -1n, true);
  return blockOf(SECTION_HEADER_BLOCK, body, [[SHB_USERAPPL, optionValue(new TextEncoder().encode(application))]]);
}

function interfaceDescription(name: string): Uint8Array {
  const body = new DataView(new ArrayBuffer(8));
  body.setUint16(0, LINKTYPE_ETHERNET, true);
  body.setUint32(4, WRITTEN_SNAPLEN, true);
  return blockOf(INTERFACE_DESCRIPTION_BLOCK, body, [
    [IF_NAME, optionValue(new TextEncoder().encode(name))],
    [IF_TSRESOL, Uint8Array.of(NANOSECOND_RESOLUTION)],
  ]);
}

function blockOf(type: number, body: DataView, options: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  let length = BLOCK_FRAMING_LENGTH + body.byteLength + OPTION_HEADER_LENGTH;
  for (const [, value] of options) length += OPTION_HEADER_LENGTH + value.length + paddingOf(value.length);
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  bytes.set(new Uint8Array(body.buffer), 8);
  let at = 8 + body.byteLength;
  for (const [code, value] of options) at = putOption(view, bytes, at, code, value);
  view.setUint32(at, OPT_END, true);
  view.setUint32(length - 4, length, true);
  return bytes;
}

/** Returns where the next option begins. */
function putOption(view: DataView, bytes: Uint8Array, at: number, code: number, value: Uint8Array): number {
  view.setUint16(at, code, true);
  view.setUint16(at + 2, value.length, true);
  bytes.set(value, at + OPTION_HEADER_LENGTH);
  const end = at + OPTION_HEADER_LENGTH + value.length;
  const next = end + paddingOf(value.length);
  for (let padding = end; padding < next; padding++) bytes[padding] = 0;
  return next;
}

/** UTF-8 text as far as an option holds it, without half a character at the end. */
function optionValue(text: Uint8Array): Uint8Array {
  if (text.length <= MAX_OPTION_LENGTH) return text;
  let end = MAX_OPTION_LENGTH;
  while (end > 0 && ((text[end] ?? 0) & 0xc0) === 0x80) end--;
  return text.subarray(0, end);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
