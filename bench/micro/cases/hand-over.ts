// What it costs to give a frame to the worker that owns its flow, beside leaving it where it is: a slot of a ring in shared memory,
// a copy, and the other end's look at it.
import { HandOvers, planHandOvers, ringShape } from "../../../src/live/hand-overs.ts";
import type { TestBed } from "../test-bed.ts";
import type { Question } from "../question.ts";

const ROUNDS = 4096, BATCH = 64, WORKERS = 2, HEADROOM = 64;

export function handOverQuestions(bed: TestBed): Question[] {
  return [60, 1514].map((length) => handOver(bed, length));
}

function handOver({ arena }: TestBed, length: number): Question {
  const plan = planHandOvers(arena, ringShape(WORKERS, (HEADROOM + length + 63) & ~63), [0, 0]), frame = arena.take(length, 64), { words, bytes } = arena;
  // Nobody sleeps here, so nobody is woken.
  const native = { wake: () => { throw new Error("no worker waits"); } };
  const [from, to] = [0, 1].map((worker) => new HandOvers(plan, worker, words, native)), [incoming] = to?.incoming ?? [];
  if (from === undefined || to === undefined || incoming === undefined) throw new Error("there are two workers");
  return {
    name: "hand a frame to another worker", parameters: `${length.toLocaleString("en-US")}-byte frame, batches of ${BATCH}`, operations: ROUNDS, builds: ["main thread"],
    run: () => {
      let sum = 0;
      for (let done = 0; done < ROUNDS; done += BATCH) {
        for (let k = 0; k < BATCH; k++) {
          const slot = from.claim(1);
          bytes.copyWithin(slot + HEADROOM, frame, frame + length);
          words[slot >> 2] = done + k;
        }
        from.publish();
        const count = incoming.ring.waiting;
        for (let k = 0; k < count; k++) sum = (sum + (words[incoming.ring.slot(k) >> 2] as number)) | 0;
        to.release(incoming, count);
      }
      return sum;
    },
  };
}
