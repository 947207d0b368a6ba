import { expect, test } from "vitest";
import { counted, formatBytes, formatRate, formatSeconds, formatShare, withThousands } from "../../src/observe/number-text.ts";

test.each([[0, "0"], [999, "999"], [1000, "1,000"], [1204881, "1,204,881"], [12345678901, "12,345,678,901"]])("%d is grouped as %s", (count, text) => {
  expect(withThousands(count)).toBe(text);
});

test("one thing has no plural s, none and many have", () => {
  expect([0, 1, 2].map((count) => counted(count, "flow"))).toEqual(["0 flows", "1 flow", "2 flows"]);
});

test.each([[0, "0 B"], [999, "999 B"], [1000, "1.0 kB"], [999949, "999.9 kB"], [999999, "1.0 MB"], [812345678, "812.3 MB"]])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([[0.0312, "0.031 s"], [61.2, "61.2 s"], [125, "2 min 5 s"], [3599.7, "1 h 0 min"], [12000, "3 h 20 min"]])("%d seconds are %s", (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});

test.each([[0, "0"], [Number.NaN, "0"], [Infinity, "0"], [12.4, "12"], [640123, "640 k"], [999600, "1.0 M"], [2922340, "2.9 M"]])("a rate of %d is %s", (rate, text) => {
  expect(formatRate(rate)).toBe(text);
});

test("a share never hides what is there nor claims to be full before it is", () => {
  expect([formatShare(0, 10), formatShare(1, 32768), formatShare(622, 32768), formatShare(32767, 32768), formatShare(32768, 32768), formatShare(1, 0)])
    .toEqual(["0 %", "<0.1 %", "1.9 %", ">99.9 %", "100.0 %", "0 %"]);
});
