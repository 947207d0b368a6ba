import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jhash3, jhashTuple6 } from "../../../src/kernel/table/jhash.ts";

const u32 = (value: number): number => value >>> 0;
const rol = (value: number, by: number): number => u32((value << by) | (value >>> (32 - by)));

/** include/linux/jhash.h, __jhash_mix and __jhash_final, written out step by step as lookup3 has them. */
class Lookup3 {
  constructor(public a: number, public b: number, public c: number) {}

  #step(into: "a" | "b" | "c", from: "a" | "b" | "c", added: "a" | "b" | "c", by: number): void {
    this[into] = u32(u32(this[into] - this[from]) ^ rol(this[from], by));
    this[from] = u32(this[from] + this[added]);
  }

  mix(): void {
    this.#step("a", "c", "b", 4);
    this.#step("b", "a", "c", 6);
    this.#step("c", "b", "a", 8);
    this.#step("a", "c", "b", 16);
    this.#step("b", "a", "c", 19);
    this.#step("c", "b", "a", 4);
  }

  final(): number {
    for (const [into, from, by] of [["c", "b", 14], ["a", "c", 11], ["b", "a", 25], ["c", "b", 16], ["a", "c", 4], ["b", "a", 14], ["c", "b", 24]] as const)
      this[into] = u32(u32(this[into] ^ this[from]) - rol(this[from], by));
    return this.c;
  }
}

const word = fc.integer({ min: -0x80000000, max: 0x7fffffff });

describe("jhash", () => {
  it("of three words gives the recorded Maglev slot", () => {
    // services.jsonl.gz, maglev_tcp_1: 10.0.1.10:53394 to port 80, slot 13333 of 32749.
    const source = 0x0a01000a, ports = 0x50000000 | 0x92d0;
    expect(u32(jhash3(source, ports, 6, 0xcafe)) % 32_749).toBe(13_333);
  });

  it("of an IPv6 tuple is lookup3 mixed twice and finished, as Cilium has it", () => {
    fc.assert(fc.property(fc.tuple(word, word, word, word), word, fc.nat(255), word, ([w0, w1, w2, w3], ports, proto, seed) => {
      const state = new Lookup3(u32(w0), u32(w1), u32(w2));
      state.mix();
      state.a = u32(state.a + w3);
      state.b = u32(state.b + ports);
      state.c = u32(state.c + proto);
      state.mix();
      state.a = u32(state.a + seed);
      expect(u32(jhashTuple6(w0, w1, w2, w3, ports, proto, seed))).toBe(state.final());
    }));
  });
});
