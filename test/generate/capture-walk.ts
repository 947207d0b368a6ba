// A reader of its own for the tests of the generator: it shares no code with what it checks.

export interface WalkedFrame {
  readonly bytes: Buffer;
  readonly time: bigint;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly tcpFlags: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly dataLen: number;
  readonly icmpType: number;
}

/** Every record of a little-endian nanosecond capture of Ethernet frames; throws where the file does not end with a record. */
export function walkCapture(file: Buffer): WalkedFrame[] {
  if (file.readUInt32LE(0) !== 0xa1b23c4d || file.readUInt32LE(20) !== 1) throw new Error("not a nanosecond Ethernet capture");
  const frames: WalkedFrame[] = [];
  let at = 24;
  while (at < file.length) {
    const length = file.readUInt32LE(at + 8);
    if (length !== file.readUInt32LE(at + 12) || at + 16 + length > file.length) throw new Error(`broken record at ${at}`);
    const time = BigInt(file.readUInt32LE(at)) * 1_000_000_000n + BigInt(file.readUInt32LE(at + 4));
    frames.push(decode(file.subarray(at + 16, at + 16 + length), time));
    at += 16 + length;
  }
  return frames;
}

function decode(bytes: Buffer, time: bigint): WalkedFrame {
  const protocol = bytes.readUInt8(23);
  const isTcp = protocol === 6;
  return {
    bytes,
    time,
    source: [...bytes.subarray(26, 30)].join("."),
    destination: [...bytes.subarray(30, 34)].join("."),
    protocol,
    sourcePort: protocol === 1 ? bytes.readUInt16BE(38) : bytes.readUInt16BE(34),
    destinationPort: protocol === 1 ? 0 : bytes.readUInt16BE(36),
    tcpFlags: isTcp ? bytes.readUInt8(47) : 0,
    sequence: isTcp ? bytes.readUInt32BE(38) : 0,
    acknowledgment: isTcp ? bytes.readUInt32BE(42) : 0,
    dataLen: bytes.readUInt16BE(16) - 20 - (isTcp ? 20 : 8),
    icmpType: protocol === 1 ? bytes.readUInt8(34) : -1,
  };
}

/** What is wrong with the frame's lengths and checksums (RFC 1071: the words of a good one sum to all ones), or "". */
export function frameFault(bytes: Buffer): string {
  if (bytes.readUInt16BE(12) !== 0x0800 || bytes.readUInt8(14) !== 0x45) return "not plain IPv4";
  const total = bytes.readUInt16BE(16);
  if (14 + total > bytes.length || bytes.length > Math.max(60, 14 + total)) return "IP length";
  if (onesSum(bytes.subarray(14, 34)) !== 0xffff) return "IP checksum";
  const segment = bytes.subarray(34, 14 + total);
  const protocol = bytes.readUInt8(23);
  if (protocol === 17 && segment.readUInt16BE(4) !== segment.length) return "UDP length";
  if (protocol === 17 && segment.readUInt16BE(6) === 0) return "no UDP checksum";
  const pseudo = Buffer.concat([bytes.subarray(26, 34), Buffer.from([0, protocol, segment.length >> 8, segment.length & 255])]);
  const covered = protocol === 1 ? segment : Buffer.concat([pseudo, segment]);
  return onesSum(covered) === 0xffff ? "" : `checksum of protocol ${protocol}`;
}

function onesSum(bytes: Buffer): number {
  let sum = 0;
  bytes.forEach((byte, i) => {
    sum += i % 2 === 0 ? byte * 256 : byte;
  });
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

const isRemote = (address: string): boolean => address.startsWith("198.18.") || address.startsWith("198.19.");

export function isReply(frame: WalkedFrame): boolean {
  return isRemote(frame.source);
}

/** Frames by flow, named from the pod's end. */
export function byFlow(frames: readonly WalkedFrame[]): Map<string, WalkedFrame[]> {
  const flows = new Map<string, WalkedFrame[]>();
  for (const frame of frames) {
    const [pod, podPort, remote, remotePort] = isReply(frame)
      ? [frame.destination, frame.destinationPort, frame.source, frame.sourcePort]
      : [frame.source, frame.sourcePort, frame.destination, frame.destinationPort];
    // Echo messages carry one identifier, which both directions have at the same place.
    const ports = frame.protocol === 1 ? `${frame.sourcePort}` : `${podPort} ${remotePort}`;
    const key = `${frame.protocol} ${pod} ${remote} ${ports}`;
    const flow = flows.get(key);
    if (flow === undefined) flows.set(key, [frame]);
    else flow.push(frame);
  }
  return flows;
}
