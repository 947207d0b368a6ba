import { expect, test } from "vitest";
import { ProgressLine, progressText } from "../../src/cli/progress-line.ts";

test("share, packets and rate are shown; without a total the bytes read", () => {
  expect(progressText(500, 1000, 12345, 0.5)).toBe("[############............]  50 %  12,345 packets, 25 k/s");
  expect(progressText(2000, 1000, 1, 0)).toBe("[########################] 100 %  1 packet, 0/s");
  expect(progressText(1500000, null, 7, 1)).toBe("1.5 MB read, 7 packets, 7/s");
});

test("the line is drawn at most ten times a second, fits the terminal and is taken away", () => {
  let now = 0, written: string[] = [];
  const line = new ProgressLine((text) => written.push(text), 30, () => now);
  for (now = 0; now < 1000; now += 5) line.update(now, 1000, now);
  expect(written).toHaveLength(10);
  for (const text of written) expect(text.replace(/^\r/, "").replace("\u001b[K", "").length).toBeLessThan(30);
  written = [];
  line.erase();
  line.erase();
  expect(written).toEqual(["\r\u001b[K"]);
});

test("a line that was never drawn leaves nothing to take away", () => {
  const written: string[] = [];
  new ProgressLine((text) => written.push(text), 80, () => 0).erase();
  expect(written).toEqual([]);
});
