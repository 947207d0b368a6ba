// Frames go to the worker that owns their flow's shard: which queue of a device a frame comes in by is the kernel's choice. A ring
// for every ordered pair of workers (hand-over-ring.ts); whoever sleeps is woken by a descriptor. Nothing is lost on this way: who
// has no room left reads no more from its devices, so that frames wait in the kernel's queues, as they do before a single worker.
import type { Arena } from "../engine/image/arena.ts";
import { RingReader, type RingShape, RingWriter, ringBytes } from "./hand-over-ring.ts";
import type { Native } from "./native.ts";

/** Where the rings lie; plain data: it crosses threads. */
export interface HandOverPlan {
  readonly shape: RingShape;
  /** By worker that writes, and worker that reads. */
  readonly rings: readonly (readonly number[])[];
  /** By worker: word that says what it waits for. */
  readonly waits: readonly number[];
  /** By worker: descriptor that wakes it. */
  readonly wakes: readonly number[];
}

/** What a worker waits for: nothing, frames, or room in the rings it writes to as well. */
const AT_WORK = 0, FOR_FRAMES = 1, FOR_ROOM = 2;
/** Slots of one ring that a frame may take: for what it tells of a neighbour, and to be processed. */
export const SLOTS_PER_FRAME = 2;
/** With less room than this a worker does not read: a device may give 64 frames at once (a super-frame of 64 KiB, cut). */
export const LEAST_ROOM = 64 * SLOTS_PER_FRAME;
const LEAST_SLOTS = 2 * LEAST_ROOM, MOST_SLOTS = 1024, RING_BYTES_OF_WORKER = 4 * 1024 * 1024;
const LINE = 64;

/** `stride`: of a frame and what is said of it. */
export function ringShape(workers: number, stride: number): RingShape {
  let slots = MOST_SLOTS;
  while (slots > LEAST_SLOTS && slots * stride * (workers - 1) > RING_BYTES_OF_WORKER) slots /= 2;
  return { slots, stride };
}

/** Bytes that planHandOvers() takes. */
export function handOverBytes(workers: number, shape: RingShape): number { return workers * (workers - 1) * (ringBytes(shape) + LINE) + (workers + 1) * LINE; }

/** `wakes`: a descriptor for each worker. */
export function planHandOvers(arena: Arena, shape: RingShape, wakes: readonly number[]): HandOverPlan {
  const rings = wakes.map((_from, from) => wakes.map((_to, to) => (from === to ? 0 : arena.take(ringBytes(shape), LINE))));
  return { shape, rings, waits: wakes.map(() => arena.take(LINE, LINE)), wakes };
}

/** One worker's ends of all its rings. */
export class HandOvers {
  /** Rings from the other workers. */
  readonly incoming: readonly { readonly from: number; readonly ring: RingReader }[];
  readonly #outgoing: readonly { readonly to: number; readonly ring: RingWriter }[];
  readonly #writers: readonly (RingWriter | null)[];
  readonly #plan: HandOverPlan;
  readonly #words: Int32Array;
  readonly #waits: number;
  readonly #native: Pick<Native, "wake">;

  constructor(plan: HandOverPlan, worker: number, words: Int32Array, native: Pick<Native, "wake">) {
    const others = [...plan.wakes.keys()].filter((other) => other !== worker), { shape } = plan;
    const ringOf = (from: number, to: number): number => plan.rings[from]?.[to] ?? 0;
    this.#plan = plan;
    this.#words = words;
    this.#waits = (plan.waits[worker] ?? 0) >> 2;
    this.#native = native;
    this.incoming = others.map((from) => ({ from, ring: new RingReader(words, ringOf(from, worker), shape) }));
    this.#outgoing = others.map((to) => ({ to, ring: new RingWriter(words, ringOf(worker, to), shape) }));
    this.#writers = plan.wakes.map((_wake, to) => this.#outgoing.find((each) => each.to === to)?.ring ?? null);
  }

  /** Slots that are free in every ring. */
  get room(): number { return this.#outgoing.reduce((least, { ring }) => Math.min(least, ring.room), Number.POSITIVE_INFINITY); }

  get isWaitedFor(): boolean { return this.incoming.some(({ ring }) => ring.waiting > 0); }

  /** Byte address of a slot of the ring to `worker`, to be written before publish(). The caller has seen that there is room. */
  claim(worker: number): number {
    const ring = this.#writers[worker] ?? null;
    if (ring === null) throw new RangeError(`there is no ring to worker ${worker}`);
    return ring.claim();
  }

  /** The same of every ring. */
  claimAll(): number[] { return this.#outgoing.map(({ ring }) => ring.claim()); }

  /** Tells the other workers of what was claimed for them. */
  publish(): void {
    for (const { to, ring } of this.#outgoing) if (ring.publish()) this.#rouse(to, FOR_FRAMES);
  }

  /** Gives slots back that were read. */
  release({ from, ring }: HandOvers["incoming"][number], count: number): void {
    ring.release(count);
    this.#rouse(from, FOR_ROOM);
  }

  /** Says what this worker is about to sleep for, frames of others or room for its own; false where that is there already. */
  mayRest(wantsRoom: boolean): boolean {
    if (this.#outgoing.length === 0) return true;
    // Said first, looked at then: whoever changes something in between sees it and wakes this worker.
    Atomics.store(this.#words, this.#waits, wantsRoom ? FOR_ROOM : FOR_FRAMES);
    return !this.isWaitedFor && (!wantsRoom || this.room < LEAST_ROOM);
  }

  goOn(): void {
    if (this.#outgoing.length > 0) Atomics.store(this.#words, this.#waits, AT_WORK);
  }

  #rouse(worker: number, reason: number): void {
    const at = (this.#plan.waits[worker] ?? 0) >> 2;
    if (Atomics.load(this.#words, at) >= reason && Atomics.exchange(this.#words, at, AT_WORK) !== AT_WORK) this.#native.wake(this.#plan.wakes[worker] ?? -1);
  }
}
