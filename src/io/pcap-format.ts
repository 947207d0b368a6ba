// The classic capture file format: draft-ietf-opsawg-pcap and libpcap's sf-pcap.c.

export const PCAP_MAGIC_MICROSECONDS = 0xa1b2c3d4;
export const PCAP_MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Alexey Kuznetsov's tcpdump: records with eight bytes more (interface, protocol, packet type), microseconds. */
export const PCAP_MAGIC_KUZNETSOV = 0xa1b2cd34;

export const PCAP_FILE_HEADER_LENGTH = 24;
export const PCAP_RECORD_HEADER_LENGTH = 16;
export const PCAP_KUZNETSOV_RECORD_HEADER_LENGTH = 24;

/** Snapshot length of the files that we write: no frame that a reader accepts is longer. */
export const WRITTEN_SNAPLEN = 262144;

export interface PcapMagic {
  readonly littleEndian: boolean;
  readonly nanoseconds: boolean;
  readonly recordHeaderLength: number;
}

/** What the first four bytes of a file, read as a big-endian number, say; null where it is no classic capture. */
export function readPcapMagic(magic: number): PcapMagic | null {
  for (const littleEndian of [true, false]) {
    const value = littleEndian ? swap32(magic) : magic;
    if (value === PCAP_MAGIC_MICROSECONDS || value === PCAP_MAGIC_NANOSECONDS) {
      const nanoseconds = value === PCAP_MAGIC_NANOSECONDS;
      return { littleEndian, nanoseconds, recordHeaderLength: PCAP_RECORD_HEADER_LENGTH };
    }
    if (value === PCAP_MAGIC_KUZNETSOV) {
      return { littleEndian, nanoseconds: false, recordHeaderLength: PCAP_KUZNETSOV_RECORD_HEADER_LENGTH };
    }
  }
  return null;
}

function swap32(value: number): number {
  return ((value >>> 24) | ((value >>> 8) & 0xff00) | ((value << 8) & 0xff0000) | (value << 24)) >>> 0;
}
