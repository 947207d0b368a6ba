// LINKTYPE_ numbers: the registry at tcpdump.org/linktypes.html.

export const LINKTYPE_NULL = 0;
export const LINKTYPE_ETHERNET = 1;
/** DLT_RAW as some systems wrote it into files: 12 on most, 14 on OpenBSD. */
const DLT_RAW = 12;
const DLT_RAW_OPENBSD = 14;
export const LINKTYPE_RAW = 101;
export const LINKTYPE_LOOP = 108;
export const LINKTYPE_LINUX_SLL = 113;
export const LINKTYPE_IPV4 = 228;
export const LINKTYPE_IPV6 = 229;
export const LINKTYPE_LINUX_SLL2 = 276;

export const LINK_OK = 0;
/** The frame ends within its link-layer header. */
export const LINK_TOO_SHORT = 1;
/** A link type that is not read here. */
export const LINK_UNSUPPORTED = 2;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_IPV6 = 0x86dd;
/** What Linux calls a frame with a length in place of the type (ETH_P_802_2): IEEE 802.2, not IP as the datapath sees it. */
export const ETHERTYPE_LLC = 0x0004;
/** Of a frame whose network protocol no ethertype names. */
export const ETHERTYPE_NONE = 0;

/** Packet types of Linux cooked captures (PACKET_* of linux/if_packet.h). */
export const PACKET_TO_HOST = 0;
export const PACKET_BROADCAST = 1;
export const PACKET_MULTICAST = 2;
export const PACKET_OTHER_HOST = 3;
export const PACKET_OUTGOING = 4;

/** Tags beyond this many are left in place, and the ethertype is the next tag's. */
export const MAX_TAGS = 4;

const TPID_8021Q = 0x8100;
const TPID_8021AD = 0x88a8;
const TPID_OLD_QINQ = 0x9100;
const FIRST_ETHERTYPE = 0x0600;
const ETHERNET_LENGTH = 14;
const SLL_LENGTH = 16;
const SLL2_LENGTH = 20;
// Devices whose cooked protocol field is no ethertype (linux/if_arp.h; linktypes/LINKTYPE_LINUX_SLL.html).
const ARPHRD_FRAD = 770;
const ARPHRD_80211 = 801;
const ARPHRD_80211_RADIOTAP = 803;
const ARPHRD_NETLINK = 824;

/** What locateNetworkHeader() finds; one object serves for any number of calls. */
export class LinkLayer {
  /** Bytes of the frame before its network header, tags included; at most capLen. */
  networkOffset = 0;
  etherType = 0;
  /** 802.1Q and 802.1ad tags that were passed. */
  tagCount = 0;
  /** VLAN number of the outermost tag, 0 to 4095, or -1. */
  vlanId = -1;
  /** Linux cooked: PACKET_*, else -1. */
  packetType = -1;
  /** Linux cooked version 2: the device's index on the capturing host, else -1. */
  deviceIndex = -1;
}

/** Finds the network header of the frame block[offset] to block[offset + capLen - 1] and describes it in `found`. Returns a
 * LINK_ status; unless it is LINK_OK, `found` holds no result. Reads nothing outside the frame. */
export function locateNetworkHeader(
  linkType: number,
  block: Uint8Array,
  offset: number,
  capLen: number,
  found: LinkLayer,
): number {
  found.tagCount = 0;
  found.vlanId = -1;
  found.packetType = -1;
  found.deviceIndex = -1;
  switch (linkType) {
    case LINKTYPE_ETHERNET:
      if (capLen < ETHERNET_LENGTH) return LINK_TOO_SHORT;
      return passTags(block, offset, capLen, ETHERNET_LENGTH, u16(block, offset + 12), found);
    case LINKTYPE_LINUX_SLL:
      return cookedV1(block, offset, capLen, found);
    case LINKTYPE_LINUX_SLL2:
      return cookedV2(block, offset, capLen, found);
    case LINKTYPE_RAW:
    case DLT_RAW:
    case DLT_RAW_OPENBSD:
      return capLen < 1 ? LINK_TOO_SHORT : settle(found, 0, versionType((block[offset] as number) >> 4));
    case LINKTYPE_IPV4:
      return settle(found, 0, ETHERTYPE_IPV4);
    case LINKTYPE_IPV6:
      return settle(found, 0, ETHERTYPE_IPV6);
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP:
      return capLen < 4 ? LINK_TOO_SHORT : settle(found, 4, familyType(block, offset));
    default:
      return LINK_UNSUPPORTED;
  }
}

function settle(found: LinkLayer, networkOffset: number, etherType: number): number {
  found.networkOffset = networkOffset;
  found.etherType = etherType;
  return LINK_OK;
}

/** IEEE 802.1Q section 9: each tag is a TPID in the type's place, then 16 bits that end with the VLAN number. */
function passTags(
  block: Uint8Array,
  offset: number,
  capLen: number,
  headerLength: number,
  firstType: number,
  found: LinkLayer,
): number {
  let at = headerLength;
  let type = firstType;
  let tags = 0;
  while ((type === TPID_8021Q || type === TPID_8021AD || type === TPID_OLD_QINQ) && tags < MAX_TAGS) {
    if (at + 4 > capLen) return LINK_TOO_SHORT;
    if (tags === 0) found.vlanId = u16(block, offset + at) & 0x0fff;
    type = u16(block, offset + at + 2);
    at += 4;
    tags++;
  }
  found.tagCount = tags;
  // IEEE 802.3 section 3.2.6: below 0x0600 it is a length. A cooked capture says ETH_P_802_2 itself.
  return settle(found, at, type < FIRST_ETHERTYPE && headerLength === ETHERNET_LENGTH ? ETHERTYPE_LLC : type);
}

/** Packet type, device type, address length, address (8), protocol; all big-endian. */
function cookedV1(block: Uint8Array, offset: number, capLen: number, found: LinkLayer): number {
  if (capLen < SLL_LENGTH) return LINK_TOO_SHORT;
  found.packetType = u16(block, offset);
  if (!namesEtherType(u16(block, offset + 2))) return settle(found, SLL_LENGTH, ETHERTYPE_NONE);
  return passTags(block, offset, capLen, SLL_LENGTH, u16(block, offset + 14), found);
}

/** Protocol, 2 bytes reserved, device index (4), device type, packet type (1), address length (1), address (8). */
function cookedV2(block: Uint8Array, offset: number, capLen: number, found: LinkLayer): number {
  if (capLen < SLL2_LENGTH) return LINK_TOO_SHORT;
  found.packetType = block[offset + 10] as number;
  found.deviceIndex = u16(block, offset + 4) * 65536 + u16(block, offset + 6);
  if (!namesEtherType(u16(block, offset + 8))) return settle(found, SLL2_LENGTH, ETHERTYPE_NONE);
  return passTags(block, offset, capLen, SLL2_LENGTH, u16(block, offset), found);
}

function namesEtherType(deviceType: number): boolean {
  return (
    deviceType !== ARPHRD_FRAD &&
    deviceType !== ARPHRD_80211 &&
    deviceType !== ARPHRD_80211_RADIOTAP &&
    deviceType !== ARPHRD_NETLINK
  );
}

function versionType(version: number): number {
  return version === 4 ? ETHERTYPE_IPV4 : version === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_NONE;
}

/** An AF_ number in the byte order of the capturing host (LINKTYPE_LOOP: big-endian). It is below 256, so its place among
 * the four bytes shows the order. AF_INET6 is 10 on Linux, 24, 28 or 30 on the BSDs and macOS. */
function familyType(block: Uint8Array, offset: number): number {
  const first = block[offset] as number;
  const last = block[offset + 3] as number;
  if ((first !== 0 && last !== 0) || u16(block, offset + 1) !== 0) return ETHERTYPE_NONE;
  const family = first | last;
  if (family === 2) return ETHERTYPE_IPV4;
  return family === 10 || family === 24 || family === 28 || family === 30 ? ETHERTYPE_IPV6 : ETHERTYPE_NONE;
}

function u16(block: Uint8Array, at: number): number {
  return ((block[at] as number) << 8) | (block[at + 1] as number);
}
