// Work W1 as one writes it in plain Node.js: Buffers for the bytes, Maps for the tables, a string for a flow's key. No expiry, no
// TCP states, no replies, no NAT, no report. usage: plain-node PLAN IN OUT
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { hash4 } from "../../src/kernel/table/hash.ts";

const [planFile = "", inFile = "", outFile = ""] = process.argv.slice(2);
const BLOCK = 1 << 20;

interface Pod { vni: number; node: number; hop: number; entries: { prefix: number; mask: number; gateway: number }[] }
const pods = new Map<number, Pod>(), macs = new Map<number, Buffer>(), flows = new Map<string, { packets: number; bytes: number; last: number }>();

for (const line of readFileSync(planFile, "utf8").split("\n")) {
  const [kind, ...words] = line.split(" "), [a = 0, b = 0, c = 0, d = 0] = words.map((word) => Number.parseInt(word, 16));
  if (kind === "pod") pods.set(a, { vni: b, node: c, hop: d, entries: [] });
  else if (kind === "entry") pods.get(a)?.entries.push({ prefix: b, mask: c === 0 ? 0 : (0xffffffff << (32 - c)) >>> 0, gateway: d });
  else if (kind === "node") macs.set(a, Buffer.from(words[1] ?? "", "hex"));
}

function macOf(address: number): Buffer {
  let mac = macs.get(address);
  if (mac === undefined) {
    mac = Buffer.from([2, 0xfe, 0, 0, 0, 0]);
    mac.writeUInt32BE(address, 2);
    macs.set(address, mac);
  }
  return mac;
}

function policy(pod: Pod, destination: number): number {
  let gateway = 0, best = -1;
  for (const entry of pod.entries) {
    if (((destination & entry.mask) >>> 0) === entry.prefix && entry.mask > best) {
      best = entry.mask;
      gateway = entry.gateway;
    }
  }
  return gateway;
}

function checksum(bytes: Buffer, from: number, length: number): number {
  let sum = 0;
  for (let k = 0; k < length; k += 2) sum += bytes.readUInt16BE(from + k);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const input = openSync(inFile, "r"), output = openSync(outFile, "w"), out = Buffer.alloc(BLOCK + 70_000);
let used = 0, seq = 0, nanoseconds = true;

function encapsulate(record: Buffer, frame: Buffer): void {
  seq++;
  const source = frame.readUInt32BE(26), destination = frame.readUInt32BE(30), pod = pods.get(source);
  if (pod === undefined) return;
  const key = frame.toString("latin1", 23, 38), flow = flows.get(key);
  if (flow === undefined) flows.set(key, { packets: 1, bytes: frame.length, last: seq });
  else {
    flow.packets++;
    flow.bytes += frame.length;
    flow.last = seq;
  }
  const gateway = policy(pod, destination), ttl = frame.readUInt8(22);
  if (gateway === 0 || gateway === pod.node || ttl <= 1) return;
  const length = frame.length + 50, outer = out.subarray(used + 16, used + 66), inner = out.subarray(used + 66, used + 16 + length);
  out.writeUInt32LE(record.readUInt32LE(0), used);
  out.writeUInt32LE(record.readUInt32LE(4) * (nanoseconds ? 1 : 1000), used + 4);
  out.writeUInt32LE(length, used + 8);
  out.writeUInt32LE(length, used + 12);
  frame.copy(inner);
  macOf(pod.hop === 0 ? destination : pod.hop).copy(inner, 0);
  macOf(pod.node).copy(inner, 6);
  inner.writeUInt8(ttl - 1, 22);
  inner.writeUInt16BE(0, 24);
  inner.writeUInt16BE(checksum(inner, 14, 20), 24);
  macOf(gateway).copy(outer, 0);
  macOf(pod.node).copy(outer, 6);
  outer.writeUInt16BE(0x0800, 12);
  outer.writeUInt16BE(0x4500 | (inner.readUInt8(15) & 3), 14);
  outer.writeUInt16BE(length - 14, 16);
  outer.writeUInt16BE(seq & 0xffff, 18);
  outer.writeUInt16BE(0, 20);
  outer.writeUInt16BE(0x4011, 22);
  outer.writeUInt16BE(0, 24);
  outer.writeUInt32BE(pod.node, 26);
  outer.writeUInt32BE(gateway, 30);
  outer.writeUInt16BE(checksum(outer, 14, 20), 24);
  const hash = hash4(frame.readInt32LE(26), frame.readInt32LE(30), frame.readInt32LE(34), frame.readUInt8(23));
  outer.writeUInt16BE(32_768 + ((((hash ^ (hash >>> 16)) & 0xffff) * 28_232) >>> 16), 34);
  outer.writeUInt16BE(8472, 36);
  outer.writeUInt16BE(length - 34, 38);
  outer.writeUInt16BE(0, 40);
  outer.writeUInt32BE(0x08000000, 42);
  outer.writeUInt32BE(pod.vni << 8, 46);
  used += 16 + length;
  if (used >= BLOCK) {
    writeSync(output, out, 0, used);
    used = 0;
  }
}

const block = Buffer.alloc(BLOCK + 70_000);
const header = Buffer.alloc(24);
readSync(input, header, 0, 24, null);
nanoseconds = header.readUInt32LE(0) === 0xa1b23c4d;
header.writeUInt32LE(0xa1b23c4d, 0);
header.writeUInt32LE(262_144, 16);
writeSync(output, header);
for (let end = 0, count = readSync(input, block, 0, BLOCK, null); count > 0; count = readSync(input, block, end, BLOCK, null)) {
  end += count;
  let at = 0;
  while (at + 16 <= end) {
    const length = block.readUInt32LE(at + 8);
    if (at + 16 + length > end) break;
    encapsulate(block.subarray(at, at + 16), block.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  block.copyWithin(0, at, end);
  end -= at;
}
writeSync(output, out, 0, used);
closeSync(output);
