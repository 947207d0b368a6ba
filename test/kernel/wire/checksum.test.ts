// Incremental checksums against sums over the whole data (RFC 1071), and the two spellings of zero.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { Arena, sharedMemory } from "../../../src/engine/image/arena.ts";
import { kernelOn } from "../../../src/engine/kernel-instance.ts";
import { csumApplyDiff, csumBytes, csumDiff32, csumFold, csumHalves, csumReplace16 } from "../../../src/kernel/wire/checksum.ts";
import { ipv4DecTtl } from "../../../src/kernel/wire/ipv4.ts";
import { l4CsumApply } from "../../../src/kernel/wire/l4.ts";
import { DROP_TTL_EXCEEDED } from "../../../src/kernel/verdict.ts";

const TCP = 6, UDP = 17;
let arena: Arena;
let at: number;

beforeAll(() => {
  const memory = sharedMemory(256 * 1024);
  kernelOn(memory, "ts");
  arena = new Arena(memory);
  at = arena.take(65_536 + 64);
});

/** RFC 1071 in whole numbers: the sum of big-endian halves, folded, complemented. */
function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let k = 0; k < bytes.length; k += 2) sum += ((bytes[k] ?? 0) << 8) | (bytes[k + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

const swap = (half: number): number => ((half & 0xff) << 8) | (half >> 8);
const half = fc.integer({ min: 0, max: 0xffff });
const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });
const evenBytes = (min: number, max: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((bytes) => (bytes.length % 2 === 0 ? bytes : bytes.slice(1)));
/** 0 and 0xffff are the same sum. */
const normal = (sum: number): number => (sum === 0xffff ? 0 : sum);

test("the sum of bytes is RFC 1071's, at even and odd lengths", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 3000 }), half, (bytes, seed) => {
    arena.bytes.set(bytes, at);
    const expected = internetChecksum(Uint8Array.from([...bytes, ...(bytes.length % 2 === 0 ? [] : [0]), seed & 0xff, seed >> 8]));
    expect(normal(swap(~csumBytes(at, bytes.length, seed) & 0xffff))).toBe(normal(expected));
  }));
});

test("the largest packet of all ones does not overflow the sum", () => {
  arena.bytes.fill(0xff, at, at + 65_535);
  expect(csumBytes(at, 65_535, 0xffff)).toBe(csumFold(0xffff + 0x00ff));
});

test("folding and halving keep the sum modulo 0xffff", () => {
  fc.assert(fc.property(word, (value) => {
    const unsigned = value >>> 0;
    expect(csumFold(csumHalves(value)) % 0xffff).toBe(unsigned % 0xffff);
  }));
});

test("replacing a half in a header amends its checksum to what a full sum gives", () => {
  fc.assert(fc.property(evenBytes(20, 60), half, fc.nat(7), (bytes, to, place) => {
    const header = Uint8Array.from(bytes), changed = 12 + (place % 4) * 2;
    header[10] = header[11] = 0;
    const first = internetChecksum(header);
    header[10] = first >> 8;
    header[11] = first & 0xff;
    arena.bytes.set(header, at);
    const from = arena.view.getUint16(at + changed, true);
    arena.view.setUint16(at + changed, to, true);
    csumReplace16(at + 10, from, to);
    const ours = arena.view.getUint16(at + 10);
    arena.view.setUint16(at + 10, 0);
    expect(normal(ours)).toBe(normal(internetChecksum(arena.bytes.slice(at, at + header.length))));
  }));
});

test("replacing an address by its difference amends a checksum to what a full sum gives, and never to 0xffff", () => {
  fc.assert(fc.property(evenBytes(20, 200), word, (bytes, to) => {
    const data = Uint8Array.from(bytes);
    data[10] = data[11] = 0;
    const first = internetChecksum(data);
    arena.bytes.set(data, at);
    arena.view.setUint16(at + 10, first);
    const from = arena.get32(at + 12);
    arena.put32(at + 12, to);
    csumApplyDiff(at + 10, csumDiff32(from, to));
    const ours = arena.view.getUint16(at + 10);
    arena.view.setUint16(at + 10, 0);
    expect(ours).toBe(normal(internetChecksum(arena.bytes.slice(at, at + data.length))));
  }));
});

test("a checksum that was wrong stays wrong by as much", () => {
  fc.assert(fc.property(half, word, word, (old, from, to) => {
    arena.view.setUint16(at, old, true);
    csumApplyDiff(at, csumDiff32(from, to));
    csumApplyDiff(at, csumDiff32(to, from));
    expect(normal(arena.view.getUint16(at, true))).toBe(normal(old));
  }));
});

test("UDP without a checksum stays so, and a computed zero is sent as 0xffff (RFC 768)", () => {
  arena.view.setUint16(at, 0);
  l4CsumApply(at, 0x1234, UDP);
  expect(arena.view.getUint16(at)).toBe(0);
  fc.assert(fc.property(half, half, (old, diff) => {
    fc.pre(old !== 0);
    arena.view.setUint16(at, old, true);
    l4CsumApply(at, diff, UDP);
    const udp = arena.view.getUint16(at, true);
    expect(udp).not.toBe(0);
    arena.view.setUint16(at, old, true);
    l4CsumApply(at, diff, TCP);
    const tcp = arena.view.getUint16(at, true);
    expect(tcp).not.toBe(0xffff);
    expect(normal(udp)).toBe(tcp);
  }));
});

test("one hop takes one from the TTL, amends the header's checksum, and refuses 0 and 1", () => {
  for (let ttl = 0; ttl <= 255; ttl++) {
    const header = Uint8Array.from([0x45, 0, 0, 40, 0x12, 0x34, 0x40, 0, ttl, 6, 0, 0, 10, 0, 1, 10, 203, 0, 113, 10]);
    arena.bytes.set(header, at);
    arena.view.setUint16(at + 10, internetChecksum(header));
    const before = arena.bytes.slice(at, at + 20);
    const verdict = ipv4DecTtl(at);
    if (ttl <= 1) {
      expect(verdict).toBe(DROP_TTL_EXCEEDED);
      expect(arena.bytes.slice(at, at + 20)).toEqual(before);
      continue;
    }
    expect(verdict).toBe(0);
    expect(arena.bytes[at + 8]).toBe(ttl - 1);
    expect(internetChecksum(arena.bytes.slice(at, at + 20))).toBe(0);
  }
});
