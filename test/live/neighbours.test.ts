import { describe, expect, it } from "vitest";
import { Neighbours, UNKNOWN } from "../../src/live/neighbours.ts";

const STRIDE = 64, COUNT = 4, ROUTER = 7, MAC = 0x123456;
const table = (): { neighbours: Neighbours; bytes: Uint8Array } => {
  const bytes = new Uint8Array(1024);
  return { bytes, neighbours: new Neighbours(bytes, { at: 256, stride: STRIDE, count: COUNT }) };
};

describe("neighbours", () => {
  it("keep a frame until they answer, as it was when it was to be sent", () => {
    const { neighbours, bytes } = table();
    bytes.fill(5, 0, 20);
    neighbours.wait(ROUTER, 0, 20, 1, 1000);
    bytes.fill(6, 0, 20);
    const sent: number[][] = [];
    neighbours.learn(ROUTER, MAC, 1100, (frame, length) => sent.push([...bytes.subarray(frame, frame + length)]));
    expect(sent).toEqual([Array.from({ length: 20 }, () => 5)]);
    expect(neighbours.resolve(ROUTER, 1200)).toBe(MAC);
    expect(neighbours.isWaiting).toBe(false);
  });

  it("are asked three times, a second apart, and given up with what waited for them", () => {
    const { neighbours } = table(), asked: number[] = [];
    neighbours.wait(ROUTER, 0, 20, 1, 0);
    neighbours.wait(ROUTER, 0, 20, 1, 0);
    for (let now = 0; now <= 5000; now += 100) neighbours.ask(now, () => asked.push(now));
    expect(asked).toEqual([0, 1000, 2000]);
    expect(neighbours.takeUnresolved()).toBe(2);
    expect(neighbours.takeUnresolved()).toBe(0);
    expect(neighbours.isWaiting).toBe(false);
  });

  it("take no more frames than there is room for, and have it again afterwards", () => {
    const { neighbours } = table();
    for (let k = 0; k < COUNT + 3; k++) neighbours.wait(ROUTER, 0, 20, 1, 0);
    neighbours.wait(ROUTER, 0, STRIDE + 1, 1, 0);
    expect(neighbours.takeUnresolved()).toBe(4);
    let sent = 0;
    neighbours.learn(ROUTER, MAC, 10, () => sent++);
    expect(sent).toBe(COUNT);
    neighbours.wait(8, 0, 20, 1, 0);
    expect(neighbours.takeUnresolved()).toBe(0);
  });

  it("learn nothing that nobody asked for", () => {
    const { neighbours } = table();
    neighbours.learn(99, MAC, 0, () => undefined);
    expect(neighbours.resolve(99, 0)).toBe(UNKNOWN);
  });

  it("are asked again after half a minute, without a frame having to wait", () => {
    const { neighbours } = table(), asked: number[] = [];
    neighbours.introduce(ROUTER, MAC, 0, 1);
    expect(neighbours.resolve(ROUTER, 40_000)).toBe(MAC);
    neighbours.ask(40_000, (address) => asked.push(address));
    expect(asked).toEqual([ROUTER]);
  });
});
