// Real neighbours of the simulated nodes on one side: whose MAC is known, who was asked, and the frames that wait for the answer.
// Only those that were asked for are ever learned, so that nobody outside decides how long the table gets.

/** As Linux: three questions, a second apart (mcast_solicit, retrans_time_ms). */
const QUESTIONS = 3, BETWEEN_MS = 1000;
/** Beyond this a neighbour that answers is asked again, without a frame waiting for it (base_reachable_time_ms). */
const REACHABLE_MS = 30_000;
const MOST_NEIGHBOURS = 16_384;

interface Neighbour {
  mac: number;
  /** When it was asked or heard last, in milliseconds. */
  time: number;
  /** Questions without an answer. */
  asked: number;
  /** The device's MAC that asks, and slots of waiting frames with their lengths. */
  askFrom: number;
  readonly waiting: number[];
}

/** What resolve() says when there is no MAC yet. */
export const UNKNOWN = -1;

/** Room for waiting frames in the shared memory. */
export interface WaitingRoom {
  readonly at: number;
  readonly stride: number;
  readonly count: number;
}

export class Neighbours {
  #unresolved = 0;
  readonly #bytes: Uint8Array;
  readonly #room: WaitingRoom;
  readonly #free: number[];
  readonly #known = new Map<number, Neighbour>();
  readonly #due = new Set<number>();

  constructor(bytes: Uint8Array, room: WaitingRoom) {
    this.#bytes = bytes;
    this.#room = room;
    this.#free = Array.from({ length: room.count }, (_, k) => room.at + k * room.stride);
  }

  /** MAC of the neighbour, or UNKNOWN: then the frame should wait(). */
  resolve(address: number, now: number): number {
    const found = this.#known.get(address);
    if (found === undefined || found.mac < 0) return UNKNOWN;
    if (now - found.time > REACHABLE_MS) {
      this.#due.add(address);
      found.time = now;
    }
    return found.mac;
  }

  /** Keeps a copy of the frame until the neighbour answers. `askFrom`: MAC of the device it leaves by. */
  wait(address: number, frame: number, length: number, askFrom: number, now: number): void {
    let neighbour = this.#known.get(address);
    const slot = length <= this.#room.stride ? this.#free.pop() : undefined;
    if (neighbour === undefined) {
      if (this.#known.size >= MOST_NEIGHBOURS) this.#forgetOldest();
      neighbour = { mac: UNKNOWN, time: now - BETWEEN_MS, asked: 0, askFrom, waiting: [] };
      this.#known.set(address, neighbour);
      this.#due.add(address);
    }
    neighbour.askFrom = askFrom;
    if (slot === undefined) {
      this.#unresolved++;
      return;
    }
    this.#bytes.copyWithin(slot, frame, frame + length);
    neighbour.waiting.push(slot, length);
  }

  /** Takes an answer (or a pod's own question) in; calls `send` with each frame that waited for it. */
  learn(address: number, mac: number, now: number, send: (frame: number, length: number) => void): void {
    const neighbour = this.#known.get(address);
    if (neighbour === undefined) return;
    neighbour.mac = mac;
    neighbour.time = now;
    neighbour.asked = 0;
    this.#due.delete(address);
    this.#empty(neighbour, send);
  }

  /** Makes a neighbour known before anybody asks: for pods, whose number the model bounds. */
  introduce(address: number, mac: number, now: number, askFrom: number): void {
    if (!this.#known.has(address)) this.#known.set(address, { mac, time: now, asked: 0, askFrom, waiting: [] });
  }

  /** Frames given up for want of an answer since the last call. */
  takeUnresolved(): number {
    const count = this.#unresolved;
    this.#unresolved = 0;
    return count;
  }

  get isWaiting(): boolean { return this.#due.size > 0; }

  /** Calls `question` for every neighbour that is to be asked now; gives up on those that did not answer. */
  ask(now: number, question: (address: number, askFrom: number) => void): void {
    for (const address of this.#due) {
      const neighbour = this.#known.get(address);
      if (neighbour === undefined) {
        this.#due.delete(address);
        continue;
      }
      if (neighbour.mac < 0 && now - neighbour.time < BETWEEN_MS) continue;
      if (neighbour.asked === QUESTIONS) {
        this.#unresolved += neighbour.waiting.length / 2;
        this.#empty(neighbour, () => undefined);
        this.#known.delete(address);
        this.#due.delete(address);
        continue;
      }
      neighbour.asked++;
      neighbour.time = now;
      if (neighbour.mac >= 0) this.#due.delete(address);
      question(address, neighbour.askFrom);
    }
  }

  #empty(neighbour: Neighbour, send: (frame: number, length: number) => void): void {
    for (let k = 0; k < neighbour.waiting.length; k += 2) {
      const slot = neighbour.waiting[k] as number;
      send(slot, neighbour.waiting[k + 1] as number);
      this.#free.push(slot);
    }
    neighbour.waiting.length = 0;
  }

  #forgetOldest(): void {
    for (const [address, neighbour] of this.#known) {
      if (neighbour.waiting.length > 0) continue;
      this.#known.delete(address);
      this.#due.delete(address);
      return;
    }
  }
}
