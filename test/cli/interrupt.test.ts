import { expect, test } from "vitest";
import { listenForInterrupt } from "../../src/cli/interrupt.ts";

test("the first signal asks for the end and says how to end at once; afterwards nothing is listened to", () => {
  const before = process.listenerCount("SIGTERM");
  let said = "";
  const interrupt = listenForInterrupt((text) => void (said += text));
  expect(interrupt.isAsked()).toBe(false);
  process.emit("SIGTERM", "SIGTERM");
  expect(interrupt.isAsked()).toBe(true);
  expect(said).toContain("once more to end at once");
  interrupt.release();
  expect(process.listenerCount("SIGTERM")).toBe(before);
});
