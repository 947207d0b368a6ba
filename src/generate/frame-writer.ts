// Writes Ethernet frames with IPv4 or IPv6 and TCP, UDP or an echo into a byte array, checksums included.

export const TCP = 6;
export const UDP = 17;
export const ICMP = 1;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;

/** IPv4, IPv6. */
const ECHO_REPLY = [0, 129] as const, ECHO_REQUEST = [8, 128] as const;
const ICMP6 = 58;

const ETHERNET_LEN = 14;
const IPV4_LEN = 20;
const IPV6_LEN = 40;
const IPV6_VERSION = 0x60;
/** Shortest Ethernet frame without its check sequence (IEEE 802.3, 64 bytes less 4); shorter ones are padded with zeros. */
export const MIN_FRAME_LEN = 60;
const HEADER_LEN = new Map([[TCP, 20], [UDP, 8], [ICMP, 8]]);
const DONT_FRAGMENT = 0x4000;
const WINDOW = 0xfaf0;

/** Frame length at which a protocol's packet carries no data. */
export function headersLen(protocol: number, six: boolean): number {
  return ETHERNET_LEN + (six ? IPV6_LEN : IPV4_LEN) + (HEADER_LEN.get(protocol) ?? 0);
}

/** The fields of one frame; set them, then call write(). Addresses and numbers are unsigned, in host order. */
export class FrameWriter {
  private readonly payload: Uint8Array;
  /** payloadSums[n]: sum of the payload's first n bytes as 16-bit words, padded with a zero (RFC 1071). */
  private readonly payloadSums: Float64Array;

  srcAddr = 0;
  dstAddr = 0;
  /** IPv6: the 16 bytes of each end; the numbers above are then those of the IPv4 plan, from which MACs are made. */
  srcAddr6: Uint8Array | null = null;
  dstAddr6: Uint8Array | null = null;
  srcPort = 0;
  dstPort = 0;
  protocol = 0;
  ttl = 0;
  identification = 0;
  sequence = 0;
  acknowledgment = 0;
  tcpFlags = 0;
  isEchoReply = false;
  /** Of an echo. ICMP stands for ICMPv6 too. */
  identifier = 0;
  /** True where the pod is the sender: the locally administered MAC addresses of both ends follow from the pod's address. */
  fromPod = false;

  constructor(largestFrame: number) {
    this.payload = new Uint8Array(largestFrame);
    this.payloadSums = new Float64Array(largestFrame + 1);
    for (let i = 0; i < largestFrame; i++) {
      const byte = 0x20 + (i % 95);
      this.payload[i] = byte;
      this.payloadSums[i + 1] = (this.payloadSums[i] ?? 0) + (i % 2 === 0 ? byte << 8 : byte);
    }
  }

  /** Writes a frame of `dataLen` payload bytes at out[at]; returns its length, padding included. */
  write(out: Uint8Array, at: number, dataLen: number): number {
    const l4Len = (this.protocol === TCP ? 20 : 8) + dataLen;
    const l4Offset = ETHERNET_LEN + (this.six ? IPV6_LEN : IPV4_LEN), frameLen = Math.max(MIN_FRAME_LEN, l4Offset + l4Len);
    this.writeEthernet(out, at);
    if (this.six) this.writeIpv6(out, at + ETHERNET_LEN, l4Len);
    else this.writeIpv4(out, at + ETHERNET_LEN, IPV4_LEN + l4Len);
    const l4 = at + l4Offset;
    let dataAt = l4 + 8;
    if (this.protocol === TCP) {
      this.writeTcp(out, l4, dataLen);
      dataAt = l4 + 20;
    } else if (this.protocol === UDP) this.writeUdp(out, l4, dataLen);
    else this.writeEcho(out, l4, dataLen);
    out.set(this.payload.subarray(0, dataLen), dataAt);
    out.fill(0, dataAt + dataLen, at + frameLen);
    return frameLen;
  }

  private writeEthernet(out: Uint8Array, at: number): void {
    const pod = this.fromPod ? this.srcAddr : this.dstAddr;
    writePodMac(out, this.fromPod ? at + 6 : at, 0x0a, pod);
    writePodMac(out, this.fromPod ? at : at + 6, 0x0e, pod);
    write16(out, at + 12, this.six ? 0x86dd : 0x0800);
  }

  private get six(): boolean {
    return this.srcAddr6 !== null;
  }

  private writeIpv6(out: Uint8Array, at: number, payloadLen: number): void {
    out.fill(0, at, at + 4);
    out[at] = IPV6_VERSION;
    write16(out, at + 4, payloadLen);
    out[at + 6] = this.protocol === ICMP ? ICMP6 : this.protocol;
    out[at + 7] = this.ttl;
    if (this.srcAddr6 !== null) out.set(this.srcAddr6, at + 8);
    if (this.dstAddr6 !== null) out.set(this.dstAddr6, at + 24);
  }

  private writeIpv4(out: Uint8Array, at: number, totalLen: number): void {
    const fragment = this.protocol === TCP ? DONT_FRAGMENT : 0;
    out[at] = 0x45;
    out[at + 1] = 0;
    write16(out, at + 2, totalLen);
    write16(out, at + 4, this.identification);
    write16(out, at + 6, fragment);
    out[at + 8] = this.ttl;
    out[at + 9] = this.protocol;
    write32(out, at + 12, this.srcAddr);
    write32(out, at + 16, this.dstAddr);
    const sum = 0x4500 + totalLen + this.identification + fragment + ((this.ttl << 8) | this.protocol) + this.addressSum();
    write16(out, at + 10, checksumOf(sum));
  }

  private writeTcp(out: Uint8Array, at: number, dataLen: number): void {
    const offsetAndFlags = 0x5000 | this.tcpFlags;
    write16(out, at, this.srcPort);
    write16(out, at + 2, this.dstPort);
    write32(out, at + 4, this.sequence);
    write32(out, at + 8, this.acknowledgment);
    write16(out, at + 12, offsetAndFlags);
    write16(out, at + 14, WINDOW);
    write16(out, at + 18, 0);
    const sum = this.pseudoHeaderSum(20 + dataLen) + this.srcPort + this.dstPort + halves(this.sequence) +
      halves(this.acknowledgment) + offsetAndFlags + WINDOW + this.payloadSum(dataLen);
    write16(out, at + 16, checksumOf(sum));
  }

  private writeUdp(out: Uint8Array, at: number, dataLen: number): void {
    const length = 8 + dataLen;
    write16(out, at, this.srcPort);
    write16(out, at + 2, this.dstPort);
    write16(out, at + 4, length);
    const sum = this.pseudoHeaderSum(length) + this.srcPort + this.dstPort + length + this.payloadSum(dataLen);
    write16(out, at + 6, checksumOf(sum) || 0xffff); // RFC 768: a computed 0 is sent as all ones
  }

  private writeEcho(out: Uint8Array, at: number, dataLen: number): void {
    const sequence = this.sequence & 0xffff, type = (this.isEchoReply ? ECHO_REPLY : ECHO_REQUEST)[this.six ? 1 : 0];
    out[at] = type;
    out[at + 1] = 0;
    write16(out, at + 4, this.identifier);
    write16(out, at + 6, sequence);
    // RFC 4443 section 2.3: ICMPv6 sums the addresses too.
    const pseudo = this.six ? this.addressSum() + ICMP6 + 8 + dataLen : 0;
    write16(out, at + 2, checksumOf(pseudo + (type << 8) + this.identifier + sequence + this.payloadSum(dataLen)));
  }

  private addressSum(): number {
    if (this.srcAddr6 === null || this.dstAddr6 === null) return halves(this.srcAddr) + halves(this.dstAddr);
    let sum = 0;
    for (let k = 0; k < 16; k += 2)
      sum += (((this.srcAddr6[k] ?? 0) << 8) | (this.srcAddr6[k + 1] ?? 0)) + (((this.dstAddr6[k] ?? 0) << 8) | (this.dstAddr6[k + 1] ?? 0));
    return sum;
  }

  private pseudoHeaderSum(l4Len: number): number {
    return this.addressSum() + this.protocol + l4Len;
  }

  private payloadSum(dataLen: number): number {
    return this.payloadSums[dataLen] ?? 0;
  }
}

function writePodMac(out: Uint8Array, at: number, first: number, pod: number): void {
  out[at] = first;
  out[at + 1] = 0x58;
  write32(out, at + 2, pod);
}

function write16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 8;
  out[at + 1] = value;
}

function write32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

function halves(value: number): number {
  return (value >>> 16) + (value & 0xffff);
}

/** RFC 1071: the complement of the sum, carries folded in. The sum stays below 2^32 for frames of up to 64 KiB. */
function checksumOf(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return ~folded & 0xffff;
}
