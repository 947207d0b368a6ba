import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GarbageSchedule, nextInterval } from "../../src/engine/garbage-schedule.ts";

describe("the interval between two collections", () => {
  // pkg/maps/ctmap GetInterval (calculateInterval): the share that was deleted decides.
  it.each([
    [300, 0.5, 150], [300, 0.26, 222], [300, 0.9, 30], [300, 1, 30], [20, 0.9, 10], [10, 1, 10],
    [300, 0.25, 300], [300, 0.05, 300], [300, 0.1, 300],
    [300, 0.049, 450], [300, 0, 450], [30_000, 0, 43_200], [43_200, 0, 43_200],
  ])("after %d seconds with %f deleted is %d seconds", (previous, share, next) => {
    expect(nextInterval(previous, share)).toBe(next);
  });

  it("stays between ten seconds and twelve hours whatever is found", () => {
    fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }), (shares) => {
      let interval = 300;
      for (const share of shares) {
        interval = nextInterval(interval, share);
        expect(Number.isInteger(interval)).toBe(true);
        expect(interval).toBeGreaterThanOrEqual(10);
        expect(interval).toBeLessThanOrEqual(43_200);
      }
    }), { seed: 1 });
  });
});

describe("the schedule", () => {
  it("begins five minutes after the start, for every node", () => {
    const schedule = new GarbageSchedule(3, 1000);
    expect(schedule.nextDue).toBe(1300);
    expect([schedule.isDue(0, 1299), schedule.isDue(0, 1300), schedule.isDue(2, 1300), schedule.isDue(3, 9999)]).toEqual([false, true, true, false]);
  });

  it("gives every node an interval of its own", () => {
    const schedule = new GarbageSchedule(2, 1000);
    schedule.collected(0, 1300, 0.5);
    schedule.collected(1, 1300, 0);
    schedule.settle();
    expect(schedule.nextDue).toBe(1450);
    expect([schedule.isDue(0, 1450), schedule.isDue(1, 1450)]).toEqual([true, false]);
    schedule.collected(0, 1450, 0.1);
    schedule.settle();
    expect(schedule.nextDue).toBe(1600);
    expect(schedule.isDue(1, 1750)).toBe(true);
  });

  it("without nodes is never due, and a skipped gap puts every node past it", () => {
    expect(new GarbageSchedule(0, 1000).nextDue).toBe(Number.POSITIVE_INFINITY);
    const schedule = new GarbageSchedule(2, 1000);
    schedule.skipTo(1_000_000);
    expect(schedule.nextDue).toBe(1_000_300);
  });
});
