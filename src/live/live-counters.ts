// What the workers of a live run count beside the kernel's own counters: one row of doubles each, in shared memory, which the
// main thread sums up while they run.
import type { IgnoredReason, Tally } from "../observe/run-result.ts";
import { SIDES } from "./sides.ts";

export const IGNORED_REASONS: readonly IgnoredReason[] = [
  "arp", "lldp", "ipv6", "not-ip", "not-of-the-model", "too-short", "too-long", "other-mac", "neighbour-discovery",
];

/** By side: packets, bytes, time of the first and last (seconds since 1970). */
const RECEIVED = 0, RECEIVED_WORDS = 4;
const SENT = RECEIVED + SIDES * RECEIVED_WORDS;
const IGNORED = SENT + SIDES * 2;
/** Frames that were to be sent and were not. */
export const LOST_QUEUE_FULL = IGNORED + IGNORED_REASONS.length * 2;
export const LOST_REFUSED = LOST_QUEUE_FULL + 1;
export const LOST_UNRESOLVED = LOST_REFUSED + 1;
export const LOST_NO_DEVICE = LOST_UNRESOLVED + 1;
/** errno of the last refusal. */
export const LAST_ERROR = LOST_NO_DEVICE + 1;
export const ARP_ANSWERED = LAST_ERROR + 1;
export const ARP_ASKED = ARP_ANSWERED + 1;
export const DISCOVERY_ANSWERED = ARP_ASKED + 1;
export const DISCOVERY_ASKED = DISCOVERY_ANSWERED + 1;
export const BATCHES = DISCOVERY_ASKED + 1;
/** Frames that the worker read and another one's shards own. */
export const HANDED_OVER = BATCHES + 1;
/** Seconds in the kernel. */
export const KERNEL_TIME = HANDED_OVER + 1;
const WORDS = KERNEL_TIME + 1;

export function counterBuffer(workers: number): SharedArrayBuffer { return new SharedArrayBuffer(workers * WORDS * 8); }

/** One worker's row. */
export class LiveCounters {
  readonly #row: Float64Array;

  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#row = new Float64Array(buffer, worker * WORDS * 8, WORDS);
  }

  receive(side: number, bytes: number, time: number): void {
    const row = this.#row, at = RECEIVED + side * RECEIVED_WORDS;
    (row[at] as number)++;
    row[at + 1] = (row[at + 1] as number) + bytes;
    if (row[at + 2] === 0) row[at + 2] = time;
    row[at + 3] = time;
  }

  ignore(reason: IgnoredReason, bytes: number): void {
    const at = IGNORED + IGNORED_REASONS.indexOf(reason) * 2;
    this.add(at, 1);
    this.add(at + 1, bytes);
  }

  send(side: number, packets: number, bytes: number): void {
    this.add(SENT + side * 2, packets);
    this.add(SENT + side * 2 + 1, bytes);
  }

  add(counter: number, amount: number): void { this.#row[counter] = (this.#row[counter] as number) + amount; }

  set(counter: number, value: number): void { this.#row[counter] = value; }
}

export interface SideCount {
  readonly received: Tally;
  readonly sent: Tally;
  readonly firstTime: number | null;
  readonly lastTime: number | null;
}

/** All workers' rows together, as they are now. */
export class CounterSums {
  readonly #rows: Float64Array;
  readonly #workers: number;

  constructor(buffer: SharedArrayBuffer) {
    this.#rows = new Float64Array(buffer);
    this.#workers = this.#rows.length / WORDS;
  }

  #values(counter: number): number[] { return Array.from({ length: this.#workers }, (_, worker) => this.#rows[worker * WORDS + counter] as number); }

  sum(counter: number): number { return this.#values(counter).reduce((sum, value) => sum + value, 0); }

  most(counter: number): number { return Math.max(...this.#values(counter)); }

  side(side: number): SideCount {
    const at = RECEIVED + side * RECEIVED_WORDS, firsts = this.#values(at + 2).filter((time) => time > 0);
    return {
      received: { packets: this.sum(at), bytes: this.sum(at + 1) }, sent: { packets: this.sum(SENT + side * 2), bytes: this.sum(SENT + side * 2 + 1) },
      firstTime: firsts.length === 0 ? null : Math.min(...firsts), lastTime: firsts.length === 0 ? null : this.most(at + 3),
    };
  }

  received(): Tally {
    const sides = Array.from({ length: SIDES }, (_, side) => this.side(side).received);
    return { packets: sides.reduce((sum, { packets }) => sum + packets, 0), bytes: sides.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  ignoredBy(): { reason: IgnoredReason; packets: number; bytes: number }[] {
    return IGNORED_REASONS.map((reason, k) => ({ reason, packets: this.sum(IGNORED + k * 2), bytes: this.sum(IGNORED + k * 2 + 1) })).filter(({ packets }) => packets > 0);
  }
}
