// The pcapng file format: draft-ietf-opsawg-pcapng, sections 3 and 4.

export const SECTION_HEADER_BLOCK = 0x0a0d0d0a;
export const INTERFACE_DESCRIPTION_BLOCK = 1;
/** Obsolete (appendix A), written by tools before 2009. */
export const PACKET_BLOCK = 2;
export const SIMPLE_PACKET_BLOCK = 3;
export const ENHANCED_PACKET_BLOCK = 6;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type, total length, and total length again at the end. */
export const BLOCK_FRAMING_LENGTH = 12;
export const SECTION_HEADER_LENGTH = 28;
export const INTERFACE_DESCRIPTION_LENGTH = 20;
export const PACKET_BLOCK_LENGTH = 32;
export const SIMPLE_PACKET_LENGTH = 16;
export const ENHANCED_PACKET_LENGTH = 32;

export const OPT_END = 0;
export const OPT_COMMENT = 1;
export const SHB_USERAPPL = 4;
export const IF_NAME = 2;
export const IF_TSRESOL = 9;
export const IF_TSOFFSET = 14;

export const MICROSECOND_RESOLUTION = 6;
export const NANOSECOND_RESOLUTION = 9;

/** Bytes that fill a field of `length` bytes up to a 32-bit boundary. */
export function paddingOf(length: number): number {
  return -length & 3;
}
