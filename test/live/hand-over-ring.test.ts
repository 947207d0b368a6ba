import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/generate/random.ts";
import { RingReader, ringBytes, RingWriter } from "../../src/live/hand-over-ring.ts";
import { LEAST_ROOM, ringShape } from "../../src/live/hand-overs.ts";

const SHAPE = { slots: 8, stride: 64 }, AT = 64;
const ends = (): { words: Int32Array; writer: RingWriter; reader: RingReader } => {
  const words = new Int32Array(new SharedArrayBuffer(AT + ringBytes(SHAPE)));
  return { words, writer: new RingWriter(words, AT, SHAPE), reader: new RingReader(words, AT, SHAPE) };
};

describe("a ring between two workers", () => {
  it("shows what was written only when it is published, in order, each slot inside the ring", () => {
    const { words, writer, reader } = ends();
    for (let k = 0; k < 3; k++) words[writer.claim() >> 2] = 100 + k;
    expect(reader.waiting).toBe(0);
    expect([writer.publish(), writer.publish()]).toEqual([true, false]);
    expect(reader.waiting).toBe(3);
    expect([0, 1, 2].map((k) => words[reader.slot(k) >> 2])).toEqual([100, 101, 102]);
    for (const k of [0, 1, 2]) {
      expect(reader.slot(k)).toBeGreaterThanOrEqual(AT);
      expect(reader.slot(k) + SHAPE.stride).toBeLessThanOrEqual(words.byteLength);
    }
  });

  it("has no room when it is full, until slots are given back", () => {
    const { writer, reader } = ends();
    for (let k = SHAPE.slots; k > 0; k--) {
      expect(writer.room).toBe(k);
      writer.claim();
    }
    expect(writer.room).toBe(0);
    writer.publish();
    expect(reader.waiting).toBe(SHAPE.slots);
    reader.release(3);
    expect([writer.room, reader.waiting]).toEqual([3, SHAPE.slots - 3]);
  });

  it("keeps order and content over any interleaving", () => {
    const { words, writer, reader } = ends(), random = new SeededRandom(3);
    let written = 0, read = 0;
    while (read < 10_000) {
      for (let k = random.below(writer.room + 1); k > 0; k--) words[writer.claim() >> 2] = written++;
      if (random.below(3) > 0) writer.publish();
      const count = random.below(reader.waiting + 1);
      for (let k = 0; k < count; k++) expect(words[reader.slot(k) >> 2]).toBe(read + k);
      reader.release(count);
      read += count;
    }
  });
});

it("rings of more workers hold less, but always what a device may give at once", () => {
  for (const stride of [1728, 9280, 65_792]) {
    const slots = Array.from({ length: 15 }, (_, k) => ringShape(k + 2, stride).slots);
    expect(slots.every((count) => Number.isInteger(Math.log2(count)) && count >= 2 * LEAST_ROOM)).toBe(true);
    expect(slots).toEqual([...slots].sort((a, b) => b - a));
  }
});
