import { afterEach, beforeEach, expect, test } from "vitest";
import * as checked from "../../src/kernel/mem.checked.ts";
import * as plain from "../../src/kernel/mem.ts";

beforeEach(() => {
  checked.attach(new SharedArrayBuffer(256));
  checked.allow(16, 32);
  checked.allow(64, 80);
});
afterEach(() => {
  checked.forbidAll();
  checked.budget(Infinity);
});

test("it has every name of the plain accessors", () => {
  expect(Object.keys(checked)).toEqual(expect.arrayContaining(Object.keys(plain)));
});

test("reads what was written, in both byte orders", () => {
  checked.st32be(16, 0x01020304);
  expect([checked.ld32(16), checked.ld16(16), checked.ld16be(18), checked.ld8(19)]).toEqual([0x04030201, 0x0201, 0x0304, 4]);
  checked.stf64(24, 0.5);
  checked.copy(64, 24, 8);
  expect(checked.ldf64(64)).toBe(0.5);
  checked.fill(64, 0xff, 4);
  expect(checked.ld32(64)).toBe(-1);
});

test.each([["before", 15, 1], ["across the end of", 29, 4], ["across the start of", 13, 4], ["behind", 32, 1], ["between", 40, 4]])(
  "an access %s a region throws", (_, at, length) => {
    expect(() => (length === 1 ? checked.ld8(at) : checked.ld32(at))).toThrow(`load of ${length} bytes at ${at}`);
    expect(() => (length === 1 ? checked.st8(at, 0) : checked.st32(at, 0))).toThrow(`store of ${length} bytes at ${at}`);
  },
);

test("a copy is checked at both ends, and a fill over its length", () => {
  expect(() => checked.copy(64, 24, 9)).toThrow("copy from");
  expect(() => checked.copy(73, 16, 8)).toThrow("copy to");
  expect(() => checked.fill(64, 0, 17)).toThrow("fill");
});

test("numbers that the WebAssembly build could not hold throw", () => {
  expect(() => checked.st32(16, 2 ** 31)).toThrow("no 32-bit integer");
  expect(() => checked.mul(1.5, 2)).toThrow("no 32-bit integer");
  expect(() => checked.ld8(16.5)).toThrow("not an integer");
});

test("the budget ends what would never end", () => {
  checked.budget(1000);
  expect(() => { while (true) checked.ld8(16); }).toThrow("budget");
});

test("permissions can be taken back", () => {
  checked.forbidAll();
  expect(() => checked.ld8(16)).toThrow("outside");
});
