import { describe, expect, it } from "vitest";
import { neighbour4, neighbour6 } from "../../src/live/neighbour-address.ts";
import { Neighbours, UNKNOWN } from "../../src/live/neighbours.ts";

const STRIDE = 64, COUNT = 4, ROUTER = neighbour4(7), MAC = 0x123456;
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
    neighbours.learn(ROUTER, MAC, true, 1100, (frame, length) => sent.push([...bytes.subarray(frame, frame + length)]));
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

  it("take no more frames than there is room for, and have it again when those have been written", () => {
    const { neighbours } = table();
    for (let k = 0; k < COUNT + 3; k++) neighbours.wait(ROUTER, 0, 20, 1, 0);
    neighbours.wait(ROUTER, 0, STRIDE + 1, 1, 0);
    expect(neighbours.takeUnresolved()).toBe(4);
    let sent = 0;
    neighbours.learn(ROUTER, MAC, true, 10, () => sent++);
    expect(sent).toBe(COUNT);
    neighbours.wait(neighbour4(8), 0, 20, 1, 0);
    expect(neighbours.takeUnresolved()).toBe(1);
    neighbours.written();
    neighbours.wait(neighbour4(8), 0, 20, 1, 0);
    expect(neighbours.takeUnresolved()).toBe(0);
  });

  it("of both families are apart, also where their words and so their places are the same", () => {
    const { neighbours } = table(), sixth = neighbour6(Uint8Array.from({ length: 16 }, (_, k) => (k === 12 ? ROUTER.d : 0)), 0), asked: number[] = [];
    expect(sixth).toEqual({ ...ROUTER, family: 6 });
    neighbours.wait(ROUTER, 0, 20, 1, 0);
    neighbours.wait(sixth, 0, 20, 1, 0);
    neighbours.ask(0, ({ family }) => asked.push(family));
    expect(asked).toEqual([4, 6]);
    neighbours.learn(sixth, MAC, true, 10, () => undefined);
    for (let now = 10; now <= 5000; now += 100) neighbours.ask(now, () => undefined);
    expect([neighbours.resolve(ROUTER, 5000), neighbours.resolve(sixth, 5000), neighbours.takeUnresolved()]).toEqual([UNKNOWN, MAC, 1]);
  });

  it("learn nothing that nobody asked for", () => {
    const { neighbours } = table();
    neighbours.learn(neighbour4(99), MAC, true, 0, () => undefined);
    expect(neighbours.resolve(neighbour4(99), 0)).toBe(UNKNOWN);
  });

  it("are asked again after half a minute, without a frame having to wait", () => {
    const { neighbours } = table(), asked: number[] = [];
    neighbours.introduce(ROUTER, MAC, 0, 1);
    expect(neighbours.resolve(ROUTER, 40_000)).toBe(MAC);
    neighbours.ask(40_000, (address) => asked.push(address.d));
    expect(asked).toEqual([ROUTER.d]);
  });
});
