// Real neighbours of the simulated nodes on one side, of either family: whose MAC is known, who was asked, and the frames that wait
// for the answer. Only those that were asked for are ever learned, so that nobody outside decides how long the table gets.
import { hashOf, isSame, type NeighbourAddress } from "./neighbour-address.ts";

/** As Linux: three questions, a second apart (mcast_solicit, retrans_time_ms). */
const QUESTIONS = 3, BETWEEN_MS = 1000;
/** Beyond this a neighbour that answers is asked again, without a frame waiting for it (base_reachable_time_ms). */
const REACHABLE_MS = 30_000;
const MOST_NEIGHBOURS = 16_384;

interface Neighbour {
  readonly address: NeighbourAddress;
  /** Another one with the same hash. */
  next: Neighbour | undefined;
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
  /** Slots of frames that were handed to send(), and may not have been written yet. */
  #leaving: number[] = [];
  /** By hash of the address. */
  readonly #known = new Map<number, Neighbour>();
  #count = 0;
  readonly #due = new Set<Neighbour>();

  constructor(bytes: Uint8Array, room: WaitingRoom) {
    this.#bytes = bytes;
    this.#room = room;
    this.#free = Array.from({ length: room.count }, (_, k) => room.at + k * room.stride);
  }

  /** MAC of the neighbour, or UNKNOWN: then the frame should wait(). */
  resolve(address: NeighbourAddress, now: number): number {
    const found = this.#find(address);
    if (found === undefined || found.mac < 0) return UNKNOWN;
    if (now - found.time > REACHABLE_MS) {
      this.#due.add(found);
      found.time = now;
    }
    return found.mac;
  }

  /** Keeps a copy of the frame until the neighbour answers. `askFrom`: MAC of the device it leaves by. */
  wait(address: NeighbourAddress, frame: number, length: number, askFrom: number, now: number): void {
    let neighbour = this.#find(address);
    const slot = length <= this.#room.stride ? this.#free.pop() : undefined;
    if (neighbour === undefined) {
      if (this.#count >= MOST_NEIGHBOURS) this.#forgetOldest();
      neighbour = this.#add(address, UNKNOWN, now - BETWEEN_MS, askFrom);
      this.#due.add(neighbour);
    }
    neighbour.askFrom = askFrom;
    if (slot === undefined) {
      this.#unresolved++;
      return;
    }
    this.#bytes.copyWithin(slot, frame, frame + length);
    neighbour.waiting.push(slot, length);
  }

  /** Takes an answer (or a neighbour's own question) in; calls `send` with each frame that waited for it, whose room is kept until
   * written(). `overrides`: whether it
   * may change a MAC that is known (RFC 4861 section 7.2.5; ARP always does). */
  learn(address: NeighbourAddress, mac: number, overrides: boolean, now: number, send: (frame: number, length: number) => void): void {
    const neighbour = this.#find(address);
    if (neighbour === undefined || (!overrides && neighbour.mac >= 0 && neighbour.mac !== mac)) return;
    neighbour.mac = mac;
    neighbour.time = now;
    neighbour.asked = 0;
    this.#due.delete(neighbour);
    for (let k = 0; k < neighbour.waiting.length; k += 2) {
      send(neighbour.waiting[k] as number, neighbour.waiting[k + 1] as number);
      this.#leaving.push(neighbour.waiting[k] as number);
    }
    neighbour.waiting.length = 0;
  }

  /** What was sent has left: others may wait in its room. */
  written(): void {
    if (this.#leaving.length === 0) return;
    this.#free.push(...this.#leaving);
    this.#leaving = [];
  }

  /** Makes a neighbour known before anybody asks: for pods, whose number the model bounds. */
  introduce(address: NeighbourAddress, mac: number, now: number, askFrom: number): void {
    if (this.#find(address) === undefined) this.#add(address, mac, now, askFrom);
  }

  /** Frames given up for want of an answer since the last call. */
  takeUnresolved(): number {
    const count = this.#unresolved;
    this.#unresolved = 0;
    return count;
  }

  get isWaiting(): boolean { return this.#due.size > 0; }

  /** Calls `question` for every neighbour that is to be asked now; gives up on those that did not answer. */
  ask(now: number, question: (address: NeighbourAddress, askFrom: number) => void): void {
    for (const neighbour of this.#due) {
      if (neighbour.mac < 0 && now - neighbour.time < BETWEEN_MS) continue;
      if (neighbour.asked === QUESTIONS) {
        this.#unresolved += neighbour.waiting.length / 2;
        for (let k = 0; k < neighbour.waiting.length; k += 2) this.#free.push(neighbour.waiting[k] as number);
        neighbour.waiting.length = 0;
        this.#remove(neighbour);
        continue;
      }
      neighbour.asked++;
      neighbour.time = now;
      if (neighbour.mac >= 0) this.#due.delete(neighbour);
      question(neighbour.address, neighbour.askFrom);
    }
  }

  #find(address: NeighbourAddress): Neighbour | undefined {
    let found = this.#known.get(hashOf(address));
    while (found !== undefined && !isSame(found.address, address)) found = found.next;
    return found;
  }

  #add(address: NeighbourAddress, mac: number, time: number, askFrom: number): Neighbour {
    const hash = hashOf(address), neighbour: Neighbour = { address, next: this.#known.get(hash), mac, time, asked: 0, askFrom, waiting: [] };
    this.#known.set(hash, neighbour);
    this.#count++;
    return neighbour;
  }

  #remove(neighbour: Neighbour): void {
    const hash = hashOf(neighbour.address);
    let before = this.#known.get(hash);
    if (before === neighbour) {
      if (neighbour.next === undefined) this.#known.delete(hash);
      else this.#known.set(hash, neighbour.next);
    } else {
      while (before !== undefined && before.next !== neighbour) before = before.next;
      if (before !== undefined) before.next = neighbour.next;
    }
    this.#count--;
    this.#due.delete(neighbour);
  }

  #forgetOldest(): void {
    for (const neighbour of this.#known.values()) {
      if (neighbour.waiting.length > 0) continue;
      this.#remove(neighbour);
      return;
    }
  }
}
