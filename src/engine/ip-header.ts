// Where the few things lie in IP headers (RFC 791 section 3.1, RFC 8200 sections 3 and 4) that steering looks at.
export interface IpFamily {
  readonly version: 4 | 6;
  readonly etherType: number;
  /** Bytes of the header without options or extension headers. */
  readonly header: number;
  /** Offsets of the addresses. */
  readonly source: number;
  readonly destination: number;
  readonly icmp: number;
}

export const IPV4: IpFamily = { version: 4, etherType: 0x0800, header: 20, source: 12, destination: 16, icmp: 1 };
export const IPV6: IpFamily = { version: 6, etherType: 0x86dd, header: 40, source: 8, destination: 24, icmp: 58 };

const TCP = 6, ICMP_HEADER = 8, TO_TCP_CHECKSUM = 18, ANY_L4 = 8;
const HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION_OPTIONS = 60;
/** More extension headers than Cilium walks end a packet as it is. */
const MOST_EXTENSIONS = 4;

/** The upper-layer header that a packet holds; one object, filled anew by each readUpper. */
export interface Upper {
  protocol: number;
  /** From the start of the IP header; behind `length` where the packet was cut before. */
  offset: number;
  /** The packet is a fragment, and not the first one. */
  isLater: boolean;
  /** The packet is a fragment; then its identification, and the protocol that its datagram is known by (RFC 8200 section 4.5). */
  isFragment: boolean;
  identification: number;
  fragmentProtocol: number;
}

const upper: Upper = { protocol: 0, offset: 0, isLater: false, isFragment: false, identification: 0, fragmentProtocol: 0 };

/** Finds the upper-layer header of the packet at bytes[ip], of which `length` bytes were captured. */
export function readUpper(family: IpFamily, bytes: Uint8Array, ip: number, length: number): Upper {
  if (family.version === 4) {
    upper.protocol = at(bytes, ip + 9);
    upper.offset = (at(bytes, ip) & 0x0f) * 4;
    upper.isLater = (at(bytes, ip + 6) & 0x1f) !== 0 || at(bytes, ip + 7) !== 0;
    upper.isFragment = upper.isLater || (at(bytes, ip + 6) & 0x20) !== 0;
    upper.identification = at(bytes, ip + 4) * 256 + at(bytes, ip + 5);
    upper.fragmentProtocol = upper.protocol;
    return upper;
  }
  upper.protocol = at(bytes, ip + 6);
  upper.offset = family.header;
  upper.isLater = false;
  upper.isFragment = false;
  for (let k = 0; k < MOST_EXTENSIONS && isExtension(upper.protocol); k++) {
    if (upper.offset + 8 > length) {
      upper.offset = length + 1;
      return upper;
    }
    const header = ip + upper.offset, kind = upper.protocol, units = at(bytes, header + 1);
    if (kind === FRAGMENT) readFragment(bytes, header);
    upper.offset += kind === FRAGMENT ? 8 : kind === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
    upper.protocol = at(bytes, header);
  }
  return upper;
}

/** The fragment header at bytes[header]. */
function readFragment(bytes: Uint8Array, header: number): void {
  const offset = at(bytes, header + 2) * 256 + (at(bytes, header + 3) & 0xf8), isMore = (at(bytes, header + 3) & 1) !== 0;
  if (offset !== 0) upper.isLater = true;
  if (offset !== 0 || isMore) upper.isFragment = true;
  upper.identification = at(bytes, header + 4) * 0x1_000000 + at(bytes, header + 5) * 0x1_0000 + at(bytes, header + 6) * 256 + at(bytes, header + 7);
  upper.fragmentProtocol = at(bytes, header);
}

function isExtension(protocol: number): boolean {
  return protocol === HOP_BY_HOP || protocol === ROUTING || protocol === FRAGMENT || protocol === AUTHENTICATION || protocol === DESTINATION_OPTIONS;
}

/** Captured bytes below which a cut packet cannot be judged by its headers: up to the TCP checksum, an ICMP error's
 * quoted ports, eight bytes of anything else. */
export function neededBytes(family: IpFamily, bytes: Uint8Array, ip: number, length: number): number {
  const { protocol, offset } = readUpper(family, bytes, ip, length);
  return offset + (protocol === TCP ? TO_TCP_CHECKSUM : protocol === family.icmp ? ICMP_HEADER + family.header + ANY_L4 : ANY_L4);
}

/** Offset in `bytes` of the IP header that the ICMP error at bytes[ip] quotes, -1 where it is none. */
export function quotedHeader(family: IpFamily, bytes: Uint8Array, ip: number, length: number): number {
  if (family.version === 4 && at(bytes, ip + 9) !== family.icmp) return -1;
  const { protocol, offset, isLater } = readUpper(family, bytes, ip, length);
  if (protocol !== family.icmp || isLater || length < offset + ICMP_HEADER + family.header) return -1;
  const type = at(bytes, ip + offset);
  const isError = family.version === 4 ? type === 3 || type === 11 || type === 12 : type >= 1 && type <= 4;
  return isError ? ip + offset + ICMP_HEADER : -1;
}

function at(bytes: Uint8Array, offset: number): number {
  return bytes[offset] as number;
}
