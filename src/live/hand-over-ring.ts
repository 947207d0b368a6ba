// A bounded queue of frames from one worker to another in shared memory: one writes, one reads, nobody waits in it.

/** Both ends know where it lies and what it holds. */
export interface RingShape {
  /** A power of two. */
  readonly slots: number;
  /** Bytes of a slot; a multiple of four. */
  readonly stride: number;
}

/** Slots written and slots read since the start, each in a cache line of its own; positions wrap at 32 bits. */
const WRITTEN = 0, READ = 64, SLOTS = 128;

export function ringBytes({ slots, stride }: RingShape): number { return SLOTS + slots * stride; }

/** The end of the worker that hands over. */
export class RingWriter {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #shape: RingShape;
  #claimed = 0;
  #published = 0;

  /** `at`: of a ring of zeros, a multiple of 64. */
  constructor(words: Int32Array, at: number, shape: RingShape) {
    this.#words = words;
    this.#at = at;
    this.#shape = shape;
  }

  /** Free slots; others can only make it more. */
  get room(): number { return this.#shape.slots - ((this.#claimed - Atomics.load(this.#words, (this.#at + READ) >> 2)) | 0); }

  /** Byte address of the next free slot; the caller has seen that there is room. */
  claim(): number {
    const slot = this.#claimed & (this.#shape.slots - 1);
    this.#claimed = (this.#claimed + 1) | 0;
    return this.#at + SLOTS + slot * this.#shape.stride;
  }

  /** Hands over what was claimed, which is written by now; false where nothing was. */
  publish(): boolean {
    if (this.#claimed === this.#published) return false;
    this.#published = this.#claimed;
    Atomics.store(this.#words, (this.#at + WRITTEN) >> 2, this.#published);
    return true;
  }
}

/** The end of the worker that takes over. */
export class RingReader {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #shape: RingShape;
  #read = 0;

  constructor(words: Int32Array, at: number, shape: RingShape) {
    this.#words = words;
    this.#at = at;
    this.#shape = shape;
  }

  /** Slots to be read; others can only make it more. */
  get waiting(): number { return (Atomics.load(this.#words, (this.#at + WRITTEN) >> 2) - this.#read) | 0; }

  /** Byte address of the `k`-th of them. */
  slot(k: number): number { return this.#at + SLOTS + ((this.#read + k) & (this.#shape.slots - 1)) * this.#shape.stride; }

  /** Gives the first `count` slots back. */
  release(count: number): void {
    this.#read = (this.#read + count) | 0;
    Atomics.store(this.#words, (this.#at + READ) >> 2, this.#read);
  }
}
