// The walk over IPv6 extension headers against a plain description of the frame, and checksums of longer replacements.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { Arena, sharedMemory } from "../../../src/engine/image/arena.ts";
import { kernelOn } from "../../../src/engine/kernel-instance.ts";
import { P_FRAME, P_LEN, P_ROOM } from "../../../src/kernel/layout.ts";
import { P_WALK, W_FLAGS, W_FRAG_PROTO, W_ID, W_PROTO, WF_FRAGMENT, WF_NO_L4 } from "../../../src/kernel/layout6.ts";
import { DROP_INVALID, DROP_INVALID_EXTHDR } from "../../../src/kernel/verdict.ts";
import { csumBytes, csumDiffBytes, csumFold } from "../../../src/kernel/wire/checksum.ts";
import { ipv6DecHopLimit, ipv6IsFragment, ipv6Walk } from "../../../src/kernel/wire/ipv6.ts";

const ETH = 14, IP = 40, HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTH = 51, NONE = 59, OPTIONS = 60;
let arena: Arena;
let packet: number;
let at: number;

beforeAll(() => {
  const memory = sharedMemory(256 * 1024);
  kernelOn(memory, "ts");
  arena = new Arena(memory);
  packet = arena.take(P_ROOM);
  at = arena.take(16_384);
});

interface Extension {
  readonly kind: number;
  /** Length field. */
  readonly units: number;
  /** Offset and flags of a fragment header, its identification. */
  readonly offset: number;
  readonly id: number;
}
const extension = (kinds: readonly number[]): fc.Arbitrary<Extension> => fc.record({
  kind: fc.constantFrom(...kinds), units: fc.nat(20), offset: fc.constantFrom(0, 1, 6, 8, 9, 0xfff8, 0xffff), id: fc.nat(0x7fffffff),
});

function lengthOf({ kind, units }: Extension): number { return kind === FRAGMENT ? 8 : kind === AUTH ? (units + 2) * 4 : (units + 1) * 8; }

/** Lays the headers down; returns the length of all of them, the IPv6 header included. */
function lay(extensions: readonly Extension[], last: number): number {
  arena.bytes.fill(0, at, at + 16_384);
  let next = at + ETH + 6, offset = IP;
  for (const each of extensions) {
    const header = at + ETH + offset;
    arena.bytes[next] = each.kind;
    arena.bytes[header + 1] = each.units;
    if (each.kind === FRAGMENT) {
      arena.view.setUint16(header + 2, each.offset, false);
      arena.view.setUint32(header + 4, each.id, true);
    }
    next = header;
    offset += lengthOf(each);
  }
  arena.bytes[next] = last;
  return offset;
}

function walk(frameLength: number): number {
  arena.put32(packet + P_FRAME, at);
  arena.put32(packet + P_LEN, frameLength);
  return ipv6Walk(packet, ETH, packet + P_WALK);
}

test("up to three extension headers are walked, the last fragment header is told, a fourth is too many", () => {
  const upper = fc.constantFrom(6, 17, 58, 132, 50, 41, 255);
  fc.assert(fc.property(fc.array(extension([HOP, ROUTING, FRAGMENT, AUTH, OPTIONS]), { maxLength: 5 }), upper, (extensions, proto) => {
    const length = lay(extensions, proto), walked = walk(ETH + length);
    const kinds = [...extensions.map(({ kind }) => kind), proto], fragments = extensions.filter(({ kind }) => kind === FRAGMENT), known = fragments.at(-1);
    if (extensions.length > 3) return void expect(walked).toBe(DROP_INVALID_EXTHDR);
    expect(walked).toBe(length);
    expect(arena.get32(packet + P_WALK + W_PROTO)).toBe(proto);
    expect(arena.get32(packet + P_WALK + W_ID)).toBe(known?.id ?? 0);
    expect(arena.get32(packet + P_WALK + W_FRAG_PROTO)).toBe(known === undefined ? 0 : kinds[extensions.lastIndexOf(known) + 1]);
    const offset = known?.offset ?? 0;
    expect(arena.get32(packet + P_WALK + W_FLAGS)).toBe(((offset & 0xfff9) === 0 ? 0 : WF_FRAGMENT) | ((offset & 0xfff8) === 0 ? 0 : WF_NO_L4));
    // Builds without fragment tracking look at the first fragment header only.
    expect(ipv6IsFragment(packet, ETH)).toBe(((fragments[0]?.offset ?? 0) & 0xfff9) === 0 ? 0 : 1);
  }));
});

test("a header that is cut, or missing although announced, is invalid", () => {
  const length = lay([{ kind: FRAGMENT, units: 0, offset: 1, id: 1 }], 17);
  for (let cut = IP; cut < length; cut++) expect(walk(ETH + cut)).toBe(DROP_INVALID);
  expect(walk(ETH + length)).toBe(length);
  lay([{ kind: HOP, units: 3, offset: 0, id: 0 }], OPTIONS);
  expect(walk(ETH + IP + 32 + 1)).toBe(DROP_INVALID);
});

test("no next header is an invalid extension header wherever it stands", () => {
  for (const extensions of [[], [HOP], [HOP, OPTIONS, ROUTING]]) {
    const length = lay(extensions.map((kind) => ({ kind, units: 0, offset: 0, id: 0 })), NONE);
    expect(walk(ETH + length)).toBe(DROP_INVALID_EXTHDR);
    expect(ipv6IsFragment(packet, ETH)).toBe(DROP_INVALID_EXTHDR);
  }
});

test("a hop limit of two or more falls by one; of one or none it stays", () => {
  for (let limit = 0; limit < 256; limit++) {
    arena.bytes[at + 7] = limit;
    expect(ipv6DecHopLimit(at)).toBe(limit > 1 ? 0 : -196);
    expect(arena.bytes[at + 7]).toBe(limit > 1 ? limit - 1 : limit);
  }
});

test("the difference of replaced bytes leads from the old sum to the new one", () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(fc.property(bytes, bytes, fc.uint8Array({ maxLength: 40 }), (from, to, rest) => {
    const fromAt = at, toAt = at + 16, restAt = at + 32;
    arena.bytes.set(from, fromAt);
    arena.bytes.set(to, toAt);
    arena.bytes.set(rest, restAt);
    const before = csumBytes(restAt, rest.length, csumBytes(fromAt, 16, 0)), after = csumBytes(restAt, rest.length, csumBytes(toAt, 16, 0));
    expect(csumFold(before + csumDiffBytes(fromAt, toAt, 16)) % 0xffff).toBe(after % 0xffff);
  }));
});
